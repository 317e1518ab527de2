"""HAProxy's runtime API in memory: the commands we use, with the answers HAProxy gives.

``tests/contract/test_haproxy_model.py`` holds it to the real one.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from causeway.host.haproxy import Unreachable


class HaproxyModel:
    """One HAProxy with its files in ``directory``; servers named in ``busy`` have a connection."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.description: str | None = None
        self.backends: list[str] = []
        self.servers: dict[str, dict[str, list[int]]] = {}  # weight and administrative state
        self.maps: dict[str, list[tuple[str, str]]] = {}
        self.listed: list[tuple[str, str]] = []
        self.certificates: set[str] = set()
        self.authorities: set[str] = set()
        self.busy: set[str] = set()
        self.loads = self.checks = 0
        self.commands: list[str] = []

    # a process

    async def check(self, configuration: Path) -> str:
        self.checks += 1
        text = configuration.read_text()  # noqa: ASYNC240  # nobody else waits
        return "" if "nonsense" not in text else "nonsense is not known"

    async def run(self, mark: str) -> None:
        text = (self.directory / "haproxy.cfg").read_text()
        self.loads += 1
        self.description = mark
        # Those for routes; the others lead to sockets of HAProxy's own.
        self.backends = re.findall(r"^backend ((?:http|tcp)-\S+)", text, re.M)
        self.servers = {each: {} for each in self.backends}
        current = ""
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["backend"]:
                current = words[1]
            elif words[:1] == ["server"] and current in self.servers:
                self.servers[current][words[1]] = [int(words[words.index("weight") + 1]), 0]
        self.maps = {}
        for path in (self.directory / "maps").glob("*.map"):
            lines = [line.partition(" ") for line in path.read_text().splitlines()]
            self.maps[str(path)] = [(key, value) for key, _, value in lines]
        lines_of_list = (self.directory / "certificates.list").read_text().splitlines()
        self.listed = [(line.split()[0], line.split()[-1]) for line in lines_of_list]
        self.certificates = {file for file, _ in self.listed}
        self.authorities = set(re.findall(r"ca-file (\S+)", text))

    def die(self) -> None:
        self.description = None

    async def about(self) -> dict[str, str]:
        if self.description is None:
            raise Unreachable.of("model", "does not run", "")
        return {"description": self.description}

    async def ask(self, commands: Sequence[str]) -> list[str]:
        await self.about()
        self.commands += commands
        return [self._answer(*_parsed(each)) for each in commands]

    # commands

    def _answer(self, words: list[str], payload: str) -> str:
        name = "_" + "_".join(word.replace("-", "_") for word in words[:2])
        if words[1] in ("ssl", "servers"):
            name += "_" + words[2].replace("-", "_")
        arguments = words[3:] if words[1] in ("ssl", "servers") else words[2:]
        answer: str = getattr(self, name)(arguments, payload)
        return answer

    def _show_backend(self, words: list[str], payload: str) -> str:
        return "\n".join(["# name", *self.backends, ""])

    def _show_servers_state(self, words: list[str], payload: str) -> str:
        lines = ["1", "# be_id be_name ..."]
        for backend, servers in self.servers.items():
            for number, (server, (weight, state)) in enumerate(servers.items()):
                lines.append(f"1 {backend} {number} {server} 127.0.0.1 2 {state} {weight} {weight} 0 -")
        return "\n".join(lines)

    def _show_map(self, words: list[str], payload: str) -> str:
        return "\n".join(f"0x0 {key} {value}" for key, value in self.maps[words[0]])

    def _show_ssl_crt_list(self, words: list[str], payload: str) -> str:
        lines = [f"{file} [alpn h2,http/1.1\0] {host}" for file, host in self.listed]
        return "\n".join([f"# {words[0]}", *lines])

    def _show_ssl_ca_file(self, words: list[str], payload: str) -> str:
        return "\n".join(["# filename", *(f"{each} - 1 certificate(s)" for each in self.authorities)])

    def _add_map(self, words: list[str], payload: str) -> str:
        self.maps[words[0]].append((words[1], words[2]))
        return ""

    def _set_map(self, words: list[str], payload: str) -> str:
        entries = self.maps[words[0]]
        if all(key != words[1] for key, _ in entries):
            return "entry not found.\n"
        self.maps[words[0]] = [(key, words[2] if key == words[1] else value) for key, value in entries]
        return ""

    def _del_map(self, words: list[str], payload: str) -> str:
        entries = self.maps[words[0]]
        if all(key != words[1] for key, _ in entries):
            return "Key not found.\n"
        self.maps[words[0]] = [(key, value) for key, value in entries if key != words[1]]
        return ""

    def _server(self, name: str) -> list[int] | None:
        backend, _, server = name.partition("/")
        return self.servers.get(backend, {}).get(server)

    def _add_server(self, words: list[str], payload: str) -> str:
        backend, _, server = words[0].partition("/")
        if self._server(words[0]) is not None:
            return "Already exists a server with the same name in backend.\n"
        if "ca-file" in words and words[words.index("ca-file") + 1] not in self.authorities:
            return "'ca-file' : unable to load it.\n"
        self.servers[backend][server] = [int(words[words.index("weight") + 1]), 1]
        return "New server registered.\n"

    def _enable_server(self, words: list[str], payload: str) -> str:
        return self._set_server([words[0], "state", "ready"], "")

    def _enable_health(self, words: list[str], payload: str) -> str:
        return ""

    def _set_server(self, words: list[str], payload: str) -> str:
        server = self._server(words[0])
        if server is None:
            return "No such server.\n"
        if words[1] == "weight":
            server[0] = int(words[2])
        else:
            server[1] = {"maint": 1, "ready": 0}[words[2]]
        return ""

    def _del_server(self, words: list[str], payload: str) -> str:
        server = self._server(words[0])
        if server is None:
            return "No such server."
        if not server[1]:
            return "Only servers in maintenance mode can be deleted."
        backend, _, name = words[0].partition("/")
        if name in self.busy:
            return "Server still has connections attached to it, cannot remove it."
        del self.servers[backend][name]
        return "Server deleted."

    def _new_ssl_cert(self, words: list[str], payload: str) -> str:
        if words[0] in self.certificates:
            return f"Certificate '{words[0]}' already exists!\n"
        self.certificates.add(words[0])
        return f"New empty certificate store '{words[0]}'!\n"

    def _set_ssl_cert(self, words: list[str], payload: str) -> str:
        return f"Transaction created for certificate {words[0]}!\n"

    def _commit_ssl_cert(self, words: list[str], payload: str) -> str:
        return f"Committing {words[0]}\nSuccess!\n"

    def _add_ssl_crt_list(self, words: list[str], payload: str) -> str:
        file, host = payload.split(maxsplit=1)[0], payload.rsplit(maxsplit=1)[-1]
        self.listed.append((file, host))
        return f"Inserting certificate '{file}' in crt-list '{words[0]}'.\nSuccess!\n"

    def _del_ssl_crt_list(self, words: list[str], payload: str) -> str:
        if all(file != words[1] for file, _ in self.listed):
            return f"Can't remove {words[1]}: not found\n"
        self.listed = [(file, host) for file, host in self.listed if file != words[1]]
        return f"Entry '{words[1]}' deleted in crtlist '{words[0]}'!\n"

    def _del_ssl_cert(self, words: list[str], payload: str) -> str:
        if words[0] not in self.certificates:
            return f"Can't remove the certificate: certificate '{words[0]}' doesn't exist!\n"
        self.certificates.discard(words[0])
        return f"Certificate '{words[0]}' deleted!\n"

    def _new_ssl_ca_file(self, words: list[str], payload: str) -> str:
        self.authorities.add(words[0])
        return f"New CA file created '{words[0]}'!\n"

    def _set_ssl_ca_file(self, words: list[str], payload: str) -> str:
        return f"transaction created for CA {words[0]}!\n"

    def _commit_ssl_ca_file(self, words: list[str], payload: str) -> str:
        return f"Committing {words[0]}\nSuccess!\n"

    def _del_ssl_ca_file(self, words: list[str], payload: str) -> str:
        if words[0] not in self.authorities:
            return f"Can't remove: '{words[0]}' doesn't exist!\n"
        self.authorities.discard(words[0])
        return f"CA file '{words[0]}' deleted!\n"


def _parsed(command: str) -> tuple[list[str], str]:
    """Return the words of a command, and its payload."""
    first, _, payload = command.partition("<<\n")
    words = shlex.shlex(first.strip(), posix=True)
    words.whitespace_split, words.quotes, words.commenters = True, "", ""
    return list(words), payload
