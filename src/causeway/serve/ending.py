"""How a process that serves learns that it is to end."""

import asyncio
import signal
from collections.abc import Callable


def on_ending(call: Callable[[], object]) -> None:
    """Have the running loop call this at SIGTERM and SIGINT, which do nothing else any more."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, call)
