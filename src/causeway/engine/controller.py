"""Running a reconciler: changes become keys, keys are worked on by a few workers, failures come again.

The queue is the only retry there is. A controller begins when every store it depends on is complete, so that
a reconciler never takes "not listed yet" for "deleted".
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from causeway.engine.reconciler import Reconciler
from causeway.kit import metrics, trace
from causeway.kit.errors import Problem
from causeway.kube.informers import Informer
from causeway.kube.objects import Cached
from causeway.kube.queue import Queue
from causeway.kube.store import Change

T = TypeVar("T", bound=Cached)

log = structlog.get_logger()


class Controller:
    """``workers`` workers on one queue of keys for one reconciler.

    ``kind`` is what the keys are about, by default what ``name`` says; ``subject`` turns a key into the name
    a person knows the object by, where that is another.
    """

    def __init__(
        self,
        name: str,
        reconciler: Reconciler,
        *,
        workers: int = 8,
        queue: Queue | None = None,
        kind: str = "",
        subject: Callable[[str], str] = str,
    ) -> None:
        self.name = name
        self._kind = kind or name
        self._subject = subject
        self.queue = Queue() if queue is None else queue  # an empty one is false
        self._reconciler = reconciler
        self._workers = workers
        self._synced: list[asyncio.Event] = []
        self._beginning = asyncio.Lock()
        metrics.QUEUE_LENGTH.labels(name).set_function(lambda: len(self.queue))
        metrics.QUEUE_OLDEST.labels(name).set_function(lambda: self.queue.oldest)
        metrics.QUEUE_FAILING.labels(name).set_function(lambda: self.queue.failing)

    def watch(self, informer: Informer[T], keys: Callable[[Change[T]], Iterable[str]]) -> None:
        """Work on ``keys(change)`` whenever an object of ``informer`` changes."""

        def enqueue(change: Change[T]) -> None:
            for key in keys(change):
                self.queue.add(key)

        informer.follow(enqueue)
        self._synced.append(informer.synced)

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
            # Many keys that become due together begin one in each round of the event loop, not all in one:
            # what a key computes takes milliseconds, and others than us wait for a round to end.
            async with self._beginning:
                await asyncio.sleep(0)
            started = time.monotonic()
            subject = self._subject(key)
            facts = {"room": self.name, "kind": self._kind, "key": subject}
            try:
                with trace.work(f"reconcile {self.name}", facts, of=f"{self._kind} {subject}") as span:
                    span.set({"causeway.failed": not await self._once(key)})
            finally:
                metrics.RECONCILE_SECONDS.labels(self.name).observe(time.monotonic() - started)
                self.queue.done(key)

    async def _once(self, key: str) -> bool:
        """Reconcile one key and see to its repetition; return whether it succeeded."""
        try:
            result = await self._reconciler.reconcile(key)
        except Exception as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # an error of tidying up took the cancellation's place
                raise asyncio.CancelledError from error
            metrics.RECONCILE_ERRORS.labels(self.name, type(error).__name__).inc()
            pause = getattr(error, "retry_after", None)  # a service that asks for a pause is given it
            delay = self.queue.retry(key, at_least=pause or 0.0)
            expected = isinstance(error, Problem) or hasattr(error, "remedy")
            log.warning(
                "reconciliation failed",
                error=type(error).__name__,
                cause=str(error),
                request_id=getattr(error, "request_id", None),  # of the cloud
                again_in=round(delay, 1),
                exc_info=not expected,
            )
            await self._reconciler.failed(key, error)
            return False
        metrics.RECONCILED.labels(self.name).inc()
        self.queue.forget(key)
        if result.requeue_after is not None:
            self.queue.add_after(key, result.requeue_after)
        return True
