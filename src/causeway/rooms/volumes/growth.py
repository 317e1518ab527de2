"""Why a volume is not enlarged, in words. Pure."""

from causeway.cloud.cinder_objects import Volume
from causeway.rooms.volumes.creation import tells_of_no_room
from causeway.rooms.volumes.model import Reason, Refused


def failure(volume: Volume, told: str) -> Refused:
    """Return the refusal for a volume Cinder could not enlarge; ``told`` are its words, "" for none."""
    place, cause = f"volume {volume.id}", told.rstrip(".") or "Cinder gives no reason"
    if volume.status != "error_extending" and tells_of_no_room(told):
        remedy = "Ask the cloud's administrator for room."
        return Refused(Reason.EXHAUSTED, place, cause, remedy)
    return Refused(Reason.FAILED, place, cause, "Have the cloud's administrator look at it.")
