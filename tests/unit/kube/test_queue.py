"""The rules of the work queue, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from causeway.kube.queue import Queue

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_a_key_added_often_is_worked_on_once(in_virtual_time: Run) -> None:
    async def main() -> None:
        queue = Queue()
        for _ in range(5):
            queue.add("a")
        assert await queue.get() == "a"
        assert len(queue) == 0
        queue.done("a")
        assert queue.idle

    in_virtual_time(main())


def test_what_waits_and_what_fails_is_counted(in_virtual_time: Run) -> None:
    async def main() -> None:
        queue = Queue()
        assert (queue.oldest, queue.failing) == (0.0, 0)
        queue.add("a")
        assert queue.oldest > 0
        await queue.get()
        assert queue.oldest == 0.0
        queue.retry("a")
        assert queue.failing == 1
        queue.forget("a")
        assert queue.failing == 0

    in_virtual_time(main())


def test_a_key_added_while_worked_on_comes_again_afterwards_only(in_virtual_time: Run) -> None:
    async def main() -> None:
        queue = Queue()
        queue.add("a")
        await queue.get()
        queue.add("a")
        assert len(queue) == 0
        queue.done("a")
        assert await queue.get() == "a"

    in_virtual_time(main())


def test_the_delay_of_a_failing_key_doubles_up_to_the_most_and_starts_small_again(
    in_virtual_time: Run,
) -> None:
    async def main() -> None:
        queue = Queue(first=1, most=5, spread=lambda: 0.0)
        assert [queue.retry("a") for _ in range(5)] == [1, 2, 4, 5, 5]
        assert queue.retry("b") == 1
        queue.forget("a")
        assert queue.retry("a") == 1

    in_virtual_time(main())


def test_a_delayed_key_comes_in_time_and_at_once_when_something_happens(in_virtual_time: Run) -> None:
    async def main() -> None:
        now = asyncio.get_running_loop().time
        queue = Queue()
        queue.add_after("a", 30)
        queue.add_after("a", 60)  # the earlier one counts
        assert await queue.get() == "a"
        assert now() == 30
        queue.done("a")
        queue.add_after("a", 100)
        queue.add("a")
        assert await queue.get() == "a"
        assert now() == 30
        queue.done("a")
        assert queue.idle  # the delayed one was superseded

    in_virtual_time(main())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 3)), max_size=30),
    st.integers(1, 4),
)
def test_never_two_workers_on_one_key_and_nothing_is_lost(
    in_virtual_time: Run, adds: list[tuple[str, float]], workers: int
) -> None:
    async def main() -> None:
        queue, busy = Queue(), set[str]()
        last_start: dict[str, float] = {}
        now = asyncio.get_running_loop().time

        async def work() -> None:
            while True:
                key = await queue.get()
                assert key not in busy
                busy.add(key)
                last_start[key] = now()
                await asyncio.sleep(1)
                busy.discard(key)
                queue.done(key)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        last_add: dict[str, float] = {}
        for key, pause in adds:
            await asyncio.sleep(pause)
            queue.add(key)
            last_add[key] = now()
        await asyncio.sleep(100)
        assert queue.idle
        for key, added in last_add.items():
            assert last_start[key] >= added
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)

    in_virtual_time(main())
