"""Whether a volume may be at a server now, and what is to be done for it. Pure."""

from dataclasses import dataclass

from causeway.cloud.cinder_objects import Attachment, Volume
from causeway.rooms.volumes.model import Capability, Mode, Reason, Refused

PASSING = frozenset(
    {
        *("creating", "downloading", "reserved", "attaching", "detaching", "extending"),
        *("retyping", "uploading", "backing-up", "restoring-backup"),
    }
)
"""Statuses that end by themselves."""


@dataclass(frozen=True)
class Attached:
    """The volume is at the server; ``device`` is what Nova calls it."""

    device: str


@dataclass(frozen=True)
class Attach:
    """Have Nova attach it."""


@dataclass(frozen=True)
class Detach:
    """Have Nova detach it from the servers of ``attachments``."""

    attachments: tuple[Attachment, ...]


@dataclass(frozen=True)
class Pass:
    """Something is under way with the volume: look again when it has ended."""


@dataclass(frozen=True)
class Gone:
    """The volume is not at the server."""


def to_attach(volume: Volume, server: str, capability: Capability) -> Attached | Attach | Pass:
    """Return what is to be done to have the volume at ``server``; raises ``Refused`` when it must not be."""
    place = f"volume {volume.id}"
    here = next((each for each in volume.attachments if each.server_id == server), None)
    if here is not None:
        return Pass() if volume.status == "detaching" else Attached(here.device or "")
    if volume.status in PASSING:
        return Pass()
    if volume.attachments and not (volume.multiattach and capability.mode is not Mode.ONE_NODE):
        raise Refused(
            Reason.PRECONDITION,
            place,
            f"it is attached to {holders(volume)}, and two servers would break its data",
            "It comes when that server has let go of it: delete the pod there. If the node is lost for good, "
            "taint it with node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, or delete its server. "
            "A host lets go of it when whoever attached it there detaches it.",
        )
    if volume.status in ("available", "in-use"):
        return Attach()
    raise Refused(
        Reason.PRECONDITION,
        place,
        f"its status is {volume.status}",
        "It can be attached when its status is available; the cloud's administrator can reset it.",
    )


def holders(volume: Volume) -> str:
    """Return in words what has a volume: its servers by id, or a host, which Cinder does not name to us."""
    return ", ".join(each.server_id or "a host that is no server" for each in volume.attachments)


def to_detach(volume: Volume | None, server: str) -> Detach | Pass | Gone:
    """Return what is to be done to have the volume away from ``server`` ("": from every server)."""
    if volume is None:
        return Gone()
    # What a host has instead of a server was never asked of Nova by us, and is not ours to take away.
    here = tuple(each for each in volume.attachments if each.server_id and server in ("", each.server_id))
    if volume.status in ("reserved", "attaching") or (here and volume.status == "detaching"):
        return Pass()  # an attachment whose answer was lost may still come
    return Detach(here) if here else Gone()


def settled(volume: Volume | None) -> bool:
    """Return whether nothing more happens to a volume by itself."""
    return volume is None or volume.status not in PASSING
