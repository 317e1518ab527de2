"""What is wrong with a volume, by what Cinder says of it and by what its node sees. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from causeway.cloud.cinder_objects import Volume
from causeway.host.mounts import MountPoint, at


class Harm(Enum):
    """What it means for whoever uses the volume, in the interface's words."""

    DEGRADED = "usable, but not as it should be"
    INACCESSIBLE = "cannot be used"
    DATA_LOSS = "data are lost, or may be"


@dataclass(frozen=True)
class Ill:
    """Something that is wrong: ``reason`` one word for programs, ``message`` for people, with the remedy."""

    harm: Harm
    reason: str
    message: str


_ADMINISTRATOR = "The cloud's administrator can mend that and reset it."
_BY_STATUS: Mapping[str, Ill] = {
    "error_extending": Ill(
        Harm.DEGRADED,
        "ExtendFailed",
        f"Cinder could not enlarge it: it is as it was, and no other server gets it. {_ADMINISTRATOR}",
    ),
    "error_backing-up": Ill(
        Harm.DEGRADED, "BackupFailed", f"Cinder could not end a backup of it. {_ADMINISTRATOR}"
    ),
    "error_deleting": Ill(Harm.INACCESSIBLE, "DeleteFailed", f"Cinder could not delete it. {_ADMINISTRATOR}"),
    "error_restoring": Ill(
        Harm.DATA_LOSS,
        "RestoreFailed",
        "A backup was being written over it and only part of it is: restore one again, or another.",
    ),
    "none": Ill(
        Harm.INACCESSIBLE,
        "StatusLost",
        f"Cinder has lost its status, as when a backup found no cinder-backup in its zone. {_ADMINISTRATOR}",
    ),
    "maintenance": Ill(
        Harm.INACCESSIBLE, "Maintenance", "The cloud's administrator is at work on it: it comes back."
    ),
}


def in_cloud(volume: Volume) -> tuple[Ill, ...]:
    """Return what is wrong with a volume in the cloud: for all nodes."""
    known = _BY_STATUS.get(volume.status)
    if known is not None:
        return (known,)
    if volume.status.startswith("error"):
        told = f"Cinder says {volume.status}. {_ADMINISTRATOR}"
        return (Ill(Harm.INACCESSIBLE, "VolumeError", told),)
    return ()


def on_node(
    device: int | None, mounts: Sequence[MountPoint], paths: Sequence[str], blocks: Sequence[str], errors: int
) -> tuple[Ill, ...]:
    """Return what is wrong with a volume on this node.

    ``device`` is its disk's number, None where there is no such disk; ``paths`` are where it is to be
    mounted, ``blocks`` those of them that are block devices instead; ``errors`` are those its file system has
    counted.
    """
    if device is None:
        cause = (
            "No disk of this node is this volume any more: look at openstack volume show; restart the pod."
        )
        return (Ill(Harm.INACCESSIBLE, "DeviceGone", cause),)
    found: list[Ill] = []
    there = [each for path in paths if path not in blocks and (each := at(mounts, path)) is not None]
    if missing := [path for path in paths if path not in blocks and at(mounts, path) is None]:
        cause = f"It is not mounted at {', '.join(missing)}: restart the pod."
        found.append(Ill(Harm.INACCESSIBLE, "NotMounted", cause))
    if any("ro" in each.held and "ro" not in each.options for each in there):
        cause = "Its file system stopped taking writes after an error: restart the pod, which repairs it."
        found.append(Ill(Harm.DEGRADED, "ReadOnlyFileSystem", cause))
    if errors:
        cause = f"Its file system met {errors} errors since its last check: restart the pod, which checks it."
        found.append(Ill(Harm.DEGRADED, "FileSystemErrors", cause))
    return tuple(found)
