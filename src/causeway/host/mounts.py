"""What is mounted where on this machine, and mounting.

Paths go to ``mount`` and ``umount`` as they are: what they would make of a path of another root file system
(``/proc/N/root/dev/vdb``) is wrong, and looking into a mount whose disk hangs would hang as well.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from causeway.host.command import run

_ESCAPED = re.compile(r"\\([0-7]{3})")
_TABLE = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class MountPoint:
    """One line of the table of mounts; ``device`` is the number of the file system's block device.

    ``options`` are this mount's own, ``held`` the file system's, which the kernel changes after an error.
    """

    device: int
    root: str  # which part of the file system is seen: "/" unless it is a bind of less
    path: str
    options: frozenset[str]
    filesystem: str
    source: str
    held: frozenset[str] = frozenset()


def parse(text: str) -> list[MountPoint]:
    """Return the mounts of a ``mountinfo`` table in the order in which they were made. Pure."""
    found = []
    for line in text.splitlines():
        own, separator, of_filesystem = line.partition(" - ")
        fields, rest = own.split(" "), of_filesystem.split(" ")
        if not separator or len(fields) < 6 or len(rest) < 2:
            continue
        major, _, minor = fields[2].partition(":")
        found.append(
            MountPoint(
                device=os.makedev(int(major), int(minor)),
                root=_plain(fields[3]),
                path=_plain(fields[4]),
                options=frozenset(fields[5].split(",")),
                filesystem=rest[0],
                source=_plain(rest[1]),
                held=frozenset(rest[2].split(",")) if len(rest) > 2 else frozenset(),
            )
        )
    return found


def table() -> list[MountPoint]:
    """Return the mounts this process sees."""
    return parse(_TABLE.read_text(errors="surrogateescape"))


def at(mounts: Sequence[MountPoint], path: str) -> MountPoint | None:
    """Return what is mounted at ``path``; of several on top of each other the one that is seen."""
    return next((each for each in reversed(mounts) if each.path == path), None)


def block_devices(mounts: Iterable[MountPoint]) -> dict[str, int]:
    """Return the paths at which block devices are mounted as files, with the devices' numbers."""
    found = {}
    for each in mounts:
        if each.root != "/" and each.filesystem in ("devtmpfs", "tmpfs"):
            try:
                status = Path(each.path).lstat()
            except OSError:
                continue  # gone meanwhile
            if stat.S_ISBLK(status.st_mode):
                found[each.path] = status.st_rdev
    return found


def mount(device: Path, path: Path, filesystem: str, options: Sequence[str]) -> None:
    """Mount a file system; raises ``CommandFailed``."""
    words = ["-o", ",".join(options)] if options else []
    run("mount", "--no-canonicalize", "-t", filesystem, *words, device, path)


def bind(source: Path, path: Path, *, read_only: bool) -> None:
    """Show a directory or a file at a second path; raises ``CommandFailed``."""
    run("mount", "--no-canonicalize", "--bind", source, path)
    if read_only:
        make_read_only(path)


def make_read_only(path: Path) -> None:
    """Let nobody write through a bind any more; raises ``CommandFailed``."""
    run("mount", "--no-canonicalize", "-o", "remount,bind,ro", path)


def unmount(path: Path, *, lazily: bool = False) -> None:
    """Take a mount away; raises ``CommandFailed``, also while somebody uses it, unless ``lazily``."""
    run("umount", "--no-canonicalize", *(("--lazy",) if lazily else ()), path)


def _plain(field: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), field)
