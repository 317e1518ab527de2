"""A work queue of keys: the one place that decides when an object is worked on.

What makes it more than a queue: a key added many times is worked on once; a key added while it is worked on
comes again afterwards and never to two workers at once; a key that fails comes back after a delay of its own,
doubling from ``first`` to ``most`` seconds until it succeeds. Time is the event loop's,
but for ``oldest``, which is for people.
"""

import asyncio
import random
import time
from collections.abc import Callable


class Queue:
    """Keys waiting for a worker."""

    def __init__(
        self, first: float = 0.5, most: float = 60.0, *, spread: Callable[[], float] = random.random
    ) -> None:
        self._first = first
        self._most = most
        self._spread = spread
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._dirty: dict[str, float] = {}  # since when
        self._processing: set[str] = set()
        self._failures: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return self._ready.qsize()

    @property
    def failing(self) -> int:
        """Return how many keys failed the last time they were worked on."""
        return len(self._failures)

    @property
    def oldest(self) -> float:
        """Return for how many seconds the key that waits longest has waited for a worker."""
        return time.monotonic() - min(self._dirty.values()) if self._dirty else 0.0

    @property
    def idle(self) -> bool:
        """Return whether nothing waits for a worker, nothing is worked on, and nothing is delayed."""
        return not (self._dirty or self._processing or self._timers)

    def delayed(self, key: str) -> bool:
        """Return whether ``key`` waits for its time."""
        return key in self._timers

    def add(self, key: str) -> None:
        """Have ``key`` worked on as soon as a worker is free."""
        self._cancel_timer(key)
        if key in self._dirty:
            return
        self._dirty[key] = time.monotonic()
        if key not in self._processing:
            self._ready.put_nowait(key)

    def add_after(self, key: str, seconds: float) -> None:
        """Have ``key`` worked on in ``seconds``, or earlier when something else asks for it earlier."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self.add, key)

    def retry(self, key: str, at_least: float = 0.0) -> float:
        """Have ``key`` worked on again after its growing delay, which is returned in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._most, self._first * 2.0 ** min(failures, 32))
        delay *= 1 + 0.2 * self._spread()  # so that many keys that failed together do not return together
        delay = max(delay, at_least)
        self.add_after(key, delay)
        return delay

    def forget(self, key: str) -> None:
        """Let the delay of ``key`` start small again, because it succeeded."""
        self._failures.pop(key, None)

    async def get(self) -> str:
        """Return the next key once there is one; ``done`` must follow."""
        key = await self._ready.get()
        self._dirty.pop(key, None)
        self._processing.add(key)
        return key

    def done(self, key: str) -> None:
        """Say that the work on ``key`` ended; if it was added meanwhile it comes again."""
        self._processing.discard(key)
        if key in self._dirty:
            self._ready.put_nowait(key)

    def close(self) -> None:
        """Forget all delayed keys."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _cancel_timer(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
