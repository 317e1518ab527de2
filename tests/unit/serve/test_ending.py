"""Both signals that end a process reach it as a call."""

import asyncio
import os
import signal

import pytest

from causeway.serve.ending import on_ending


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_a_call(number: signal.Signals) -> None:
    ended = asyncio.Event()
    on_ending(ended.set)
    os.kill(os.getpid(), number)
    async with asyncio.timeout(60):
        await ended.wait()
