"""Starting and ending the lab's process tree, from the machine's side.

The tree holds a lock on the lab's directory as long as it lives, by an inherited file descriptor: whether a
lab runs is a question to the kernel, never to a file that may be stale.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from causeway.host.command import run
from causeway.kit.errors import Problem
from causeway.lab.settings import Settings, write_private

INNER_LINK = "uplink"
STOP_LIMIT = 30.0


@dataclass(frozen=True)
class Tree:
    """The running tree: host process ids of its root (``unshare``) and of the first process inside."""

    root: int
    first: int


def running(lab: Settings) -> Tree | None:
    """Return the lab's tree when it runs."""
    if not lab.lock_file.exists():
        return None
    with lab.lock_file.open() as file:
        if _locked(file.fileno()):
            return None
    try:
        return Tree(**json.loads((lab.directory / "tree.json").read_text()))
    except FileNotFoundError:
        raise Problem.of(
            str(lab.directory), "another command is just starting this lab", "Wait a moment and try again."
        ) from None


def start(lab: Settings) -> Tree:
    """Start the lab's tree and connect it to the machine; raises ``Problem`` when it runs or does not."""
    lab.logs.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lab.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked(descriptor):
            raise Problem.of(
                str(lab.directory), "another process runs this lab", "See `causeway lab status`."
            )
        (lab.directory / "tree.json").unlink(missing_ok=True)
        lab.state_file.unlink(missing_ok=True)
        with (lab.logs / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *("unshare", "--pid", "--mount", "--net", "--uts", "--ipc", "--mount-proc"),
                    *("--fork", "--kill-child", "tini", "--"),
                    *(sys.executable, "-m", "causeway.lab.supervisor", str(lab.directory)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(descriptor,),
                cwd="/",
            )
        try:
            tree = Tree(process.pid, _first_child(process))
            _connect(lab, tree)
            # The supervisor does nothing until it finds this, and ends when it does not come.
            write_private(lab.directory / "tree.json", json.dumps(asdict(tree)))
        except BaseException:
            process.kill()
            raise
    finally:
        os.close(descriptor)
    return tree


def stop(lab: Settings) -> bool:
    """End the lab's tree and wait until it is gone; return whether there was one."""
    tree = running(lab)
    if tree is None:
        return False
    os.kill(tree.first, signal.SIGTERM)
    if not _gone(lab, STOP_LIMIT):
        os.kill(tree.root, signal.SIGKILL)
        if not _gone(lab, STOP_LIMIT):
            raise Problem.of(
                f"process {tree.root}", "the lab's processes do not end", "Look at them, then try again."
            )
    (lab.directory / "tree.json").unlink(missing_ok=True)
    lab.state_file.unlink(missing_ok=True)
    return True


def enter(tree: Tree, *argv: str) -> tuple[str, ...]:
    """Return the command that runs ``argv`` inside the lab's namespaces."""
    return ("nsenter", "--target", str(tree.first), "--all", "--", *argv)


def restart_service(lab: Settings, name: str) -> bool:
    """Ask the supervisor to restart the service ``name``; return False when there is no such service."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(lab.control_socket))
        connection.sendall(json.dumps({"restart": name}).encode() + b"\n")
        with connection.makefile() as answers:
            return bool(json.loads(answers.readline())["ok"])


def _connect(lab: Settings, tree: Tree) -> None:
    """Join the machine and the lab by a pair of devices, and route the external network into the lab.

    The pair and the route go away by themselves with the lab's network namespace.
    """
    run("ip", "link", "add", lab.link, "type", "veth", "peer", "name", INNER_LINK, "netns", str(tree.first))
    run("ip", "address", "add", f"{lab.host_address}/{lab.network_prefix}", "dev", lab.link)
    run("ip", "link", "set", lab.link, "up")
    inside = ("nsenter", "--target", str(tree.first), "--net", "ip")
    run(*inside, "address", "add", f"{lab.address}/{lab.network_prefix}", "dev", INNER_LINK)
    run(*inside, "link", "set", INNER_LINK, "up")
    run("ip", "route", "replace", lab.external, "via", lab.address, "dev", lab.link)


def _first_child(process: subprocess.Popen[bytes]) -> int:
    """Return the host's process id of the first process in the new namespaces."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        pids = children.read_text().split()
        if pids:
            return int(pids[0])
        time.sleep(0.02)
    raise Problem.of(
        "namespaces", "this machine does not let them be made", "Run as root, outside of a container."
    )


def _locked(descriptor: int) -> bool:
    """Take the lock; return False when another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _gone(lab: Settings, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with lab.lock_file.open() as file:
            if _locked(file.fileno()):
                return True
        time.sleep(0.1)
    return False
