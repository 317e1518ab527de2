"""Changes of the kernel's state, several at a time, but those that concern one port one after another.

Removing a link takes the kernel tens of milliseconds, most of which it waits for all processors to let go of
it; many removed side by side share one such wait. Changes of one port must not meet: a pod that follows
another on its VLAN, an ADD that was given up and what undoes it. A change that was begun is finished whoever
gives up waiting for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_AT_A_TIME = 16


class Lanes:
    """Does work in threads; for one key in the order in which it was asked for. Used by one event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="kernel")
        self._last: dict[str, Future[Any]] = {}

    def submit(self, key: str, work: Callable[[], T]) -> "Future[T]":
        """Do ``work`` when all that was asked for with this key before is done; return its future."""
        done: Future[T] = Future()
        before = self._last.get(key)
        self._last[key] = done

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        loop = asyncio.get_running_loop()
        done.add_done_callback(lambda _: loop.call_soon_threadsafe(self._ended, key, done))
        if before is None:
            self._threads.submit(run)
        else:
            before.add_done_callback(lambda _: self._threads.submit(run))
        return done

    async def do(self, key: str, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, done as by ``submit``."""
        return await asyncio.shield(asyncio.wrap_future(self.submit(key, work)))

    async def close(self) -> None:
        """Return once everything that was asked for is done."""
        while self._last:
            waits = [asyncio.wrap_future(future) for future in self._last.values()]
            await asyncio.gather(*waits, return_exceptions=True)
            await asyncio.sleep(0)
        self._threads.shutdown()

    def _ended(self, key: str, done: "Future[T]") -> None:
        if self._last.get(key) is done:
            del self._last[key]
