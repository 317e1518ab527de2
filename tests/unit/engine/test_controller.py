"""The controller: begins when all is known, repeats what fails, goes on whatever happens."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import structlog
from tests.figures import figure

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
    before = {
        name: figure(name)
        for name in (
            'causeway_reconciled_total{room="test"}',
            'causeway_reconcile_errors_total{error="Problem",room="test"}',
            'causeway_reconcile_seconds_count{room="test"}',
        )
    }
    in_virtual_time(run(notes, 60, "a"))
    times = [when for _, when in notes.seen]
    assert len(times) == 4
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses == sorted(pauses)
    assert len(notes.told) == 3
    after = {name: figure(name) for name in before}
    assert {name: after[name] - before[name] for name in before} == {
        'causeway_reconciled_total{room="test"}': 1,
        'causeway_reconcile_errors_total{error="Problem",room="test"}': 3,
        'causeway_reconcile_seconds_count{room="test"}': 4,
    }


def test_a_service_that_asks_for_a_pause_is_given_it(in_virtual_time: Run) -> None:
    error = ValueError("slow down")
    error.retry_after = 30.0  # type: ignore[attr-defined]  # as the errors of both doors have it
    notes = Notes(failures=1, error=error)
    in_virtual_time(run(notes, 60, "a"))
    assert notes.seen[1][1] >= 30


def test_what_a_reconciliation_logs_names_its_object(in_virtual_time: Run) -> None:
    async def main() -> None:
        controller = Controller("pods", Notes(failures=1), kind="Pod", subject=lambda key: f"shop/{key}")
        controller.queue.add("a")
        task = asyncio.create_task(controller.run())
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        in_virtual_time(main())
    (failed,) = [entry for entry in logs if entry["event"] == "reconciliation failed"]
    assert (failed["room"], failed["kind"], failed["key"]) == ("pods", "Pod", "shop/a")
    assert failed["error"] == "Problem"


def test_a_result_can_ask_to_come_again(in_virtual_time: Run) -> None:
    notes = Notes(result=Result(requeue_after=10))
    in_virtual_time(run(notes, 35, "a"))
    assert [when for _, when in notes.seen] == [0, 10, 20, 30]


def test_keys_that_are_due_together_begin_in_different_rounds_of_the_loop(in_virtual_time: Run) -> None:
    class Rounds(Notes):
        """Notes in which round of the event loop each key began."""

        def __init__(self) -> None:
            super().__init__()
            self.now = 0
            self.began: list[int] = []

        async def reconcile(self, key: str) -> Result:
            self.began.append(self.now)
            return await super().reconcile(key)

        async def count(self) -> None:
            while len(self.began) < 20:
                self.now += 1
                await asyncio.sleep(0)

    async def main() -> None:
        rounds = Rounds()
        controller = Controller("test", rounds, workers=20)
        for number in range(20):
            controller.queue.add(str(number))
        task = asyncio.create_task(controller.run())
        await rounds.count()
        assert len(set(rounds.began)) == 20
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    in_virtual_time(main())


class Untidy(Notes):
    """Fails while it tidies up after having been cancelled."""

    async def reconcile(self, key: str) -> Result:
        try:
            await asyncio.sleep(1e6)
        finally:
            raise Problem.of("port of n/a", "it is in use", "Wait.")


def test_an_error_while_it_is_stopped_does_not_keep_it_going(in_virtual_time: Run) -> None:
    async def main() -> None:
        notes = Untidy()
        controller = Controller("test", notes, workers=2)
        controller.queue.add("a")
        task = asyncio.create_task(controller.run())
        await asyncio.sleep(1)
        task.cancel()
        async with asyncio.timeout(1):
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert notes.told == []

    in_virtual_time(main())
