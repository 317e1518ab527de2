"""Finding the share that Kubernetes means: by its id, by its name, or by a handle that people chose."""

from causeway.cloud import errors
from causeway.cloud.manila import Manila
from causeway.cloud.manila_objects import Share
from causeway.engine.storage.model import Reason, Refused
from causeway.rooms.shares.model import handle_key


async def find(manila: Manila, handle: str) -> Share:
    """Return the share of an id, of a handle it was opened by before, or of a name.

    Raises ``NotFound``, ``Refused`` when several have the name.
    """
    try:
        return await manila.get_share(handle)
    except errors.NotFound:
        key, listed = handle_key(handle), await manila.list_shares()
        found = [each for each in listed if each.metadata.get(key) == handle]
        found = found or [each for each in listed if each.name == handle]
        if not found:
            raise
    if len(found) > 1:
        cause = f"{len(found)} shares have this name: {', '.join(each.id for each in found)}"
        remedy = "Say shareID instead of shareName in the PersistentVolume."
        raise Refused(Reason.PRECONDITION, f"share {handle}", cause, remedy)
    return found[0]


async def remember(manila: Manila, share: Share, handle: str) -> None:
    """Write on a share by which handle Kubernetes knows it: most calls of the interface give nothing else."""
    key = handle_key(handle)
    if handle != share.id and share.metadata.get(key) != handle:
        await manila.mark_share(share.id, {key: handle})
