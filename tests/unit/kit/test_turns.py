"""Others get their turn while long work is done."""

import asyncio
from types import SimpleNamespace

import pytest

from causeway.kit import turns
from causeway.kit.turns import SLICE, in_turns


async def rounds_between(items: int, seconds_each: float, patch: pytest.MonkeyPatch) -> int:
    """Return how many rounds of the loop there are while ``items`` take so long each."""
    now, rounds = 0.0, 0
    patch.setattr(turns, "time", SimpleNamespace(perf_counter=lambda: now))

    async def other() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    watching = asyncio.create_task(other())
    await asyncio.sleep(0)
    met = list[int]()
    async for item in in_turns(range(items)):
        now += seconds_each
        met.append(item)
    watching.cancel()
    assert met == [*range(items)]
    return rounds


@pytest.mark.parametrize(("parts", "rounds"), [(1, 6), (2, 3), (6, 1), (7, 0)])
async def test_others_go_on_whenever_the_time_is_used_up(
    parts: int, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await rounds_between(6, SLICE / parts, monkeypatch) == rounds
