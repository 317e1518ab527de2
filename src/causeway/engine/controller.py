"""Running a reconciler: changes become keys, keys are worked on by a few workers, failures come again.

The queue is the only retry there is. A controller begins when every store it depends on is complete, so that
a reconciler never takes "not listed yet" for "deleted".
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from causeway.engine.reconciler import Reconciler
from causeway.kit.errors import Problem
from causeway.kube.objects import Cached
from causeway.kube.queue import Queue
from causeway.kube.reflector import Reflector
from causeway.kube.store import Change

T = TypeVar("T", bound=Cached)

log = structlog.get_logger()


@dataclass
class Figures:
    """What a controller did so far; ``seconds`` is the time all reconciliations took together."""

    reconciled: int = 0
    failed: int = 0
    seconds: float = 0.0


class Controller:
    """``workers`` workers on one queue of keys for one reconciler."""

    def __init__(
        self, name: str, reconciler: Reconciler, *, workers: int = 8, queue: Queue | None = None
    ) -> None:
        self.name = name
        self.queue = queue or Queue()
        self.figures = Figures()
        self._reconciler = reconciler
        self._workers = workers
        self._synced: list[asyncio.Event] = []

    def watch(self, reflector: Reflector[T], keys: Callable[[Change[T]], Iterable[str]]) -> None:
        """Work on ``keys(change)`` whenever an object of ``reflector`` changes."""

        def enqueue(change: Change[T]) -> None:
            for key in keys(change):
                self.queue.add(key)

        reflector.handlers.append(enqueue)
        self._synced.append(reflector.synced)

    def after(self, event: asyncio.Event) -> None:
        """Do not begin before ``event`` is set."""
        self._synced.append(event)

    async def run(self) -> None:
        """Work until cancelled."""
        for event in self._synced:
            await event.wait()
        log.info("controller begins", controller=self.name, keys=len(self.queue))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
        finally:
            self.queue.close()

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            started = time.monotonic()
            try:
                await self._once(key)
            finally:
                self.figures.seconds += time.monotonic() - started
                self.queue.done(key)

    async def _once(self, key: str) -> None:
        try:
            result = await self._reconciler.reconcile(key)
        except Exception as error:
            self.figures.failed += 1
            pause = getattr(error, "retry_after", None)  # a service that asks for a pause is given it
            delay = self.queue.retry(key, at_least=pause or 0.0)
            expected = isinstance(error, Problem) or hasattr(error, "remedy")
            log.warning(
                "reconciliation failed",
                controller=self.name,
                key=key,
                kind=type(error).__name__,
                cause=str(error),
                again_in=round(delay, 1),
                exc_info=not expected,
            )
            await self._reconciler.failed(key, error)
            return
        self.figures.reconciled += 1
        self.queue.forget(key)
        if result.requeue_after is not None:
            self.queue.add_after(key, result.requeue_after)
