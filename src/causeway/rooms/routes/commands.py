"""Steps as commands of HAProxy's runtime API, and its answers as a state: the one place that knows the words.

Written for HAProxy 2.6 and later.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, get_args

from causeway.rooms.routes.model import (
    PRESENT,
    RETIRING,
    AuthorityKey,
    CertificateKey,
    Item,
    MapKey,
    MapName,
    ServerKey,
    Value,
)
from causeway.rooms.routes.plan import Step

_MAINTENANCE = 0x3F  # any bit of srv_admin_state: forced, inherited, drain
BUSY = "still has connections"  # of a server that cannot be dropped yet


class Files(NamedTuple):
    """Where HAProxy's files are; the runtime API knows things by their files' names."""

    directory: Path

    def map(self, name: MapName) -> Path:
        """Return the file of a map."""
        return self.directory / "maps" / f"{name}.map"

    def certificate(self, key: CertificateKey) -> Path:
        """Return the file of a certificate with its key."""
        return self.directory / "certificates" / f"{key.certificate}.pem"

    def authority(self, key: AuthorityKey) -> Path:
        """Return the file of authorities."""
        return self.directory / "authorities" / f"{key.authority}.pem"

    @property
    def list(self) -> Path:
        """Return the file that lists the certificates."""
        return self.directory / "certificates.list"

    @property
    def script(self) -> Path:
        """Return the program for what maps alone cannot decide."""
        return self.directory / "gateway.lua"

    @property
    def configuration(self) -> Path:
        """Return the configuration."""
        return self.directory / "haproxy.cfg"


class Command(NamedTuple):
    """A command and what the answer to it has in it if it succeeded ("": nothing but space)."""

    text: str
    success: str = ""

    def succeeded(self, answer: str) -> bool:
        """Return whether ``answer`` says so."""
        return self.success in answer if self.success else not answer.strip()


def entry_of_list(files: Files, key: CertificateKey) -> str:
    """Return the line of the list of certificates for one of them.

    HTTP/2 is offered only with a certificate of the route's own: with one for many hosts, browsers would send
    other routes' requests through a connection to this one.
    """
    return f"{files.certificate(key)} [alpn h2,http/1.1] {key.host}"


def commands(step: Step, files: Files) -> list[Command]:
    """Return the commands that do a step, in order."""
    match step.item:
        case MapKey(name, key):
            return [_map_command(step, files.map(name), key)]
        case ServerKey(backend, server):
            return list(_server_commands(step, f"{backend}/{server}"))
        case CertificateKey():
            file = files.certificate(step.item)
            if step.verb == "remove":
                return [
                    Command(f"del ssl crt-list {files.list} {file}", "deleted"),
                    Command(f"del ssl cert {file}", "deleted"),
                ]
            line = entry_of_list(files, step.item)
            return [
                Command(f"new ssl cert {file}", "New empty"),
                Command(f"set ssl cert {file} {_payload(step.detail)}", "ransaction"),
                Command(f"commit ssl cert {file}", "Success!"),
                Command(f"add ssl crt-list {files.list} {_payload(line)}", "Success!"),
            ]
        case AuthorityKey():
            file = files.authority(step.item)
            if step.verb == "remove":
                return [Command(f"del ssl ca-file {file}", "deleted")]
            return [
                Command(f"new ssl ca-file {file}", "New CA file"),
                Command(f"set ssl ca-file {file} {_payload(step.detail)}", "ransaction"),
                Command(f"commit ssl ca-file {file}", "Success!"),
            ]


def _map_command(step: Step, file: Path, key: str) -> Command:
    if step.verb == "remove":
        # Up to HAProxy 2.8 a line that ends with << begins a payload: a key would, if there were no space.
        return Command(f"del map {file} {key} ")
    return Command(f"{'add' if step.verb == 'add' else 'set'} map {file} {key} {_word(str(step.value))}")


def _server_commands(step: Step, name: str) -> Iterator[Command]:
    if step.verb == "add":
        # HAProxy 2.6 gives a server its places among those to draw from before it has a number, so that all
        # have the same; places added later, by a greater weight, are right.
        yield Command(f"add server {name} {_words(step.detail)} weight 0", "New server registered")
        if " check " in step.detail:
            yield Command(f"enable health {name}")
        yield Command(f"enable server {name}")
        if step.value:
            yield Command(f"set server {name} weight {step.value}")
    elif step.verb == "revive":
        yield Command(f"set server {name} weight {step.value}")
        yield Command(f"set server {name} state ready")
    elif step.verb == "set":
        yield Command(f"set server {name} weight {step.value}")
    elif step.verb == "retire":
        yield Command(f"set server {name} state maint")
    else:
        yield Command(f"del server {name}", "Server deleted")


def _payload(text: str) -> str:
    return f"<<\n{text.strip()}\n"


def _word(text: str) -> str:
    """Return text as one word of a command; ``bounds`` has seen to it that it is printable."""
    return "".join(f"\\{each}" if each in "\\; " else each for each in text)


def _words(text: str) -> str:
    return " ".join(_word(each) for each in text.split())


# reading


def questions(files: Files) -> list[str]:
    """Return the commands whose answers ``state_of`` makes a state of."""
    return [
        "show servers state",
        f"show ssl crt-list {files.list}",
        "show ssl ca-file",
        *(f"show map {files.map(name)}" for name in get_args(MapName)),
    ]


def state_of(answers: Iterable[str], ours: frozenset[str], files: Files) -> dict[Item, Value]:
    """Return what HAProxy says it runs, of the backends ``ours``, from the answers to ``questions``.

    Authorities that are not among our files are the configuration's own: those of clients.
    """
    servers, listed, authorities, *maps = answers
    state: dict[Item, Value] = {}
    for line in servers.splitlines():
        words = line.split()
        if len(words) > 8 and not line.startswith("#") and words[1] in ours:
            state[ServerKey(words[1], words[3])] = RETIRING if int(words[6]) & _MAINTENANCE else int(words[7])
    for line in listed.splitlines():
        words = line.replace("\0", "").split()
        if len(words) > 1 and not line.startswith("#"):
            state[CertificateKey(Path(words[0]).stem, words[-1])] = PRESENT
    for line in authorities.splitlines():
        name = line.partition(" - ")[0].strip().lstrip("*")
        authority = AuthorityKey(Path(name).stem)
        if Path(name) == files.authority(authority):
            state[authority] = PRESENT
    for name, text in zip(get_args(MapName), maps, strict=True):
        for line in text.splitlines():
            _, _, rest = line.partition(" ")
            key, _, value = rest.partition(" ")
            if key:
                state[MapKey(name, key)] = value
    return state
