"""How long the machine stood still, so that a promise in seconds is not held against who had no processor."""

import threading
import time
from types import TracebackType
from typing import Self

_STEP = 0.05  # seconds between two signs of life
_USUAL = 0.1  # seconds that these may be late without anything being wrong


class StandStill:
    """Counts while it is entered; ``seconds`` are those in which nothing here was woken when it was due."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _count(self) -> None:
        last = time.monotonic()
        while not self._over.wait(_STEP):
            now = time.monotonic()
            late = now - last - _STEP
            if late > _USUAL:
                self.seconds += late
            last = now
