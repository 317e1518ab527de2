"""Work for one key is done in its order and to its end, whoever gives up; other keys do not wait for it."""

import asyncio
import threading

import pytest

from causeway.serve.node.lanes import Lanes


async def test_one_key_one_after_another_and_others_beside_it() -> None:
    lanes, order, gate = Lanes(), list[str](), threading.Event()

    def blocked() -> None:
        gate.wait(20)
        order.append("first of a")

    first = asyncio.create_task(lanes.do("a", blocked))
    await asyncio.sleep(0)
    second = asyncio.create_task(lanes.do("a", lambda: order.append("second of a")))
    await lanes.do("b", lambda: order.append("b"))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.set()
    await second
    assert order == ["b", "first of a", "second of a"]
    await lanes.close()


async def test_what_goes_wrong_is_raised_and_stops_nothing() -> None:
    lanes = Lanes()

    def wrong() -> None:
        raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        await lanes.do("a", wrong)
    assert await lanes.do("a", lambda: 7) == 7
    await lanes.close()


async def test_closing_waits_for_what_was_asked_for() -> None:
    lanes, done = Lanes(), list[int]()
    for number in range(20):
        lanes.submit("a" if number % 2 else "b", lambda number=number: done.append(number))  # type: ignore[misc]  # bound early
    await lanes.close()
    assert sorted(done) == list(range(20))
