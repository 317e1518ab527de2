"""Why a request for storage is refused, and what every kind of storage is asked for with."""

from enum import Enum

import msgspec

from causeway.kit.errors import Finding, Problem

GIB = 1 << 30


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
