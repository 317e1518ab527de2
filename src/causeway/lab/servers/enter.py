"""Entering a server from the machine, outside the lab's namespaces.

The numbers in a server's runtime are those of the lab's PID namespace. Here the server is found by its
cgroup: the kernel shows the processes in it by the numbers of whoever reads.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from causeway.kit.errors import Exit, Problem
from causeway.lab.servers import cgroups, record
from causeway.lab.servers.layout import Layout, ServerFiles

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


def find(layout: Layout, wanted: str) -> ServerFiles:
    """Return the server called ``wanted`` or with an id beginning like it; refuses none and several."""
    known: dict[str, str] = {}
    if layout.lab.servers.is_dir():
        for directory in layout.lab.servers.iterdir():
            if server := record.load(layout.server(directory.name)):
                known[server.id] = server.hostname
    matching = matches(known, wanted)
    if len(matching) == 1:
        return layout.server(matching[0])
    names = ", ".join(sorted(known.values())) or "none"
    cause = (
        "several servers are called so" if matching else f"no such server in this lab (there are: {names})"
    )
    raise Problem.of(f"server {wanted}", cause, "Give the id of one of them.", exit_code=Exit.USAGE)


def matches(known: Mapping[str, str], wanted: str) -> list[str]:
    """Return the ids (of ``known`` id: name) whose name is ``wanted``, else those that begin with it."""
    named = [server_id for server_id, name in known.items() if name == wanted]
    return named or [server_id for server_id in known if server_id.startswith(wanted)]


def command_in(files: ServerFiles, command: Sequence[str]) -> list[str]:
    """Return the arguments that run ``command`` inside the running server."""
    pids = cgroups.processes(cgroups.of_machine(), files.cgroup)
    init = first_process(_numbers(pids))
    if init is None:
        raise Problem.of(f"server {files.id}", "it is off", "Start it: openstack server start.")
    environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
    return ["nsenter", "--target", str(init), *namespaces, "env", "-i", *environment, *command]


def first_process(numbers: Mapping[int, Sequence[int]]) -> int | None:
    """Return the process that is number 1 of the outermost PID namespace among them.

    ``numbers`` gives each process's number in every PID namespace it is in, outermost first. A container in
    the server has a number 1 of its own, one namespace further in.
    """
    firsts = [pid for pid, inside in numbers.items() if inside and inside[-1] == 1]
    return min(firsts, key=lambda pid: len(numbers[pid]), default=None)


def _numbers(pids: Iterable[int]) -> dict[int, list[int]]:
    found = {}
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        line = next((each for each in status.splitlines() if each.startswith("NSpid:")), "NSpid:")
        found[pid] = [int(word) for word in line.split()[1:]]
    return found
