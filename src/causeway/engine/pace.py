"""How many calls a service is given at a time: one more after each round that went well, half when it is
overloaded. What matters more goes first.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from causeway.cloud import errors

OVERLOADED = (errors.RateLimited, errors.ServerError, errors.Timeout)
"""After these a service is given fewer calls."""


class Pace:
    """At first ``first`` calls at a time, never more than ``most`` nor fewer than one."""

    def __init__(self, first: float = 4.0, most: float = 16.0) -> None:
        self._limit = first
        self._most = most
        self._under_way = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._eased_at = -1.0  # calls begun before this moment say nothing new
        self._resume_at = 0.0

    @property
    def limit(self) -> int:
        """Return how many calls are allowed at a time now."""
        return max(1, int(self._limit))

    @asynccontextmanager
    async def turn(self, priority: int = 0) -> AsyncIterator[None]:
        """Hold one of the calls allowed; the lowest ``priority`` that waits is next."""
        await self._begin(priority)
        began = self._now()
        try:
            yield
        except OVERLOADED as error:
            self._ease(began, getattr(error, "retry_after", 0.0))
            raise
        else:
            self._limit = min(self._most, self._limit + 1 / self._limit)
        finally:
            self._under_way -= 1
            self._admit()

    async def _begin(self, priority: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had been admitted
                self._under_way -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        wait = self._resume_at - self._now()
        if wait > 0:
            if self._waiting:
                asyncio.get_running_loop().call_later(wait, self._admit)
            return
        while self._waiting and self._under_way < self.limit:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._under_way += 1
                turn.set_result(None)

    def _ease(self, began: float, pause: float) -> None:
        self._resume_at = max(self._resume_at, self._now() + pause)
        if began >= self._eased_at:  # many calls fail by one overload: it counts once
            self._limit = max(1.0, self._limit / 2)
            self._eased_at = self._now()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
