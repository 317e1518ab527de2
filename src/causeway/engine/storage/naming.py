"""What has a name or an id: asked for by itself, or by one list for all who ask at about the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic

from causeway.engine.storage.steps import Thing


class Named(Generic[Thing]):
    """Answers which objects have a name; ``named`` asks for one name, ``list_all`` for all objects.

    ``name`` reads it of an object. Where a list may lack what ``named`` finds, that is asked for again
    (``complete`` False): an id may be of another project's object.

    An answer is as it was after the question, for whoever asks wants to know of what was made just before.
    """

    def __init__(
        self,
        named: Callable[[str], Awaitable[list[Thing]]],
        list_all: Callable[[], Awaitable[list[Thing]]],
        name: Callable[[Thing], str | None] = lambda it: it.name,
        *,
        complete: bool = True,
    ) -> None:
        self._named: Callable[[str], Awaitable[list[Thing]]] = named
        self._list_all: Callable[[], Awaitable[list[Thing]]] = list_all
        self._name: Callable[[Thing], str | None] = name
        self._complete = complete
        self._asked: list[tuple[str, asyncio.Future[list[Thing]]]] = []
        self._task: asyncio.Task[None] | None = None

    async def of(self, name: str) -> list[Thing]:
        """Return the objects of a name, whoever they belong to; raises what asking raises: ``CloudError``."""
        answer: asyncio.Future[list[Thing]] = asyncio.get_running_loop().create_future()
        self._asked.append((name, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await answer

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                try:
                    found = await self._look({name for name, _ in asked})
                except Exception as error:
                    for _, answer in asked:
                        if not answer.done():
                            answer.set_exception(error)
                    continue
                for name, answer in asked:
                    if not answer.done():
                        answer.set_result(found[name])
        finally:
            self._task = None

    async def _look(self, names: set[str]) -> dict[str, list[Thing]]:
        if len(names) == 1:
            return {name: await self._named(name) for name in names}
        found: dict[str, list[Thing]] = {name: [] for name in names}
        for each in await self._list_all():
            name = self._name(each)
            if name in found:
                found[name].append(each)
        if not self._complete:
            for name in [name for name, things in found.items() if not things]:
                found[name] = await self._named(name)
        return found
