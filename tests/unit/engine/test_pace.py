"""Calls at a time follow what the service can take."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from causeway.cloud import errors
from causeway.engine.pace import Pace

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_it_grows_while_all_goes_well_and_never_beyond_the_most(in_virtual_time: Run) -> None:
    async def main() -> None:
        pace, most = Pace(first=2, most=5), 0
        under_way = 0

        async def call() -> None:
            nonlocal most, under_way
            async with pace.turn():
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(1)
                under_way -= 1

        await asyncio.gather(*(call() for _ in range(100)))
        assert most == pace.limit == 5

    in_virtual_time(main())


def test_an_overload_halves_it_once_and_a_pause_that_is_asked_for_is_kept(in_virtual_time: Run) -> None:
    async def main() -> None:
        pace = Pace(first=8, most=16)
        now = asyncio.get_running_loop().time

        async def refused() -> None:
            with pytest.raises(errors.RateLimited):
                async with pace.turn():
                    await asyncio.sleep(1)
                    raise errors.RateLimited("network", "slow down", retry_after=7)

        await asyncio.gather(*(refused() for _ in range(8)))
        assert pace.limit == 4
        async with pace.turn():
            assert now() == 8

    in_virtual_time(main())


def test_what_matters_goes_first_and_who_gave_up_takes_no_turn(in_virtual_time: Run) -> None:
    async def main() -> None:
        pace, order = Pace(first=1, most=1), list[int]()

        async def call(priority: int) -> None:
            async with pace.turn(priority):
                order.append(priority)
                await asyncio.sleep(1)

        first = asyncio.create_task(call(0))
        await asyncio.sleep(0.1)
        tasks = [asyncio.create_task(call(priority)) for priority in (2, 1, 1, 0)]
        await asyncio.sleep(0.1)
        tasks[1].cancel()
        await asyncio.gather(first, *tasks, return_exceptions=True)
        assert order == [0, 0, 1, 2]

    in_virtual_time(main())
