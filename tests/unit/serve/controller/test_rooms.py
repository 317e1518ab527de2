"""A cloud that fails while the rooms are put together is asked again, and nobody ends for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from causeway.cloud.errors import CloudError, ServerError
from causeway.kit.errors import Problem
from causeway.serve.controller.rooms import _reached

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_it_is_asked_again_after_growing_pauses(in_virtual_time: Run) -> None:
    async def run() -> None:
        asked: list[float] = []

        async def attempt() -> str:
            asked.append(asyncio.get_running_loop().time())
            if len(asked) < 4:
                raise ServerError("network", "Service Unavailable", status=503)
            return "there"

        assert await _reached(attempt, (CloudError,)) == "there"
        assert asked == [0, 1, 3, 7]

    in_virtual_time(run())


def test_what_does_not_pass_is_told_at_once(in_virtual_time: Run) -> None:
    async def run() -> None:
        async def attempt() -> str:
            raise Problem.of("config.json", "is not what it should be", "Correct it.")

        with pytest.raises(Problem, match="is not what it should be"):
            await _reached(attempt, (CloudError,))

    in_virtual_time(run())
