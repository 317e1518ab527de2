"""What volumes, shares and snapshots have in common: asked for by a name, had once, deleted, and waited for.

Each piece of work looks, decides, acts, waits and looks again, until there is nothing left to do. So it does
not matter whether it is the first that is asked to do it, or goes on with what another was killed at.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import structlog

from causeway.cloud import errors
from causeway.engine.storage.flights import Answer, Flights
from causeway.engine.storage.model import Reason, Refused
from causeway.engine.storage.naming import Named
from causeway.engine.storage.poller import NotYet, Poller
from causeway.engine.storage.steps import COMING, Discard, Done, Step, Stored, Thing, Wait, chosen, surplus

log = structlog.get_logger()

_REFUSED = (errors.BadRequest, errors.Forbidden, errors.NotFound, errors.Quota, Refused)
"""After these whoever asked may give up, and never ask again for what an order before has made."""

PATIENCE = 240.0
"""Seconds a piece of work goes on waiting; whoever asked may have hung up long before."""


class ByName(Protocol):
    """A wish, for something of a name."""

    @property
    def name(self) -> str:
        """The name that is asked for."""
        ...


Wished = TypeVar("Wished", bound=ByName)


@dataclass(frozen=True)
class Calls(Generic[Thing]):
    """The service's calls for objects of one kind; ``told`` is what it tells about one, the newest first."""

    get: Callable[[str], Awaitable[Thing]]
    list_all: Callable[[], Awaitable[list[Thing]]]
    named: Callable[[str], Awaitable[list[Thing]]]
    delete: Callable[[str], Awaitable[None]]
    told: Callable[[str], Awaitable[list[str]]]


