"""What is to be done for a volume or a snapshot that is asked for by name. Pure: decides, does nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from causeway.cloud.cinder_objects import (
    Backup,
    BackupRequest,
    Snapshot,
    SnapshotRequest,
    Volume,
    VolumeRequest,
)
from causeway.engine.storage.capacity import fits, gigabytes
from causeway.engine.storage.steps import COMING, Discard, Done, Step, by_status
from causeway.rooms.volumes.access import for_several, refusal
from causeway.rooms.volumes.model import (
    BACKUP_KEY,
    GIB,
    BackupWish,
    Reason,
    Refused,
    SnapshotWish,
    Wish,
    is_another,
    is_restored,
    made_of,
    marks,
)
from causeway.rooms.volumes.volume_types import same

_NO_ROOM = ("no valid backend", "could not find any available", "no storage could be allocated")
_BASE = 30  # seconds a backup may take however small its volume is


@dataclass(frozen=True)
class Origin:
    """What a new volume is a copy of: its size in GiB, its zone if that binds, whether it is a backup."""

    size: int
    zone: str = ""
    backup: bool = False


def judge(wish: Wish, volume: Volume) -> Step[Volume]:
    """Return what the volume of a wish's name is; raises ``Refused`` when it is not what is wished."""
    place = f"volume {volume.id} ({wish.name})"
    if volume.status == "error_restoring":  # Cinder has no bytes of the backup in it, or not all of them
        return Discard(volume)
    step = by_status(volume, place)
    if isinstance(step, Discard) or volume.status == "deleting":
        return step
    if volume.status in COMING and is_another(volume):  # Cinder may be about to say of which backup it is
        return step
    for what, has, wanted in _differences(wish, volume):
        raise Refused(
            Reason.EXISTS,
            place,
            f"its {what} is {has}, and {wanted} is asked for by the same name",
            "Ask for it by another name, or delete it first.",
        )
    if volume.status == "available" and _never_given(wish, volume):
        return Discard(volume, refusal(wish.capabilities, place, multiattach=False))
    return step


def judge_snapshot(wish: SnapshotWish, snapshot: Snapshot) -> Step[Snapshot]:
    """Return what the snapshot of a wish's name is; raises ``Refused`` when it is of another volume."""
    place = f"snapshot {snapshot.id} ({wish.name})"
    _require_of(wish, snapshot.volume_id, place)
    return by_status(snapshot, place)


def judge_backup(wish: BackupWish, backup: Backup) -> Step[Backup]:
    """Return what the backup of a wish's name is; raises ``Refused`` when it is of another volume.

    One that is on its way is there: the moment it is of was fixed before. So is one that failed, or could not
    be deleted: Kubernetes may have its id.
    """
    place = f"backup {backup.id} ({wish.name})"
    _require_of(wish.snapshot, backup.volume_id, place)
    there = backup.status in COMING or backup.status.startswith("error")
    return Done(backup) if there else by_status(backup, place)


def require_in_time(wish: BackupWish, backup: Backup, age: float) -> None:
    """Raise ``Refused`` when a backup that was begun ``age`` seconds ago should be there by now."""
    limit = _BASE + wish.seconds_per_gib * backup.size
    if backup.status in COMING and age > limit:
        cause = f"it is not finished after {age:.0f} s, and {limit} s are expected of {backup.size} GiB"
        remedy = (
            "It goes on by itself. If the store is that slow, raise backup-max-duration-seconds-per-gb in "
            "the VolumeSnapshotClass; else have the cloud's administrator look at cinder-backup."
        )
        raise Refused(Reason.DEADLINE, f"backup {backup.id}", cause, remedy)


def request_for(wish: Wish, cluster: str, origin: Origin | None) -> VolumeRequest:
    """Return the request that makes the volume, with the marks of its owner in it; raises ``Refused``."""
    place = f"volume {wish.name}"
    backup = wish.source.snapshot_id if origin and origin.backup else ""
    zone = wish.zone or next(iter(wish.zones), "")
    if origin and origin.zone and not wish.zone:
        if wish.zones and origin.zone not in wish.zones:
            cause = f"its source is in zone {origin.zone}, and it is asked for in {', '.join(wish.zones)}"
            raise Refused(Reason.EXHAUSTED, place, cause, "Let the pod run in the zone of the source.")
        zone = origin.zone
    return VolumeRequest(
        name=wish.name,
        size=gigabytes(wish.capacity, place, at_least=origin.size if origin else 1),
        metadata=metadata_of(wish, cluster, backup),
        volume_type=wish.volume_type,
        availability_zone=zone,
        snapshot_id="" if backup else wish.source.snapshot_id,
        source_volid=wish.source.volume_id,
        backup_id=backup,
    )


