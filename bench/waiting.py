"""Waiting for a condition that is looked at again and again, with an end."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def seconds_until(
    look: Callable[[], Awaitable[bool]], within: float, *, every: float = 0.1, since: float | None = None
) -> float | None:
    """Return how many seconds after ``since`` (now) ``look`` was true, or None when it was not in time."""
    started = time.monotonic() if since is None else since
    while True:
        if await look():
            return round(time.monotonic() - started, 3)
        if time.monotonic() - started > within:
            return None
        await asyncio.sleep(every)
