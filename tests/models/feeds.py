"""Resources of the API in memory: objects, and the history a watch follows, at once or some time later."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from causeway.kube.client import Listing, WatchEvent
from causeway.kube.informers import Informers
from causeway.kube.objects import Cached, key_of
from causeway.kube.resource import Resource

T = TypeVar("T", bound=Cached)


class Feed(Generic[T]):
    """Gives every write a version; a source for reflectors. ``lag``: how many seconds late an event is."""

    def __init__(self, lag: Callable[[], float] | None = None) -> None:
        self._lag = lag
        self.objects: dict[str, T] = {}
        self.history: list[WatchEvent[T]] = []
        self._grown = asyncio.Event()

    def put(self, thing: T) -> T:
        """Make or change an object."""
        key, version = key_of(thing), str(len(self.history) + 1)
        meta = msgspec.structs.replace(thing.metadata, resource_version=version)
        thing = msgspec.structs.replace(thing, metadata=meta)  # type: ignore[type-var]  # every object is one
        self._tell(WatchEvent("MODIFIED" if key in self.objects else "ADDED", thing, version))
        self.objects[key] = thing
        return thing

    def drop(self, key: str) -> None:
        """Delete an object."""
        thing = self.objects.pop(key)
        self._tell(WatchEvent("DELETED", thing, str(len(self.history) + 1)))

    def _tell(self, event: WatchEvent[T]) -> None:
        self.history.append(event)
        self._grown.set()
        self._grown = asyncio.Event()

    async def list(self) -> Listing[T]:
        """Return all objects."""
        await asyncio.sleep(0.05)
        return Listing(list(self.objects.values()), str(len(self.history)))

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[T]]:
        """Yield what came after a version."""
        for position in itertools.count(int(resource_version)):
            while position >= len(self.history):
                await self._grown.wait()
            if self._lag is not None:
                await asyncio.sleep(self._lag())
            yield self.history[position]


def informers(feeds: Mapping[Resource, Feed[Any]]) -> Informers:
    """Return informers that follow feeds; there is nothing of other resources."""

    def source(
        resource: Resource, of: type[T], *, labels: str | None = None, fields: str | None = None
    ) -> Feed[T]:
        return feeds.get(resource, Feed())

    return Informers(source)


async def together(*parts: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run all until cancelled."""
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part())
