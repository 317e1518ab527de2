"""What is asked of volumes, and why something is refused: the words this room speaks."""

import msgspec

from causeway.cloud.ownership import DRIVER_CLUSTER, VOLUME, Owner
from causeway.engine.storage.model import GIB, Capability, Capacity, Mode, Reason, Refused

__all__ = [
    "CLUSTER_KEY",
    "GIB",
    "Capability",
    "Capacity",
    "Mode",
    "Reason",
    "Refused",
    "SnapshotWish",
    "Source",
    "Wish",
    "is_ours",
    "marks",
]

CLUSTER_KEY = DRIVER_CLUSTER


class Source(msgspec.Struct, frozen=True):
    """What a new volume begins as: a copy of a snapshot, or of another volume."""

    snapshot_id: str = ""
    volume_id: str = ""


class Wish(msgspec.Struct, frozen=True):
    """A volume that is asked for.

    ``zones`` are those it may be in, the preferred first (none: anywhere); ``zone`` was asked for by name and
    goes before them, as it is the cloud's word and not the scheduler's.
    """

    name: str
    capacity: Capacity
    capabilities: tuple[Capability, ...]
    volume_type: str = ""
    zone: str = ""
    zones: tuple[str, ...] = ()
    source: Source = Source()
    metadata: dict[str, str] = {}


class SnapshotWish(msgspec.Struct, frozen=True):
    """A snapshot that is asked for; ``force`` takes it also of a volume in use."""

    name: str
    volume_id: str
    force: bool = False
    metadata: dict[str, str] = {}


def marks(cluster: str, name: str) -> dict[str, str]:
    """Return the metadata that says whose an object is, given in the call that makes it."""
    return {CLUSTER_KEY: cluster, **Owner(cluster, VOLUME, name).metadata()}


def is_ours(metadata: dict[str, str], cluster: str) -> bool:
    """Return whether an object belongs to ``cluster``, made by us or by cloud-provider-openstack's driver."""
    return metadata.get(CLUSTER_KEY) == cluster
