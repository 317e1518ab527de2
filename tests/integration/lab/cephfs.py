"""Clients of the lab's file systems, each on a network of its own beyond the lab, as a server is."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from causeway.lab import tree
from causeway.lab.settings import Settings

MOUNTED_AT = "/mnt"


@dataclass(frozen=True)
class Client:
    """A network and a mount namespace with the lab's programs; ``directory`` is for files of its own.

    ``prefix`` is the command to which another is added that runs in those namespaces.
    """

    lab: Settings
    prefix: tuple[str, ...]
    directory: Path

    def mount(self, export: str, user: str, key: str) -> None:
        """Mount ``export`` (``MONITOR:PORT:PATH``, as Manila tells it) as a user of Ceph with its key."""
        monitor, _, path = export.rpartition(":")
        (self.directory / "ceph.conf").write_text("[global]\n")
        (self.directory / "keyring").write_text(f"[client.{user}]\nkey = {key}\n")
        where = f"/run/{self.directory.name}"
        self.run(
            *("ceph-fuse", MOUNTED_AT, "--conf", f"{where}/ceph.conf", "--keyring", f"{where}/keyring"),
            *("--id", user, "--mon-host", monitor, "--client-mountpoint", path),
        )

    def run(self, *words: str, stdin: str = "") -> str:
        """Return what a command of the lab's prints for this client; raises when it fails."""
        return _run(*self.prefix, "chroot", str(self.lab.root), *words, stdin=stdin)


@contextmanager
def client(lab: Settings, number: int) -> Iterator[Client]:
    """A client linked to the lab, gone with its mount and its link at the end."""
    running = tree.running(lab)
    assert running is not None
    outside = ("nsenter", f"--target={running.first}", "--mount", "--net", "--")
    near, far = f"192.0.2.{4 * number + 1}", f"192.0.2.{4 * number + 2}"
    link = f"client{number}"
    with ExitStack() as stack:
        directory = Path(f"/proc/{running.first}/root{lab.root}/run/{link}")
        directory.mkdir(mode=0o700)
        stack.callback(shutil.rmtree, directory)
        holds = ("unshare", "--mount", "--net", "setpriv", "--pdeathsig=KILL", "sleep", "infinity")
        holder = stack.enter_context(subprocess.Popen([*outside, *holds]))
        stack.callback(holder.kill)
        _wait_for_namespace(holder, running.first)
        inside = ("nsenter", f"--target={holder.pid}", "--mount", "--net", "--")

        peer = ("type", "veth", "peer", "eth0", "netns", str(holder.pid))
        _run(*outside, "ip", "link", "add", link, *peer)
        # It would go with the namespace, but some time after that.
        stack.callback(_run, *outside, "ip", "link", "delete", link)
        _run(*outside, "ip", "address", "add", f"{near}/30", "dev", link)
        _run(*outside, "ip", "link", "set", link, "up")
        for words in (f"address add {far}/30 dev eth0", "link set eth0 up", f"route add default via {near}"):
            _run(*inside, "ip", *words.split())

        made = Client(lab, inside, directory)
        mounted = f"mountpoint --quiet {MOUNTED_AT}"
        stack.callback(made.run, "sh", "-c", f"! {mounted} || umount {MOUNTED_AT}")
        yield made


def _wait_for_namespace(holder: subprocess.Popen[bytes], first: int) -> None:
    """Wait until ``holder`` is in a network neither of the machine nor of process ``first``."""
    others = {Path(f"/proc/{pid}/ns/net").readlink() for pid in ("self", first)}
    while Path(f"/proc/{holder.pid}/ns/net").readlink() in others:
        assert holder.poll() is None


def _run(*words: str, stdin: str = "") -> str:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{words}: {done.stderr}{done.stdout}"
    return done.stdout
