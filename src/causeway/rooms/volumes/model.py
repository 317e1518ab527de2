"""What is asked of volumes, and why something is refused: the words this room speaks."""

from enum import Enum

import msgspec

from causeway.cloud.ownership import DRIVER_CLUSTER, VOLUME, Owner
from causeway.kit.errors import Finding, Problem

GIB = 1 << 30
CLUSTER_KEY = DRIVER_CLUSTER


class Reason(Enum):
    """Why a request is not done, in the terms of the Container Storage Interface."""

    INVALID = "invalid argument"
    NOT_FOUND = "not found"
    EXISTS = "already exists, but is something else"
    OUT_OF_RANGE = "out of range"
    EXHAUSTED = "resource exhausted"
    PRECONDITION = "failed precondition"
    PENDING = "another operation is pending"
    DEADLINE = "not finished in time"
    FAILED = "failed"


class Refused(Problem):
    """A request that is not done, or not yet; ``reason`` tells whoever asked whether to ask again."""

    def __init__(self, reason: Reason, place: str, cause: str, remedy: str) -> None:
        super().__init__(Finding(place, cause, remedy))
        self.reason = reason


class Mode(Enum):
    """Who may use a volume at the same time."""

    ONE_NODE = "one node"
    MANY_READERS = "several nodes, all of them reading"
    MANY_WRITERS = "several nodes, of which some write"


class Capability(msgspec.Struct, frozen=True):
    """A way a volume is going to be used: as a ``block`` device or a file system, by whom.

    ``reads_only``: nobody writes; ``alone``: one pod of its node has it, no second one.
    """

    mode: Mode
    block: bool = False
    filesystem: str = ""
    reads_only: bool = False
    alone: bool = False


class Capacity(msgspec.Struct, frozen=True):
    """The size that is asked for, in bytes: at least and at most (0: whatever)."""

    required: int = 0
    limit: int = 0


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
