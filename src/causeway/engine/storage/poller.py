"""Waiting for objects of the cloud to become something: one poll for all that wait, however many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import structlog

from causeway.cloud.errors import CloudError, NotFound

log = structlog.get_logger()

FIRST, LAST, SHARE = 0.25, 5.0, 0.15
"""Seconds between two looks, at least and at most, and as a share of how long the youngest has waited."""


class Identified(Protocol):
    """Whatever has an id."""

    @property
    def id(self) -> str:
        """The id."""
        ...


Thing = TypeVar("Thing", bound=Identified)


class NotYet(Exception):
    """What was waited for did not come in time; ``trouble`` is the last failure to look, if there was one."""

    def __init__(self, trouble: CloudError | None) -> None:
        super().__init__(str(trouble) if trouble else "not yet")
        self.trouble = trouble


@dataclass(eq=False)
class _Waiter(Generic[Thing]):
    id: str
    condition: Callable[[Thing | None], bool]
    since: float
    answer: "asyncio.Future[Thing | None]" = field(repr=False)


def pause(ages: Sequence[float]) -> float:
    """Return the seconds until the next look, from how long each of the waiting has waited."""
    return min(max(FIRST, SHARE * min(ages)), LAST)


class Poller(Generic[Thing]):
    """Looks at all objects somebody waits for; ``get`` one alone, ``list_all`` when there are several."""

    def __init__(
        self, get: Callable[[str], Awaitable[Thing]], list_all: Callable[[], Awaitable[list[Thing]]]
    ) -> None:
        self._get = get
        self._list_all = list_all
        self._waiting: set[_Waiter[Thing]] = set()
        self._task: asyncio.Task[None] | None = None
        self._trouble: CloudError | None = None

    async def until(
        self, identifier: str, condition: Callable[[Thing | None], bool], within: float
    ) -> Thing | None:
        """Return the object (None: it is gone) as soon as it fulfils ``condition``.

        Raises ``NotYet`` after ``within`` seconds. What keeps the poller from looking does not end the wait.
        """
        loop = asyncio.get_running_loop()
        waiter = _Waiter(identifier, condition, loop.time(), loop.create_future())
        self._waiting.add(waiter)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(within):
                return await waiter.answer
        except TimeoutError:
            raise NotYet(self._trouble) from None
        finally:
            self._waiting.discard(waiter)

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(pause([loop.time() - each.since for each in self._waiting]))
                wanted = list(self._waiting)
                try:
                    seen = await self._look({each.id for each in wanted})
                except CloudError as error:
                    self._trouble = error
                    log.info("cannot look", cause=str(error))
                    continue
                self._trouble = None
                for waiter in wanted:
                    if not waiter.answer.done() and waiter.condition(seen[waiter.id]):
                        waiter.answer.set_result(seen[waiter.id])
                        self._waiting.discard(waiter)
        finally:
            self._task = None

    async def _look(self, wanted: set[str]) -> dict[str, Thing | None]:
        listed = {each.id: each for each in await self._list_all()} if len(wanted) > 1 else {}
        # What the list lacks may be another project's, which only asking for it by itself tells.
        return {each: listed.get(each) or await self._alone(each) for each in wanted}

    async def _alone(self, identifier: str) -> Thing | None:
        try:
            return await self._get(identifier)
        except NotFound:
            return None
