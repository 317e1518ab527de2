"""Volumes on a node: devices become file systems at paths, and go again. The only place that mounts.

Everything here blocks, and looks before it acts: it may be repeated, and go on with what was killed.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from causeway.engine.storage.node import NodeStorage, Usage, filesystem_usage, make_target
from causeway.host import disks, mounts, places
from causeway.host.command import CommandFailed
from causeway.rooms.volumes import health, mounting
from causeway.rooms.volumes.health import Ill
from causeway.rooms.volumes.model import Capability, Reason, Refused

log = structlog.get_logger()

APPEAR = 20.0
"""Seconds a device may take to appear, or to grow, after the cloud said it has."""
_LOOK_EVERY = 0.2


class NodeVolumes(NodeStorage):
    """The volumes of the machine whose files are at ``root``."""

    def __init__(self, root: Path = Path("/"), appear: float = APPEAR) -> None:
        super().__init__("volume")
        self._root = root
        self._appear = appear

    def room(self) -> int:
        """Return how many volumes of claims the machine can have."""
        table = mounts.table()
        claimed = mounting.claimed(table, mounts.block_devices(table))
        return places.room(places.attached(claimed, self._root))

    def stage(
        self,
        volume_id: str,
        path: Path,
        capability: Capability,
        flags: Sequence[str] = (),
        making: Sequence[str] = (),
    ) -> None:
        """Mount a volume's file system at ``path``, made if the disk is empty; only find a block device.

        ``flags`` are options of mount, ``making`` options of mkfs. Raises ``Problem``.
        """
        with self._alone(volume_id):
            device = self._device(volume_id)
            if capability.block:
                return
            place = f"volume {volume_id}"
            if not mounting.is_staged(mounts.table(), disks.number(device), str(path), place):
                how = mounting.staging(capability, disks.holds(device), flags, place)
                if how.make:
                    try:
                        disks.make(device, how.filesystem, making)
                    except CommandFailed as failed:
                        raise mounting.blamed(failed, making, mounting.MAKING) from failed
                    log.info("file system made", volume=volume_id, filesystem=how.filesystem)
                elif not how.read_only:
                    disks.repair(device, how.filesystem)
                path.mkdir(mode=0o750, parents=True, exist_ok=True)
                try:
                    mounts.mount(device, path, how.filesystem, how.options)
                except CommandFailed as failed:
                    raise mounting.blamed(failed, flags, mounting.MOUNTING) from failed
            if not capability.reads_only:
                self._fill(device, path, only="xfs")

    def publish(
        self, volume_id: str, staged: Path, path: Path, capability: Capability, *, read_only: bool
    ) -> None:
        """Show a staged volume to a pod at ``path``: a directory, or a file that is the block device."""
        with self._alone(volume_id):
            device = self._device(volume_id)
            number = disks.number(device)
            table = mounts.table()
            place = f"volume {volume_id}"
            if not capability.block and not mounting.is_staged(table, number, str(staged), place):
                cause = f"it is not mounted at {staged}"
                raise Refused(
                    Reason.PRECONDITION, place, cause, "It has to be staged before it is published."
                )
            there = mounts.at(table, str(path))
            if there is None:
                if capability.alone:
                    self._require_alone(table, number, (str(staged), str(path)), place)
                make_target(path, block=capability.block)
                mounts.bind(device if capability.block else staged, path, read_only=read_only)
                return
            if number != (disks.number(path) if capability.block else there.device):
                cause = f"{there.source} is mounted at {path} already"
                raise Refused(Reason.PRECONDITION, place, cause, "Unmount it, if nothing uses it.")
            if read_only and "ro" not in there.options:  # killed between the two steps
                mounts.make_read_only(path)

    def expand(self, volume_id: str, path: Path, required: int) -> int:
        """Let the file system mounted at ``path`` fill its device; returns the device's size in bytes.

        Waits until the machine sees at least ``required`` bytes. Raises ``Refused``, ``CommandFailed``.
        """
        with self._alone(volume_id):
            self._require_there(volume_id, path)
            device = self._device(volume_id)
            deadline = time.monotonic() + self._appear
            while disks.size(device) < required:
                if time.monotonic() > deadline:
                    cause = f"the machine sees {disks.size(device)} bytes of it, not yet {required}"
                    remedy = "It is tried again by itself; if it lasts, the hypervisor was not told."
                    raise Refused(Reason.PENDING, f"volume {volume_id}", cause, remedy)
                time.sleep(_LOOK_EVERY)
            if not path.is_block_device():
                self._fill(device, path)
            return disks.size(device)

    def usage(self, volume_id: str, path: Path) -> Usage:
        """Return how full the volume at ``path`` is; raises ``Refused`` when it is not there."""
        self._require_there(volume_id, path)
        if path.is_block_device():
            return Usage(disks.size(path))
        return filesystem_usage(path)

    def ills(self, volume_id: str, paths: Sequence[Path]) -> tuple[Ill, ...]:
        """Return what is wrong with a volume that is to be at ``paths``."""
        device = disks.find(volume_id, self._root)
        number = disks.number(device) if device else None
        blocks = [str(each) for each in paths if each.is_block_device()]
        counted = disks.errors(number) if number is not None else 0
        return health.on_node(number, mounts.table(), [str(each) for each in paths], blocks, counted)

    def _fill(self, device: Path, path: Path, only: str = "") -> None:
        """Let the file system at ``path`` fill its device, if it can be written and is of kind ``only``."""
        there = mounts.at(mounts.table(), str(path))
        if there is not None and "ro" not in there.options and only in ("", there.filesystem):
            disks.grow(device, path, there.filesystem)

    def _require_there(self, volume_id: str, path: Path) -> None:
        there = mounts.at(mounts.table(), str(path))
        device = disks.find(volume_id, self._root)
        if there is not None and device is not None:
            number = disks.number(path) if path.is_block_device() else there.device
            if number == disks.number(device):
                return
        cause = f"it is not at {path}"
        raise Refused(Reason.NOT_FOUND, f"volume {volume_id}", cause, "It has to be published there first.")

    def _require_alone(
        self, table: Sequence[mounts.MountPoint], number: int, mine: Sequence[str], place: str
    ) -> None:
        if found := mounting.others(table, mounts.block_devices(table), number, mine):
            cause = f"one pod alone may have it (ReadWriteOncePod), and another has it at {', '.join(found)}"
            raise Refused(Reason.PRECONDITION, place, cause, "It is given when that pod is gone.")

    def _device(self, volume_id: str) -> Path:
        """Return the volume's device as soon as there is one; raises ``Refused``."""
        deadline = time.monotonic() + self._appear
        while (found := disks.find(volume_id, self._root)) is None:
            if time.monotonic() > deadline:
                cause = (
                    f"no disk of this node carries its id; names tried: {', '.join(disks.links(volume_id))}"
                )
                remedy = "Check that the volume is attached to this server: openstack volume show."
                raise Refused(Reason.NOT_FOUND, f"volume {volume_id}", cause, remedy)
            time.sleep(_LOOK_EVERY)
        return found
