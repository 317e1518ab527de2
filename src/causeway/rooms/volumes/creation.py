"""What is to be done for a volume or a snapshot that is asked for by name. Pure: decides, does nothing.

Cinder's names prove nothing and may be taken twice. What carries the metadata of this cluster and the name is
the one that was asked for, whichever call made it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from causeway.cloud.cinder_objects import Snapshot, SnapshotRequest, Volume, VolumeRequest
from causeway.rooms.volumes.capacity import fits, gigabytes
from causeway.rooms.volumes.model import GIB, Reason, Refused, SnapshotWish, Wish, is_ours, marks

Thing = TypeVar("Thing", Volume, Snapshot)

COMING = frozenset({"creating", "downloading"})
"""Statuses that end by themselves before the object can be used."""


@dataclass(frozen=True)
class Done(Generic[Thing]):
    """It is there."""

    it: Thing


@dataclass(frozen=True)
class Wait(Generic[Thing]):
    """It is on its way, or leaving: look again when that has ended."""

    it: Thing


@dataclass(frozen=True)
class Discard(Generic[Thing]):
    """It failed before anybody had it: take it away, and make it again."""

    it: Thing


Step: TypeAlias = Done[Thing] | Wait[Thing] | Discard[Thing]
"""What an object that was found is, to whoever wished for it."""


@dataclass(frozen=True)
class Origin:
    """What a new volume is a copy of: its size in GiB, and the zone it is bound to ("": none)."""

    size: int
    zone: str = ""


def chosen(named: Iterable[Thing], cluster: str) -> Thing | None:
    """Return that one of the objects of a name which is this cluster's, None when there is none.

    There may be several when an answer was lost for longer than anybody waits. It is always the same one
    then: one that is used, else the oldest.
    """
    ours = [each for each in named if is_ours(each.metadata, cluster)]
    return min(ours, key=_rank, default=None)


def surplus(named: Iterable[Thing], cluster: str) -> list[str]:
    """Return the ids of this cluster's objects of a name beside the chosen one."""
    ours = sorted((each for each in named if is_ours(each.metadata, cluster)), key=_rank)
    return [each.id for each in ours[1:]]


def judge(wish: Wish, volume: Volume) -> Step[Volume]:
    """Return what the volume of a wish's name is; raises ``Refused`` when it is not what is wished."""
    place = f"volume {volume.id} ({wish.name})"
    step = _by_status(volume, place)
    if isinstance(step, Discard) or volume.status == "deleting":
        return step
    for what, has, wanted in _differences(wish, volume):
        raise Refused(
            Reason.EXISTS,
            place,
            f"its {what} is {has}, and {wanted} is asked for by the same name",
            "Ask for it by another name, or delete it first.",
        )
    return step


def judge_snapshot(wish: SnapshotWish, snapshot: Snapshot) -> Step[Snapshot]:
    """Return what the snapshot of a wish's name is; raises ``Refused`` when it is of another volume."""
    place = f"snapshot {snapshot.id} ({wish.name})"
    if snapshot.volume_id != wish.volume_id:
        cause = (
            f"it is of volume {snapshot.volume_id}, and one of {wish.volume_id} is asked for by the same name"
        )
        raise Refused(Reason.EXISTS, place, cause, "Ask for it by another name.")
    return _by_status(snapshot, place)


def request_for(wish: Wish, cluster: str, origin: Origin | None) -> VolumeRequest:
    """Return the request that makes the volume, with the marks of its owner in it; raises ``Refused``."""
    place = f"volume {wish.name}"
    zone = wish.zone or next(iter(wish.zones), "")
    if origin and origin.zone and not wish.zone:
        if wish.zones and origin.zone not in wish.zones:
            cause = f"its source is in zone {origin.zone}, and it is asked for in {', '.join(wish.zones)}"
            raise Refused(Reason.EXHAUSTED, place, cause, "Let the pod run in the zone of the source.")
        zone = origin.zone
    return VolumeRequest(
        name=wish.name,
        size=gigabytes(wish.capacity, place, at_least=origin.size if origin else 1),
        metadata={**wish.metadata, **marks(cluster, wish.name)},
        volume_type=wish.volume_type,
        availability_zone=zone,
        snapshot_id=wish.source.snapshot_id,
        source_volid=wish.source.volume_id,
    )


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


def _by_status(it: Thing, place: str) -> Step[Thing]:
    if it.status == "error":
        return Discard(it)
    if it.status == "error_deleting":
        cause = "Cinder could not delete it, and its name is asked for again"
        raise Refused(Reason.FAILED, place, cause, "Have the cloud's administrator reset and delete it.")
    return Wait(it) if it.status in COMING or it.status == "deleting" else Done(it)


def _rank(it: Thing) -> tuple[bool, bool, str, str]:
    return it.status != "in-use", it.status in ("error", "deleting", "error_deleting"), it.created_at, it.id


def _differences(wish: Wish, volume: Volume) -> Iterable[tuple[str, str, str]]:
    """Yield what of the volume differs from the wish: what, what it is, what is wished."""
    if not fits(volume.size, wish.capacity):
        limit = f" and at most {wish.capacity.limit}" if wish.capacity.limit else ""
        yield "size", f"{volume.size * GIB} bytes", f"at least {wish.capacity.required}{limit}"
    if wish.volume_type and volume.volume_type not in (None, wish.volume_type):
        yield "type", str(volume.volume_type), wish.volume_type
    allowed = (wish.zone,) if wish.zone else wish.zones
    if allowed and volume.availability_zone not in (None, *allowed):
        yield "zone", str(volume.availability_zone), " or ".join(allowed)
    if (volume.snapshot_id or "") != wish.source.snapshot_id:
        yield "source", f"snapshot {volume.snapshot_id or 'none'}", wish.source.snapshot_id or "none"
    if (volume.source_volid or "") != wish.source.volume_id:
        yield "source", f"volume {volume.source_volid or 'none'}", wish.source.volume_id or "none"
