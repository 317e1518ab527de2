"""What unit tests share: an event loop whose time passes only when nothing is left to do."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes tells how busy the machine is, not whether the code is right.
settings.register_profile(
    "causeway", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("causeway")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer instead of waiting for it, so that tests of hours take no time."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0
        self._threads = 0

    def time(self) -> float:
        return self._virtual

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run in a thread, as ever; no time passes meanwhile."""
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]  # the loop's own lists
        if not ready and scheduled and not self._threads:
            due = scheduled[0]._when
            if scheduled[0]._cancelled:  # nobody waits for it: time goes to the first that somebody waits for
                due = min((timer._when for timer in scheduled if not timer._cancelled), default=due)
            self._virtual = max(self._virtual, due)
        super()._run_once()  # type: ignore[misc]  # the one method every iteration goes through


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)


@pytest.fixture
def in_virtual_time() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Return a function that runs a coroutine to its end in virtual time."""
    return run_in_virtual_time
