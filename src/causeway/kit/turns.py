"""Long work on the event loop a few milliseconds at a time, so that everything else goes on between."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

SLICE = 0.005  # seconds of work without a pause


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield ``items``, with a round of the event loop between them whenever ``SLICE`` is used up.

    Whoever goes through the items has to bear that the world changes at any of them.
    """
    until = time.perf_counter() + SLICE
    for item in items:
        yield item
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + SLICE
