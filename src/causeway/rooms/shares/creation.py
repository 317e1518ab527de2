"""What is to be done for a share or a snapshot that is asked for by name. Pure: decides, does nothing."""

from collections.abc import Iterable

from causeway.cloud.identifiers import is_id
from causeway.cloud.manila_objects import Share, ShareRequest, ShareSnapshot, ShareSnapshotRequest
from causeway.engine.storage.capacity import fits, gigabytes
from causeway.engine.storage.model import GIB, Reason, Refused
from causeway.engine.storage.steps import Discard, Step, by_status
from causeway.rooms.shares.model import SnapshotWish, Wish, description, marks


def judge(wish: Wish, share: Share) -> Step[Share]:
    """Return what the share of a wish's name is; raises ``Refused`` when it is not what is wished."""
    place = f"share {share.id} ({wish.name})"
    step = by_status(share, place)
    if isinstance(step, Discard) or share.status == "deleting":
        return step
    for what, has, wanted in _differences(wish, share):
        raise Refused(
            Reason.EXISTS,
            place,
            f"its {what} is {has}, and {wanted} is asked for by the same name",
            "Ask for it by another name, or delete it first.",
        )
    return step


def judge_snapshot(wish: SnapshotWish, snapshot: ShareSnapshot) -> Step[ShareSnapshot]:
    """Return what the snapshot of a wish's name is; raises ``Refused`` when it is of another share."""
    place = f"snapshot {snapshot.id} ({wish.name})"
    if snapshot.share_id != wish.share_id:
        cause = (
            f"it is of share {snapshot.share_id}, and one of {wish.share_id} is asked for by the same name"
        )
        raise Refused(Reason.EXISTS, place, cause, "Ask for it by another name.")
    return by_status(snapshot, place)


def request_for(wish: Wish, cluster: str, source: ShareSnapshot | None) -> ShareRequest:
    """Return the request that makes the share, with the marks of its owner in it; raises ``Refused``."""
    return ShareRequest(
        name=wish.name,
        size=gigabytes(wish.capacity, f"share {wish.name}", at_least=source.size if source else 1),
        share_proto=wish.protocol,
        metadata={**wish.metadata, **marks(cluster, wish.name)},
        share_type=wish.share_type,
        share_network_id=wish.network,
        availability_zone=wish.zone,
        share_group_id=wish.group,
        snapshot_id=wish.snapshot_id,
    )


def snapshot_request_for(wish: SnapshotWish, cluster: str, share: Share) -> ShareSnapshotRequest:
    """Return the request that takes the snapshot; raises ``Refused`` when nothing could be made of it."""
    if not (share.snapshot_support and share.create_share_from_snapshot_support):
        raise Refused(
            Reason.PRECONDITION,
            f"share {share.id}",
            f"its type {share.share_type_name or ''} does not let shares be made of snapshots",
            "Use a share type with snapshot_support and create_share_from_snapshot_support.",
        )
    return ShareSnapshotRequest(wish.share_id, wish.name, description(cluster, wish.name))


def _differences(wish: Wish, share: Share) -> Iterable[tuple[str, str, str]]:
    """Yield what of the share differs from the wish: what, what it is, what is wished."""
    if not fits(share.size, wish.capacity):
        limit = f" and at most {wish.capacity.limit}" if wish.capacity.limit else ""
        yield "size", f"{share.size * GIB} bytes", f"at least {wish.capacity.required}{limit}"
    if share.protocol != wish.protocol:
        yield "protocol", share.protocol, wish.protocol
    for what, wanted, known in (
        ("type", wish.share_type, (share.share_type, share.share_type_name)),
        ("share network", wish.network, (share.share_network_id,)),
        # Manila takes a zone's ID as well, and shows its name alone.
        ("zone", "" if is_id(wish.zone) else wish.zone, (share.availability_zone,)),
        ("group", wish.group, (share.share_group_id,)),
    ):
        has = [each for each in known if each]
        if wanted and has and _found_by(wanted) not in map(_found_by, has):
            yield what, " or ".join(has), wanted
    if (share.snapshot_id or "") != wish.snapshot_id:
        yield "source", f"snapshot {share.snapshot_id or 'none'}", wish.snapshot_id or "none"


def _found_by(word: str) -> str:
    """Return a name or an id as Manila's database compares it.

    By the usual orders of MySQL neither capitals nor blanks at the end matter: a share whose type is asked
    for in other capitals is made, and shown with the name of its type.
    """
    return word.strip().casefold()
