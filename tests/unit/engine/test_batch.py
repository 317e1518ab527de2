"""Many requests, few calls, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from causeway.engine.batch import Batcher

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Service:
    """Doubles numbers, a second a call; refuses any call with a negative one."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.flying = 0
        self.most_flying = 0

    async def double(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        await asyncio.sleep(1)
        self.flying -= 1
        if any(number < 0 for number in numbers):
            raise ValueError("negative")
        return [2 * number for number in numbers]


def test_a_burst_is_one_call_and_what_comes_meanwhile_is_the_next(in_virtual_time: Run) -> None:
    async def main() -> None:
        service = Service()
        batcher = Batcher(service.double, most=50)
        burst = [asyncio.create_task(batcher.ask(number)) for number in range(10)]
        await asyncio.sleep(0.5)
        later = [asyncio.create_task(batcher.ask(number)) for number in range(10, 15)]
        assert await asyncio.gather(*burst, *later) == [2 * number for number in range(15)]
        assert service.calls == [list(range(10)), list(range(10, 15))]

    in_virtual_time(main())


def test_groups_are_bounded_and_so_are_flights(in_virtual_time: Run) -> None:
    async def main() -> None:
        service = Service()
        batcher = Batcher(service.double, most=4, flights=2)
        assert await asyncio.gather(*(batcher.ask(number) for number in range(20))) == list(range(0, 40, 2))
        assert [len(call) for call in service.calls] == [4] * 5
        assert service.most_flying == 2

    in_virtual_time(main())


def test_one_bad_request_fails_alone(in_virtual_time: Run) -> None:
    async def main() -> None:
        service = Service()
        batcher = Batcher(service.double, most=50, divisible=(ValueError,))
        results = await asyncio.gather(
            *(batcher.ask(number) for number in [1, 2, -3, 4, 5, 6, 7, 8]), return_exceptions=True
        )
        assert [result for result in results if isinstance(result, int)] == [2, 4, 8, 10, 12, 14, 16]
        assert isinstance(results[2], ValueError)
        assert len(service.calls) <= 8

    in_virtual_time(main())


def test_when_something_is_used_up_the_rest_is_not_tried(in_virtual_time: Run) -> None:
    class Store(Service):
        left = 5

        async def double(self, numbers: Sequence[int]) -> list[int]:
            self.calls.append(list(numbers))
            if len(numbers) > self.left:
                raise ValueError("used up")
            self.left -= len(numbers)
            return [2 * number for number in numbers]

    async def main() -> None:
        service = Store()
        batcher = Batcher(service.double, most=50, divisible=(ValueError,), final=(ValueError,))
        results = await asyncio.gather(*(batcher.ask(number) for number in range(40)), return_exceptions=True)
        assert results[:5] == [0, 2, 4, 6, 8]
        assert all(isinstance(result, ValueError) for result in results[5:])
        assert len(service.calls) <= 9

    in_virtual_time(main())


def test_other_errors_fail_the_group_and_the_batcher_goes_on(in_virtual_time: Run) -> None:
    async def main() -> None:
        service = Service()
        batcher = Batcher(service.double, most=50)
        results = await asyncio.gather(batcher.ask(-1), batcher.ask(1), return_exceptions=True)
        assert all(isinstance(result, ValueError) for result in results)
        assert await batcher.ask(3) == 6

    in_virtual_time(main())


def test_a_cancelled_request_is_not_sent(in_virtual_time: Run) -> None:
    async def main() -> None:
        service = Service()
        batcher = Batcher(service.double, most=50)
        given_up = asyncio.create_task(batcher.ask(1))
        stays = asyncio.create_task(batcher.ask(2))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await stays == 4
        assert service.calls == [[2]]
        with pytest.raises(asyncio.CancelledError):
            await given_up

    in_virtual_time(main())
