"""The first process of a server until its init takes its place: ``python -m ...boot < order.json``.

Runs in fresh mount, UTS, IPC, PID and network namespaces. Tells the monitor its number as the lab counts
(so that interfaces can be put into its network namespace), puts the file system together, waits for the
monitor's word that the interfaces are there, and becomes the image's init with the console as its terminal.
"""

import os
import socket
import sys
from pathlib import Path

import msgspec

from causeway.lab.servers import mounts, syscalls
from causeway.lab.servers.cgroups import Cgroups, enter
from causeway.lab.servers.layout import ServerFiles

INIT_CANDIDATES = ("sbin/init", "lib/systemd/systemd")


class Order(msgspec.Struct, frozen=True):
    """All a boot needs to know. ``report`` and ``go`` are descriptors of pipes to and from the monitor."""

    directory: Path
    cgroup_parent: str
    hostname: str
    image: Path
    cgroups: Cgroups
    console: str
    disks: tuple[mounts.Disk, ...]
    data: tuple[str, ...]
    shadows: tuple[str, ...]
    report: int
    go: int


def encode(order: Order) -> bytes:
    """Return the order as it is sent to the boot process."""
    return msgspec.json.encode(order, enc_hook=str)


def decode(text: bytes) -> Order:
    """Return the order that was encoded as ``text``."""
    return msgspec.json.decode(text, type=Order, dec_hook=lambda _, path: Path(path))


def main() -> None:
    """Boot what the order on standard input describes; does not return."""
    order = decode(sys.stdin.buffer.read())
    files = ServerFiles(order.directory, order.cgroup_parent)
    # /proc is still the lab's, so this link shows our number there and not the 1 we have here.
    os.write(order.report, str(Path("/proc/self").readlink()).encode())
    os.close(order.report)
    enter(order.cgroups, files.cgroup)
    syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    for step in mounts.plan(
        files,
        order.image,
        cgroups=order.cgroups,
        console=order.console,
        disks=order.disks,
        data=order.data,
        shadows=order.shadows,
    ):
        apply(step)
    socket.sethostname(order.hostname)
    if not os.read(order.go, 1):
        sys.exit("the monitor gave up")
    os.close(order.go)
    _become_init(files)


def apply(step: mounts.Step) -> None:
    """Carry out one step; making what is there already is no error."""
    match step:
        case mounts.Mount():
            _make_target(step)
            syscalls.mount(step.source, step.target, step.kind, step.flags, step.options)
        case mounts.Directory():
            step.path.mkdir(parents=True, exist_ok=True)
        case mounts.Device():
            step.path.unlink(missing_ok=True)
            os.mknod(step.path, step.mode, mounts.device_number(step))
            step.path.chmod(step.mode & 0o777)  # whatever the umask
        case mounts.Link():
            step.path.unlink(missing_ok=True)
            step.path.symlink_to(step.target)


def _make_target(step: mounts.Mount) -> None:
    if step.target.exists():
        return
    if step.flags & mounts.MS_BIND and not Path(step.source).is_dir():
        step.target.touch()
    else:
        step.target.mkdir(parents=True)


def _become_init(files: ServerFiles) -> None:
    os.chdir(files.mountpoint)
    syscalls.pivot_root(Path(), Path())
    syscalls.unmount_detached(Path())
    os.chdir("/")
    # As on any machine, where systemd does it: mounts made later reach the containers that ask for them.
    syscalls.mount("", Path("/"), "", mounts.MS_SHARED | mounts.MS_REC, "")
    terminal = os.open("/dev/console", os.O_RDWR | os.O_NOCTTY)
    for descriptor in (0, 1, 2):
        os.dup2(terminal, descriptor)
    init = next(path for name in INIT_CANDIDATES if (path := Path("/") / name).exists())
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "container": "causeway",
        "container_uuid": files.id,
        "TERM": "dumb",
        "LANG": "C.UTF-8",
    }
    os.execve(init, [str(init)], environment)  # noqa: S606  # the server's own init


if __name__ == "__main__":
    main()
