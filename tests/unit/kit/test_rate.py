"""No second sees more turns than allowed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from causeway.kit.rate import SECOND, Rate

Run = Callable[[Coroutine[Any, Any, None]], None]


async def turns(rate: Rate, count: int) -> list[float]:
    """Return when each of ``count`` turns asked for at once came, from the first one on."""
    loop = asyncio.get_running_loop()

    async def one() -> float:
        await rate.turn()
        return loop.time()

    times = sorted(await asyncio.gather(*(one() for _ in range(count))))
    return [round(time - times[0], 6) for time in times]


def test_any_second_has_at_most_that_many(in_virtual_time: Run) -> None:
    async def main() -> None:
        rate = Rate(3)
        assert await turns(rate, 7) == [0, 0, 0, SECOND, SECOND, SECOND, 2 * SECOND]
        await asyncio.sleep(0.5)  # two turns are left of the second that began with the last one
        assert await turns(rate, 3) == [0, 0, round(SECOND - 0.5, 6)]

    in_virtual_time(main())


def test_without_a_limit_nobody_waits(in_virtual_time: Run) -> None:
    async def main() -> None:
        assert await turns(Rate(0), 50) == [0] * 50

    in_virtual_time(main())


def test_who_gives_up_waiting_takes_no_turn(in_virtual_time: Run) -> None:
    async def main() -> None:
        rate = Rate(1)
        await rate.turn()
        impatient = asyncio.create_task(rate.turn())
        await asyncio.sleep(0.1)
        impatient.cancel()
        started = asyncio.get_running_loop().time()
        await rate.turn()
        assert round(asyncio.get_running_loop().time() - started, 6) == round(SECOND - 0.1, 6)

    in_virtual_time(main())
