"""The controller: begins when all is known, repeats what fails, goes on whatever happens."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.kit.errors import Problem
from causeway.kube.client import Listing, WatchEvent
from causeway.kube.objects import Meta, Pod, key_of
from causeway.kube.reflector import Reflector
from causeway.kube.store import Change, Store

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Slow:
    """A source whose list takes ten seconds and whose watch stays silent."""

    async def list(self) -> Listing[Pod]:
        await asyncio.sleep(10)
        return Listing([Pod(Meta(name=name, resource_version="1")) for name in "ab"], "1")

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[Pod]]:
        await asyncio.sleep(1e6)
        yield WatchEvent("BOOKMARK", None, "2")


class Notes:
    """Notes what happened when; fails as often as told."""

    def __init__(self, failures: int = 0, error: Exception | None = None, result: Result = DONE) -> None:
        self.failures = failures
        self.error = error or Problem.of("port of n/a", "the quota is used up", "Ask for more.")
        self.result = result
        self.seen: list[tuple[str, float]] = []
        self.told: list[str] = []

    async def reconcile(self, key: str) -> Result:
        self.seen.append((key, round(asyncio.get_running_loop().time(), 1)))
        if self.failures:
            self.failures -= 1
            raise self.error
        return self.result

    async def failed(self, key: str, error: Exception) -> None:
        self.told.append(f"{key}: {error}")


async def run(notes: Notes, seconds: float, *keys: str) -> Controller:
    controller = Controller("test", notes, workers=2)
    for key in keys:
        controller.queue.add(key)
    task = asyncio.create_task(controller.run())
    await asyncio.sleep(seconds)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return controller


def test_nothing_is_worked_on_before_the_stores_are_complete(in_virtual_time: Run) -> None:
    async def main() -> None:
        notes, store = Notes(), Store[Pod]()
        reflector = Reflector(Slow(), store)
        controller = Controller("test", notes)

        def keys(change: Change[Pod]) -> list[str]:
            return [key_of(pod) for pod in (change.new or change.old,) if pod]

        controller.watch(reflector, keys)
        controller.queue.add("early")
        tasks = [asyncio.create_task(reflector.run()), asyncio.create_task(controller.run())]
        await asyncio.sleep(9)
        assert notes.seen == []
        await asyncio.sleep(2)
        assert sorted(notes.seen) == [("a", 10.0), ("b", 10.0), ("early", 10.0)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    in_virtual_time(main())


def test_a_failure_is_told_and_repeated_after_growing_delays(in_virtual_time: Run) -> None:
    notes = Notes(failures=3)
    controller = in_virtual_time(run(notes, 60, "a"))
    times = [when for _, when in notes.seen]
    assert len(times) == 4
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses == sorted(pauses)
    assert len(notes.told) == 3
    assert (controller.figures.reconciled, controller.figures.failed) == (1, 3)


def test_a_service_that_asks_for_a_pause_is_given_it(in_virtual_time: Run) -> None:
    error = ValueError("slow down")
    error.retry_after = 30.0  # type: ignore[attr-defined]  # as the errors of both doors have it
    notes = Notes(failures=1, error=error)
    in_virtual_time(run(notes, 60, "a"))
    assert notes.seen[1][1] >= 30


def test_a_result_can_ask_to_come_again(in_virtual_time: Run) -> None:
    notes = Notes(result=Result(requeue_after=10))
    in_virtual_time(run(notes, 35, "a"))
    assert [when for _, when in notes.seen] == [0, 10, 20, 30]