class Orders(ABC, Generic[Thing, Wished]):
    """What is asked for of one cluster's objects of a ``kind``, in the project of the cloud's credentials."""

    kind: ClassVar[str]
    deletable_when: ClassVar[str]
    """What to do when the service refuses to delete one."""
    waits: ClassVar[bool] = True
    """Whether one that is made is waited for; else it is returned on its way."""

    def __init__(self, cluster: str, calls: Calls[Thing], patience: float) -> None:
        self._cluster = cluster
        self._calls: Calls[Thing] = calls
        self._patience = patience
        self._poller: Poller[Thing] = Poller(calls.get, calls.list_all)
        self._named: Named[Thing] = Named(calls.named, calls.list_all)
        self._known: Named[Thing] = Named(self._alone, calls.list_all, lambda it: it.id, complete=False)
        self._flights = Flights()

    async def close(self) -> None:
        """Break off what is under way."""
        await self._flights.close()
        await self._named.close()
        await self._known.close()
        await self._poller.close()

    async def create(self, wish: Wished) -> Thing:
        """Return the object of the wish's name, made if there is none; raises ``Refused``, ``CloudError``."""
        return await self._run(wish.name, wish, lambda: self._create(wish))

    async def find(self, identifier: str) -> Thing | None:
        """Return the object of an id, None when there is none; raises ``CloudError``."""
        return await self._found(identifier)

    async def delete(self, identifier: str) -> None:
        """Delete an object and wait until it is gone; raises ``Refused``, ``CloudError``."""
        await self._run(identifier, "delete", lambda: self._delete(identifier))

    @abstractmethod
    def _is_ours(self, it: Thing) -> bool:
        """Return whether what has the name of a wish is marked as this cluster's."""

    @abstractmethod
    def _judge(self, wish: Wished, it: Thing) -> Step[Thing]:
        """Return what that is which has the name of the wish; raises ``Refused``."""

    @abstractmethod
    async def _order(self, wish: Wished) -> Thing:
        """Begin to make what is wished; raises ``Refused``, ``CloudError``."""

    @abstractmethod
    def _failure(self, place: str, told: str) -> Refused:
        """Return the refusal for what the service could not make; ``told`` are its words, "" for none."""

    def _require_deletable(self, it: Thing) -> None:
        """Raise ``Refused`` when it must not be deleted as it is."""

    async def _run(
        self, name: str, request: object, work: Callable[[], Coroutine[Any, Any, Answer]]
    ) -> Answer:
        return await self._flights.run(f"{self.kind} {name}", request, work)

    async def _create(self, wish: Wished) -> Thing:
        watched: set[str] = set()
        until = self._until()
        while True:
            ours = await self._ours(wish)
            if left := surplus(ours):
                log.warning("several have one name", kind=self.kind, name=wish.name, beside=left)
            it = chosen(ours)
            match self._judge(wish, it) if it else None:
                case None:
                    try:
                        it = await self._order(wish)
                    except _REFUSED:
                        if not await self._ours(wish):
                            raise
                        continue  # an order whose answer was lost took effect after the look
                    log.info("made", kind=self.kind, name=wish.name, id=it.id, size=it.size)
                    watched.add(it.id)
                    await self._wait(it.id, _has_come if self.waits else _is_there, until)
                case Done(it):
                    return it
                case Wait(it):
                    watched.add(it.id)
                    await self._wait(it.id, _has_come if it.status != "deleting" else _is_gone, until)
                case Discard(it, None):
                    await self._discard(it, f"{self.kind} {wish.name}", until, tell=it.id in watched)
                case Discard(it, Refused() as refused):
                    if await self._take_away(it, until, refused.findings[0].cause):
                        raise refused

    async def _ours(self, wish: Wished) -> list[Thing]:
        return [each for each in await self._named.of(wish.name) if self._is_ours(each)]

    async def _discard(self, it: Thing, place: str, until: float, *, tell: bool) -> None:
        """Take away what failed; raises ``Refused`` with the service's reason when it failed just now."""
        told = await self._calls.told(it.id) if tell else []
        cause = told[0].rstrip(".") if told else ""
        await self._take_away(it, until, cause)
        if tell:
            raise self._failure(place, cause)

    async def _take_away(self, it: Thing, until: float, cause: str) -> bool:
        """Delete an object nobody has, and return whether it is gone: else it could not be deleted."""
        await self._ask_to_delete(it.id)
        last = await self._wait(it.id, _is_gone, until)
        log.warning("what failed was removed", kind=self.kind, id=it.id, cause=cause)
        return last is None

    async def _delete(self, identifier: str) -> None:
        place = f"{self.kind} {identifier}"
        it = await self._found(identifier)
        if it is None:
            return
        self._require_deletable(it)
        if it.status != "deleting":
            await self._ask_to_delete(identifier)
        last = await self._wait(identifier, lambda it: it is None or it.status != "deleting", self._until())
        if last is not None:
            told = next(iter(await self._calls.told(identifier)), f"its status is {last.status}")
            raise Refused(Reason.FAILED, place, told, "Have the cloud's administrator reset and delete it.")

    async def _ask_to_delete(self, identifier: str) -> None:
        """Begin to delete an object; that the HTTP client repeats what was not answered is no error."""
        try:
            await self._calls.delete(identifier)
        except errors.BadRequest as error:
            it = await self._found(identifier)
            if it is not None and it.status != "deleting":
                place = f"{self.kind} {identifier}"
                raise Refused(Reason.PRECONDITION, place, error.cause, self.deletable_when) from error

    async def _found(self, identifier: str) -> Thing | None:
        return next(iter(await self._known.of(identifier)), None)

    async def _there(self, identifier: str) -> Thing:
        """Return an object; raises ``NotFound``, or another ``CloudError``."""
        found = await self._found(identifier)
        return found if found is not None else await self._calls.get(identifier)

    async def _alone(self, identifier: str) -> list[Thing]:
        try:
            return [await self._calls.get(identifier)]
        except errors.NotFound:
            return []

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self._patience

    async def _wait(
        self, identifier: str, condition: Callable[[Thing | None], bool], until: float
    ) -> Thing | None:
        left = until - asyncio.get_running_loop().time()
        try:
            return await self._poller.until(identifier, condition, left)
        except NotYet as error:
            cause = f"it is not finished after {self._patience:g} s"
            if error.trouble:
                cause += f"; {error.trouble.service}: {error.trouble.cause}"
            remedy = f"It is gone on with by itself; look at the {self.kind}'s status if it lasts."
            raise Refused(Reason.DEADLINE, f"{self.kind} {identifier}", cause, remedy) from error


def _has_come(it: Stored | None) -> bool:
    return it is None or it.status not in COMING


def _is_there(_: Stored | None) -> bool:
    return True


def _is_gone(it: Stored | None) -> bool:
    return it is None or it.status == "error_deleting"
