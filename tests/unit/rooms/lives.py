"""The lives of a process that acts on a cloud in memory: refused, left without an answer, killed."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, Self

from hypothesis import strategies as st

from causeway.cloud import errors

Gate = Callable[[str, bool], Awaitable[None]]

plans = st.lists(st.sampled_from(["well", "refused", "lost", "killed", "killed before"]), max_size=8)
"""What happens to the calls, one after the other."""


class Gated(Protocol):
    """A cloud in memory whose calls go through a gate."""

    gate: Gate


class Lives(ABC):
    """The process through all its lives; ``start`` begins one, ``close`` ends it in order."""

    def __init__(self) -> None:
        self.alive = asyncio.Event()
        self.alive.set()
        self.start()

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    async def die(self) -> None:
        """End here and now, whatever was under way, and begin another life."""
        self.alive.clear()
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, self.restart())
        await asyncio.Event().wait()

    async def restart(self) -> None:
        await self.close()
        self.start()
        self.alive.set()

    async def insist(self, ask: Callable[[Self], Coroutine[Any, Any, Any]]) -> Any:
        """Ask until it is done, as the sidecars do, after lost answers and after the end of the process."""
        for _ in range(40):
            await self.alive.wait()
            try:
                return await ask(self)
            except asyncio.CancelledError:
                pass  # it died
            except errors.CloudError as error:
                assert error.retriable, error
            await asyncio.sleep(1)
        raise AssertionError("asked in vain")


def troubles(world: Gated, process: Lives, plan: list[str]) -> None:
    """Let the calls go by the plan: well, refused before they have effect, lost or killed afterwards."""
    left = list(plan)

    async def gate(_call: str, done: bool) -> None:
        if not process.alive.is_set():
            await asyncio.Event().wait()
        if not left or (left[0] in ("refused", "killed before")) is done:
            return
        match left.pop(0):
            case "refused" | "lost":
                raise errors.Timeout("cloud", "no answer")
            case "killed" | "killed before":
                await process.die()

    world.gate = gate
