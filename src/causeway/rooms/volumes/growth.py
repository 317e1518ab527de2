"""Why a volume is not enlarged, in words. Pure."""

from causeway.cloud.cinder_objects import Volume
from causeway.rooms.volumes.creation import tells_of_no_room
from causeway.rooms.volumes.model import Reason, Refused


def require_ready(volume: Volume) -> None:
    """Raise ``Refused`` when the status of a settled volume keeps Cinder from enlarging it.

    Not as a failed precondition: csi-resizer takes that for a volume in use, and waits for its pods to end.
    """
    if volume.status not in ("available", "in-use"):
        ready = "in-use" if volume.attachments else "available"
        remedy = (
            "It can be enlarged when its status is available or in-use; the cloud's administrator can reset "
            f"it: openstack volume set --state {ready} {volume.id}."
        )
        raise Refused(Reason.FAILED, f"volume {volume.id}", f"its status is {volume.status}", remedy)


def not_taken(volume: Volume, told: str) -> Refused:
    """Return the refusal for an order to enlarge a volume that Cinder does not take."""
    remedy = "If its backend cannot enlarge a volume in use, stop the pod and try again."
    if not volume.attachments:
        remedy = "It is tried again by itself; look at the volume's status if it lasts."
    return Refused(Reason.PRECONDITION, f"volume {volume.id}", told.rstrip("."), remedy)


def failure(volume: Volume, told: str) -> Refused:
    """Return the refusal for a volume Cinder could not enlarge; ``told`` are its words, "" for none."""
    place, cause = f"volume {volume.id}", told.rstrip(".") or "Cinder gives no reason"
    if volume.status != "error_extending" and tells_of_no_room(told):
        remedy = "Ask the cloud's administrator for room."
        return Refused(Reason.EXHAUSTED, place, cause, remedy)
    return Refused(Reason.FAILED, place, cause, "Have the cloud's administrator look at it.")
