"""Shares on a node: mounted once, shown to pods, and taken away. The only place that mounts them."""

import errno
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from causeway.engine.storage.model import Reason, Refused
from causeway.engine.storage.node import NodeStorage, Usage, filesystem_usage, make_target, unmount_all
from causeway.host import mounts
from causeway.host.command import CommandFailed, run, succeeds
from causeway.rooms.shares import mounting
from causeway.rooms.shares.model import Entry
from causeway.rooms.shares.mounting import Mounting, Options

log = structlog.get_logger()

KEYS = Path("/run/causeway/shares")
"""Where keys are while something is mounted: in memory, and readable by root alone."""
APPEAR = 30.0
"""Seconds a program may take until what it serves is there."""
_LOOK_EVERY = 0.1
_NO_UNIT = (5, 127)
"""How ``systemctl stop`` ends when there is no such unit, and a machine's command that it does not have."""
_ENDED = (errno.ENOTCONN, errno.ESHUTDOWN)
"""What the kernel answers for a file system in a program's place when that is gone, or was aborted."""
# By the kernel where that has CephFS, and the program that tells it a key.
_BY_KERNEL = "command -v mount.ceph && { grep -qw ceph /proc/filesystems || modprobe -q ceph; }"
# The programs that mount are the machine's. Whatever a pod starts ends with it, and what serves a file system
# has to stay: the machine's systemd keeps it.
_ON_HOST = ("nsenter", "--target", "1", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--")


class NodeShares(NodeStorage):
    """The shares of this machine; ``in_pod``: this runs in a container that may end before what it mounts."""

    def __init__(self, *, in_pod: bool = False, appear: float = APPEAR) -> None:
        super().__init__("share")
        self._in_pod = in_pod
        self._around: Sequence[str] = _ON_HOST if in_pod else ()
        self._appear = appear

    def stage(self, identifier: str, path: Path, entry: Entry, options: Options) -> None:
        """Mount a share at ``path``; raises ``Refused``, ``CommandFailed``."""
        with self._alone(identifier):
            self._stage(self._place(identifier), path, entry, options)

    def unstage(self, identifier: str, path: Path) -> None:
        """Unmount what was staged at ``path``, and end the program that serves it or still tries to."""
        with self._alone(identifier):
            unmount_all(path)
            self._stop(path)
            unmount_all(path)  # it may have come just before
            _forget_key(path)

    def publish(
        self,
        identifier: str,
        staged: Path,
        path: Path,
        entry: Entry,
        options: Options,
        *,
        read_only: bool,
        alone: bool = False,
    ) -> None:
        """Show a staged share to a pod at ``path``; ``alone``: to no second one; raises ``Refused``.

        One whose program has ended, or that an attempt to mount it again has left unmounted, is mounted again
        by ``entry`` and ``options``: as long as another pod has it, however broken, the kubelet does not ask
        for that.
        """
        place = self._place(identifier)
        with self._alone(identifier):
            self._stage(place, staged, entry, options)
            table = mounts.table()
            there = mounts.at(table, str(path))
            if there is not None and _is_dead(path):
                mounts.unmount(path, lazily=True)
                there = None
            if there is not None:
                here = mounts.at(table, str(staged))
                if here is None or (there.device, there.root) != (here.device, here.root):
                    cause = f"{there.source} is mounted at {path} already"
                    raise Refused(Reason.PRECONDITION, place, cause, "Unmount it, if nothing uses it.")
                if read_only and "ro" not in there.options:  # killed between the two steps
                    mounts.make_read_only(path)
                return
            if alone and (found := mounting.others(table, str(staged), str(path))):
                cause = f"one pod alone may have it (ReadWriteOncePod), another has it at {', '.join(found)}"
                raise Refused(Reason.PRECONDITION, place, cause, "It is given when that pod is gone.")
            make_target(path)
            mounts.bind(staged, path, read_only=read_only)

    def usage(self, identifier: str, path: Path) -> Usage:
        """Return how full the share at ``path`` is; raises ``Refused`` when it is not there."""
        if not mounts.at(mounts.table(), str(path)):
            cause = f"it is not at {path}"
            remedy = "It has to be published there first."
            raise Refused(Reason.NOT_FOUND, self._place(identifier), cause, remedy)
        return filesystem_usage(path)

    def _stage(self, place: str, path: Path, entry: Entry, options: Options) -> None:
        if mounting.is_staged(mounts.table(), str(path), place):
            if not _is_dead(path):
                _forget_key(path)
                return
            log.warning("the program that served a share has ended; it is mounted again", path=str(path))
            mounts.unmount(path, lazily=True)
        by_kernel = succeeds(*self._around, "sh", "-c", _BY_KERNEL)
        how = mounting.mounting(entry, str(path), options, by_kernel=by_kernel, place=place)
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not entry.key:
            run(*self._around, *how.words)
            return
        try:
            file = _write_key(path, mounting.keyring(entry, by_program=how.stays))
            self._mount(how, file, path, place)
        finally:
            _forget_key(path)

    def _mount(self, how: Mounting, key: Path, path: Path, place: str) -> None:
        words = how.with_keyfile(str(key))
        if how.stays and self._in_pod:
            self._stop(path)  # one that hangs has the name, and would hold the path as well
            kept = (
                "systemd-run",
                "--quiet",
                "--collect",
                f"--unit={_unit(path)}",
                "--property=KillMode=mixed",
                "--",
            )
            words = [*kept, *words, "-f"]
        run(*self._around, *words)
        deadline = time.monotonic() + self._appear
        while not mounting.is_staged(mounts.table(), str(path), place):
            if time.monotonic() > deadline:
                self._stop(path)
                cause = f"nothing is mounted at {path} {self._appear:g} s after {how.words[0]} was started"
                remedy = "Look at the node's journal, and that it reaches Ceph's monitors."
                raise Refused(Reason.PENDING, place, cause, remedy)
            time.sleep(_LOOK_EVERY)

    def _stop(self, path: Path) -> None:
        """Have the machine's systemd end the program it keeps for ``path``; none there is no error."""
        if not self._in_pod:
            return
        try:
            run(*self._around, "systemctl", "stop", _unit(path))
        except CommandFailed as failed:
            if failed.status not in _NO_UNIT:
                raise


def _is_dead(path: Path) -> bool:
    """Return whether the program that served what is mounted there has ended; raises ``OSError``."""
    try:
        os.statvfs(path)
    except OSError as error:
        if error.errno not in _ENDED:
            raise
        return True
    return False


def _write_key(path: Path, content: str) -> Path:
    KEYS.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_key(path)  # of a life that was killed
    file = KEYS / _name(path)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(content)
    return file


def _forget_key(path: Path) -> None:
    (KEYS / _name(path)).unlink(missing_ok=True)


def _unit(path: Path) -> str:
    return f"causeway-share-{_name(path)}.service"


def _name(path: Path) -> str:
    """Return a name for what is mounted at a path."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]