def metadata_of(wish: Wish, cluster: str, backup: str) -> dict[str, str]:
    """Return what a volume carries; ``backup`` is the id of that it is made of, "" for none."""
    return {
        **wish.metadata,
        **marks(cluster, wish.name),
        **({BACKUP_KEY: backup} if backup else {}),
    }


def snapshot_request_for(wish: SnapshotWish, cluster: str, volume: Volume) -> SnapshotRequest:
    """Return the request that takes the snapshot; raises ``Refused`` when the volume's use forbids it."""
    if volume.status == "in-use" and not wish.force:
        raise Refused(
            Reason.PRECONDITION,
            f"volume {volume.id}",
            "a server uses it, and its snapshot class does not allow a snapshot of it then",
            'Add the parameter force-create: "true" to the VolumeSnapshotClass, or stop the pod first.',
        )
    return SnapshotRequest(
        volume_id=volume.id,
        name=wish.name,
        metadata={**wish.metadata, **marks(cluster, wish.name)},
        force=wish.force,
    )


def backup_request_for(wish: BackupWish, cluster: str, snapshot: Snapshot) -> BackupRequest:
    """Return the request that makes the backup of a snapshot."""
    return BackupRequest(
        volume_id=snapshot.volume_id,
        snapshot_id=snapshot.id,
        name=wish.name,
        metadata={**wish.snapshot.metadata, **marks(cluster, wish.name)},
        availability_zone=wish.zone,
    )


def zone_refusal(wish: Wish, told: str) -> Refused | None:
    """Return the refusal for a zone Cinder says it does not have, None when it ``told`` of something else."""
    # Other sentences about zones are of a source or of a type, which are somewhere else.
    if "availability zone '" not in told.lower() or "is invalid" not in told.lower():
        return None
    remedy = (
        "Correct parameter availability of its StorageClass (openstack availability zone list --volume). "
        "Parameters of a class cannot be changed: delete the class and make it anew."
        if wish.zone
        else "It is the zone of the pod's node. Where Cinder's zones are not those of servers, set "
        "CAUSEWAY_CSI_ZONES=apart."
    )
    return Refused(Reason.INVALID, f"volume {wish.name}", told.rstrip("."), remedy)


def tells_of_no_room(told: str) -> bool:
    """Return whether Cinder's scheduler says so that it found no backend with room for a volume."""
    return any(each in told.lower() for each in _NO_ROOM)


def _require_of(wish: SnapshotWish, volume_id: str, place: str) -> None:
    if volume_id != wish.volume_id:
        cause = f"it is of volume {volume_id}, and one of {wish.volume_id} is asked for by the same name"
        raise Refused(Reason.EXISTS, place, cause, "Ask for it by another name.")


def _never_given(wish: Wish, volume: Volume) -> bool:
    """Return whether a volume is for one server and was made by us for several: such a one nobody has.

    Cinder decides that when it makes it, where the type is its own choice or does not show what it can do.
    """
    ours = not is_another(volume) or is_restored(volume)
    return for_several(wish.capabilities) and not volume.multiattach and not volume.attachments and ours


def _differences(wish: Wish, volume: Volume) -> Iterable[tuple[str, str, str]]:
    """Yield what of the volume differs from the wish: what, what it is, what is wished.

    A volume that was made a moment ago for this very wish never differs, whatever liberties Cinder took.
    """
    if not fits(volume.size, wish.capacity):
        limit = f" and at most {wish.capacity.limit}" if wish.capacity.limit else ""
        yield "size", f"{volume.size * GIB} bytes", f"at least {wish.capacity.required}{limit}"
    if wish.volume_type and volume.volume_type and not same(volume.volume_type, wish.volume_type):
        yield "type", volume.volume_type, wish.volume_type
    # Its zone is what Cinder made of the one that was asked for, and is told as it is: the pod goes there.
    source = made_of(volume)
    if source.snapshot_id != wish.source.snapshot_id:
        yield "source", f"snapshot {source.snapshot_id or 'none'}", wish.source.snapshot_id or "none"
    if source.volume_id != wish.source.volume_id:
        yield "source", f"volume {source.volume_id or 'none'}", wish.source.volume_id or "none"
