"""The file system a server sees, as a list of steps: pure, so that it can be read and tested.

``boot`` carries the steps out, in the server's own namespaces, before the server's init starts.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from causeway.lab.servers.cgroups import Cgroups
from causeway.lab.servers.layout import ServerFiles

# Directories whose programs make overlays or want a file system with real O_DIRECT and hard links: an overlay
# cannot be the upper layer of another overlay, so these are the machine's own file system.
DATA_DIRECTORIES = ("var/lib/containerd", "var/lib/kubelet", "var/lib/etcd")
CONFIG_DRIVE = "var/lib/cloud/seed/config_drive"

# Settings of the kernel that are the whole machine's and that a kubelet insists on: the server sees the value
# it wants, in a file of its own, and the machine keeps its own. Anything written there stays there.
SHADOWED = {
    "sys/vm/overcommit_memory": "1\n",
    "sys/vm/panic_on_oom": "0\n",
    "sys/kernel/panic": "10\n",
    "sys/kernel/panic_on_oops": "1\n",
    "sys/kernel/keys/root_maxkeys": "1000000\n",
    "sys/kernel/keys/root_maxbytes": "25000000\n",
    "sysrq-trigger": "",
}

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_SHARED = 1 << 14, 1 << 20

_CHARACTER_DEVICES = (
    ("null", 0o666, 1, 3),
    ("zero", 0o666, 1, 5),
    ("full", 0o666, 1, 7),
    ("random", 0o666, 1, 8),
    ("urandom", 0o666, 1, 9),
    ("kmsg", 0o600, 1, 11),
    ("tty", 0o666, 5, 0),
    ("net/tun", 0o666, 10, 200),
    ("fuse", 0o666, 10, 229),
)
_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}


@dataclass(frozen=True)
class Mount:
    """A mount(2) call; the target is made beforehand, a file when the source is one."""

    source: str
    target: Path
    kind: str = ""
    flags: int = 0
    options: str = ""


@dataclass(frozen=True)
class Directory:
    """A directory to make, with its parents."""

    path: Path


@dataclass(frozen=True)
class Device:
    """A device node to make; ``mode`` carries the kind (character or block) and the permissions."""

    path: Path
    mode: int
    major: int
    minor: int


@dataclass(frozen=True)
class Link:
    """A symbolic link to make."""

    path: Path
    target: str


Step = Mount | Directory | Device | Link


@dataclass(frozen=True)
class Disk:
    """A volume as the server sees it: ``device`` like ``vdb``, and the numbers of the block device it is."""

    device: str
    serial: str
    major: int
    minor: int


def plan(
    files: ServerFiles,
    image: Path,
    *,
    cgroups: Cgroups,
    console: str,
    disks: Sequence[Disk],
    data: Sequence[str],
    shadows: Sequence[str],
) -> list[Step]:
    """Return the steps that put a server's file system together at ``files.mountpoint``.

    ``console`` is the terminal that becomes /dev/console; ``data`` names the directories of
    ``DATA_DIRECTORIES`` the image has; ``shadows`` the files of /proc that are covered.
    """
    root = files.mountpoint
    overlay = f"lowerdir={image},upperdir={files.upper},workdir={files.work}"
    steps: list[Step] = [Mount("overlay", root, "overlay", 0, overlay)]
    steps += [Mount(str(files.data / name), root / name, flags=MS_BIND) for name in data]
    steps += _read_only(files.config_drive, root / CONFIG_DRIVE)
    plain = MS_NOSUID | MS_NODEV | MS_NOEXEC
    steps.append(Mount("proc", root / "proc", "proc", plain))
    steps += [Mount(str(files.shadows / name), root / "proc" / name, flags=MS_BIND) for name in shadows]
    steps.append(Mount("sysfs", root / "sys", "sysfs", plain | MS_RDONLY))
    steps += _cgroup_mounts(cgroups, root / "sys/fs/cgroup")
    steps += _devices(root / "dev", console, disks)
    steps.append(Mount("tmpfs", root / "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"))
    steps.append(Mount("tmpfs", root / "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
    return steps


def disk_nodes(dev: Path, disk: Disk) -> list[Step]:
    """Return the steps that show ``disk`` below ``dev`` as a virtio disk would be shown."""
    by_id = dev / "disk/by-id"
    return [
        Device(dev / disk.device, stat.S_IFBLK | 0o660, disk.major, disk.minor),
        Directory(by_id),
        Link(by_id / link_name(disk.serial), f"../../{disk.device}"),
    ]


def link_name(serial: str) -> str:
    """Return the name below /dev/disk/by-id: virtio keeps 20 characters of a serial number."""
    return f"virtio-{serial[:20]}"


def meminfo(of_machine: str, memory_mb: int) -> str:
    """Return the text of /proc/meminfo with the flavor's memory instead of the machine's, without swap."""
    lines = []
    for line in of_machine.splitlines():
        name = line.partition(":")[0]
        if name in ("MemTotal", "MemFree", "MemAvailable"):
            lines.append(f"{name + ':':<16}{memory_mb * 1024:8d} kB")
        elif not name.startswith("Swap"):
            lines.append(line)
    return "\n".join([*lines, "SwapTotal:             0 kB", "SwapFree:              0 kB", ""])


def _read_only(source: Path, target: Path) -> Iterator[Step]:
    """A bind mount takes its flags only when mounted a second time."""
    yield Mount(str(source), target, flags=MS_BIND)
    yield Mount("", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY)


def _cgroup_mounts(cgroups: Cgroups, top: Path) -> Iterator[Step]:
    """The server's cgroup namespace makes its own cgroup the root of what is mounted here."""
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    if cgroups.version == 2:
        yield Mount("cgroup2", top, "cgroup2", flags)
        return
    yield Mount("tmpfs", top, "tmpfs", flags, "mode=755")
    for tree in cgroups.trees:
        if tree.unified:
            yield Mount("cgroup2", top / tree.path.name, "cgroup2", flags)
            continue
        options = ",".join(tree.controllers)
        named = any(each.startswith("name=") for each in tree.controllers)
        yield Mount("cgroup", top / tree.path.name, "cgroup", flags, f"none,{options}" if named else options)


def _devices(dev: Path, console: str, disks: Sequence[Disk]) -> Iterator[Step]:
    yield Mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755")
    pts = "newinstance,ptmxmode=666,gid=5,mode=620"
    yield Mount("devpts", dev / "pts", "devpts", MS_NOSUID | MS_NOEXEC, pts)
    yield Mount("tmpfs", dev / "shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    yield Directory(dev / "net")
    yield Directory(dev / "mapper")
    for name, mode, major, minor in _CHARACTER_DEVICES:
        yield Device(dev / name, stat.S_IFCHR | mode, major, minor)
    for name, target in _LINKS.items():
        yield Link(dev / name, target)
    yield Mount(console, dev / "console", flags=MS_BIND)
    for disk in disks:
        yield from disk_nodes(dev, disk)


def device_number(step: Device) -> int:
    """Return the number mknod(2) wants."""
    return os.makedev(step.major, step.minor)
