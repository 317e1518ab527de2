"""What an object that was found is, to whoever wished for it by name. Pure: decides, does nothing.

The cloud's names prove nothing and may be taken twice. What is marked as this cluster's and has the name is
the one that was asked for, whichever call made it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from causeway.engine.storage.model import Reason, Refused

COMING = frozenset({"creating", "downloading", "creating_from_snapshot", "restoring-backup"})
"""Statuses that end by themselves before the object can be used."""


class Stored(Protocol):
    """An object of the cloud's storage: a volume, a share, a snapshot. ``size`` is in GiB."""

    @property
    def id(self) -> str:
        """The id."""
        ...

    @property
    def name(self) -> str | None:
        """The name, which others may have as well."""
        ...

    @property
    def status(self) -> str:
        """The status, in the service's word."""
        ...

    @property
    def size(self) -> int:
        """The size in GiB."""
        ...

    @property
    def created_at(self) -> str:
        """When it was made, in a form that sorts."""
        ...


Thing = TypeVar("Thing", bound=Stored)


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
    """It failed before anybody had it: take it away, and make it again.

    ``refusal``: it is of no use and would be none again; this is to be told instead when it is gone.
    """

    it: Thing
    refusal: Refused | None = None


Step: TypeAlias = Done[Thing] | Wait[Thing] | Discard[Thing]
"""What an object that was found is, to whoever wished for it."""


def chosen(ours: Iterable[Thing]) -> Thing | None:
    """Return the one that is meant of this cluster's objects of a name, None when there is none.

    There may be several when an answer was lost for longer than anybody waits. It is always the same one
    then: one that is used, else the oldest.
    """
    return min(ours, key=_rank, default=None)


def surplus(ours: Iterable[Thing]) -> list[str]:
    """Return the ids of this cluster's objects of a name beside the chosen one."""
    return [each.id for each in sorted(ours, key=_rank)[1:]]


def by_status(it: Thing, place: str) -> Step[Thing]:
    """Return what an object is by its status alone; raises ``Refused`` when it cannot even be deleted."""
    if it.status == "error":
        return Discard(it)
    if it.status == "error_deleting":
        cause = "the cloud could not delete it, and its name is asked for again"
        raise Refused(Reason.FAILED, place, cause, "Have the cloud's administrator reset and delete it.")
    return Wait(it) if it.status in COMING or it.status == "deleting" else Done(it)


def _rank(it: Stored) -> tuple[bool, bool, str, str]:
    return it.status != "in-use", it.status in ("error", "deleting", "error_deleting"), it.created_at, it.id
