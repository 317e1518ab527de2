"""What mounting on a node has in common for every kind of storage.

Everything here blocks, and looks before it acts: it may be repeated, and go on with what was killed.
"""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from causeway.engine.storage.model import Reason, Refused
from causeway.host import mounts


class Usage(msgspec.Struct, frozen=True):
    """How full something is: bytes, and for a file system its inodes (total, available, used)."""

    total: int
    available: int = 0
    used: int = 0
    inodes: tuple[int, int, int] | None = None


class NodeStorage(ABC):
    """What is mounted of one ``kind`` of storage on this machine."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    @abstractmethod
    def usage(self, identifier: str, path: Path) -> Usage:
        """Return how full what is at ``path`` is; raises ``Refused`` when it is not there."""

    def unstage(self, identifier: str, path: Path) -> None:
        """Unmount what was staged at ``path``; nothing there is no error."""
        with self._alone(identifier):
            unmount_all(path)

    def unpublish(self, identifier: str, path: Path) -> None:
        """Take away what was published at ``path``; nothing there is no error."""
        with self._alone(identifier):
            unmount_all(path)
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)

    def _place(self, identifier: str) -> str:
        return f"{self._kind} {identifier}"

    @contextmanager
    def _alone(self, identifier: str) -> Iterator[None]:
        """Keep others from it meanwhile, also when whoever asked has hung up; raises ``Refused``."""
        with self._lock:
            if identifier in self._busy:
                cause = "something else is being done with it on this node"
                remedy = "It is tried again by itself."
                raise Refused(Reason.PENDING, self._place(identifier), cause, remedy)
            self._busy.add(identifier)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(identifier)


def unmount_all(path: Path) -> None:
    """Take away whatever is mounted at ``path``, also on top of each other; raises ``CommandFailed``."""
    while mounts.at(mounts.table(), str(path)):
        mounts.unmount(path)


def filesystem_usage(path: Path) -> Usage:
    """Return how full the file system at ``path`` is; raises ``OSError``."""
    found = os.statvfs(path)
    unit = found.f_frsize
    used = (found.f_blocks - found.f_bfree) * unit
    inodes = (found.f_files, found.f_favail, found.f_files - found.f_ffree)
    return Usage(found.f_blocks * unit, found.f_bavail * unit, used, inodes)


def make_target(path: Path, *, block: bool = False) -> None:
    """Make what something is shown at: a directory, or for a ``block`` device a file."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    if block:
        path.touch(mode=0o640)
    else:
        path.mkdir(mode=0o750, exist_ok=True)
