"""A limit on how many times a second something is done, kept in any second there is.

A bucket of tokens would let twice as much through in the second after a pause. Here the last ``most`` turns
are remembered, and the next waits until the oldest of them is a second old.
"""

import asyncio
from collections import deque

SECOND = 1.02  # what counts is when calls arrive, and the way takes some of them longer than others


class Rate:
    """At most ``most`` turns within any second; 0 means no limit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._turns: deque[float] = deque(maxlen=most or 1)
        self._line = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for a turn; who came first is served first."""
        if not self._most:
            return
        loop = asyncio.get_running_loop()
        async with self._line:
            if len(self._turns) == self._most:
                await asyncio.sleep(max(0.0, self._turns[0] + SECOND - loop.time()))
            self._turns.append(loop.time())
