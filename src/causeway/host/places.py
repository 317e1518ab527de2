"""The places a server has for disks, and how many of them are left for volumes of claims."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from causeway.host import disks

# QEMU has that many places for virtio disks, and that many units on a virtio-scsi controller beside the drive
# that the configuration may be in. Whoever configured the hypervisor otherwise says so.
_VIRTIO, _SCSI = 26, 255


@dataclass(frozen=True)
class Disk:
    """A disk of the machine; ``volume``: it carries a volume's id, ``used``: by others than claims."""

    number: int
    scsi: bool
    volume: bool
    used: bool


def room(there: Iterable[Disk]) -> int:
    """Return how many volumes of claims a server with the disks ``there`` can have, at least 1. Pure.

    A place is taken by what cannot be a claim's: a disk without a volume's id, or one that somebody else
    uses. A volume that nobody uses yet may be a claim's on its way, or from before a reboot, and Kubernetes
    counts those itself.
    """
    found = list(there)
    taken = [each for each in found if not each.volume or each.used]
    places = _SCSI if any(each.scsi for each in found) else _VIRTIO
    return max(1, places - len(taken))  # 0 would mean any number


def attached(claimed: Collection[int], root: Path = Path("/")) -> list[Disk]:
    """Return the disks of the machine whose files are at ``root``.

    ``claimed`` are the numbers of those that claims are known to have: to see whether a disk is used it is
    held for a moment, which must not be in a pod's way.
    """
    found = {}
    for block in sorted((root / "sys/block").glob("[sv]d*")):
        number = disks.number_of(block)
        if number is not None:
            found[number] = Disk(number, block.name.startswith("sd"), volume=False, used=False)
    for number, device in disks.volumes(root).items():
        scsi = not device.name.startswith("v")  # vdb, or virtio-ID where it is known by its link alone
        used = number not in claimed and disks.is_used(device)
        found[number] = Disk(number, scsi, volume=True, used=used)
    return list(found.values())
