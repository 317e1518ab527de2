"""Calls that are repeated while they are still under way: one does the work, all get its answer.

Whoever asked may hang up at any moment. What was begun goes on all the same: an order that has left for the
cloud must be seen through before the same thing may be ordered again.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from causeway.engine.storage.model import Reason, Refused

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Flight:
    request: object
    task: "asyncio.Task[Any]"


class Flights:
    """At most one piece of work at a time for each key."""

    def __init__(self) -> None:
        self._flying: dict[str, _Flight] = {}

    async def run(self, key: str, request: object, work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Return what ``work`` returns, or what the same ``request`` that is under way returns.

        Raises ``Refused`` (pending) while another request for the same key is under way.
        """
        flight = self._flying.get(key)
        if flight is None:
            flight = _Flight(request, asyncio.create_task(work()))
            self._flying[key] = flight
            flight.task.add_done_callback(lambda task: self._landed(key, task))
        elif flight.request != request:
            raise Refused(
                Reason.PENDING, key, "something else is being done with it", "It is tried again by itself."
            )
        answer: Answer = await asyncio.shield(flight.task)
        return answer

    async def close(self) -> None:
        """Break off what is under way: whoever asks again goes on with it."""
        tasks = [each.task for each in self._flying.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: str, task: "asyncio.Task[Any]") -> None:
        del self._flying[key]
        if not task.cancelled():
            task.exception()  # everybody who asked may be gone: then nobody takes it
