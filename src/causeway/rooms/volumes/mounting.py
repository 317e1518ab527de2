"""What is to be mounted for a volume, and what must not be. Pure: reads the table of mounts it is given."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from causeway.host.command import CommandFailed
from causeway.host.mounts import MountPoint, at
from causeway.kit.errors import Problem
from causeway.rooms.volumes.access import FILE_SYSTEMS
from causeway.rooms.volumes.model import Capability, Mode, Reason, Refused

MAKING = (
    "If mkfs-options are wrong, correct them in the StorageClass: delete the class, and the claim, and make "
    "both anew."
)
MOUNTING = (
    "If mountOptions are wrong, correct them in the PersistentVolume, and in its StorageClass, which has to "
    "be made anew."
)
_KUBELETS = "/plugins/kubernetes.io/csi/"
"""Part of each path at which the kubelet has a driver stage a file system, or publish a block device."""


@dataclass(frozen=True)
class Staging:
    """How a file system is to be mounted: made first if ``make``, with ``options``."""

    filesystem: str
    make: bool
    options: tuple[str, ...]

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written to the disk, not even a repair."""
        return "ro" in self.options


def is_staged(mounts: Sequence[MountPoint], device: int, path: str, place: str) -> bool:
    """Return whether the device is mounted at ``path``.

    Raises ``Refused`` when it is mounted anywhere else, or something else is there.
    """
    there = at(mounts, path)
    if there is not None:
        if there.device == device:
            return True
        cause = f"{there.source} is mounted at {path} already"
        raise Refused(Reason.PRECONDITION, place, cause, "Unmount it, if nothing uses it.")
    elsewhere = [each.path for each in mounts if each.device == device]
    if elsewhere:
        raise Refused(
            Reason.PRECONDITION,
            place,
            f"it is mounted already, at {', '.join(elsewhere)}",
            "A volume is mounted once: unmount it there, if nothing uses it.",
        )
    return False


def staging(capability: Capability, found: str, flags: Iterable[str], place: str) -> Staging:
    """Return how a device on which ``found`` is ("": nothing) is to be mounted; raises ``Refused``.

    What is on a disk is kept: only an empty one gets a file system.
    """
    wanted = capability.filesystem or (found if found in FILE_SYSTEMS else FILE_SYSTEMS[0])
    options = list(flags)
    if capability.reads_only and "ro" not in options:
        options.append("ro")
    if found and found != wanted:
        cause = f"{wanted} is asked for, and {found} is on it"
        remedy = (
            "Ask for what is on it (fsType), or for a new volume; what is on a disk is never overwritten."
        )
        raise Refused(Reason.PRECONDITION, place, cause, remedy)
    if not found and "ro" in options:
        cause = "it is empty, and only to be read"
        raise Refused(Reason.PRECONDITION, place, cause, "Mount it for writing once, or use one with data.")
    if wanted == "xfs":
        options.append("nouuid")  # else a copy could not be mounted beside its source
    if capability.mode is Mode.MANY_READERS:
        options.append("norecovery")  # reading the journal would write
    return Staging(wanted, not found, tuple(options))


def blamed(failed: CommandFailed, options: Sequence[str], remedy: str) -> Problem:
    """Return what a command's failure is, with what to do if somebody's ``options`` are the reason."""
    if not options:
        return failed
    ended = failed.findings[0]
    said = " ".join(ended.remedy.split())
    return Problem.of(ended.place, f"{ended.cause}: {said.rstrip('.')}", remedy)


def others(
    mounts: Iterable[MountPoint], blocks: Mapping[str, int], device: int, mine: Iterable[str]
) -> list[str]:
    """Return where else on this node the device is given to somebody; ``mine`` are paths that do not count.

    ``blocks`` are the paths at which block devices are, with their numbers.
    """
    own = set(mine)
    paths = {each.path for each in mounts if each.device == device}
    paths |= {path for path, number in blocks.items() if number == device}
    return sorted(paths - own)


def claimed(mounts: Iterable[MountPoint], blocks: Mapping[str, int]) -> set[int]:
    """Return the numbers of the devices that claims have on this node; ``blocks`` as of ``others``."""
    files = {each.device for each in mounts if each.root == "/" and _KUBELETS in each.path}
    return files | {number for path, number in blocks.items() if _KUBELETS in path}
