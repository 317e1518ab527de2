import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from causeway.engine.storage.flights import Flights
from causeway.engine.storage.model import Reason, Refused

In = Callable[[Any], Any]


class Work:
    """Takes five seconds, and counts how often it was done."""

    def __init__(self) -> None:
        self.begun = self.done = 0

    async def __call__(self) -> int:
        self.begun += 1
        await asyncio.sleep(5)
        self.done += 1
        return self.done


def test_the_same_request_is_done_once_at_a_time(in_virtual_time: In) -> None:
    async def ask() -> tuple[list[int], int]:
        flights, work = Flights(), Work()
        answers = await asyncio.gather(*(flights.run("a", "x", work) for _ in range(4)))
        return [*answers, await flights.run("a", "x", work)], work.begun

    assert in_virtual_time(ask()) == ([1, 1, 1, 1, 2], 2)


def test_another_request_for_the_same_thing_is_told_to_come_again(in_virtual_time: In) -> None:
    async def ask() -> None:
        flights, work = Flights(), Work()
        first = asyncio.create_task(flights.run("a", "x", work))
        await asyncio.sleep(1)
        with pytest.raises(Refused) as refused:
            await flights.run("a", "y", work)
        assert refused.value.reason is Reason.PENDING
        assert await flights.run("b", "y", work) == 2
        await first
        assert await flights.run("a", "y", work) == 3

    in_virtual_time(ask())


def test_who_hangs_up_stops_nothing(in_virtual_time: In) -> None:
    async def ask() -> Work:
        flights, work = Flights(), Work()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await flights.run("a", "x", work)
        assert await flights.run("a", "x", work) == 1
        return work

    assert in_virtual_time(ask()).begun == 1


def test_a_failure_is_everybodys_and_forgotten(in_virtual_time: In) -> None:
    async def fail() -> int:
        await asyncio.sleep(1)
        raise Refused(Reason.FAILED, "a", "it broke", "Mend it.")

    async def ask() -> list[Any]:
        flights = Flights()
        both = await asyncio.gather(*(flights.run("a", "x", fail) for _ in range(2)), return_exceptions=True)
        return [*both, await flights.run("a", "x", Work())]

    *refused, done = in_virtual_time(ask())
    assert all(isinstance(each, Refused) for each in refused)
    assert done == 1


def test_closing_breaks_off(in_virtual_time: In) -> None:
    async def ask() -> int:
        flights, work = Flights(), Work()
        asked = asyncio.create_task(flights.run("a", "x", work))
        await asyncio.sleep(1)
        await flights.close()
        with pytest.raises(asyncio.CancelledError):
            await asked
        return work.done

    assert in_virtual_time(ask()) == 0
