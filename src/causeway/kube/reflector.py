"""Keeping a store equal to the API: list once, then watch, and never miss a deletion.

A watch that ends is resumed from the last version seen (bookmarks keep that fresh). A version the server no
longer keeps means listing again, and what the list lacks is reported as deleted. A watch that has gone silent
is broken off, because a connection can die without either side noticing.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

import structlog

from causeway.kit import metrics
from causeway.kit.turns import in_turns
from causeway.kube.client import Client, Listing, WatchEvent
from causeway.kube.errors import ApiError, Gone
from causeway.kube.objects import Cached, key_of
from causeway.kube.resource import Resource
from causeway.kube.store import Change, Store

T = TypeVar("T", bound=Cached)
Handler = Callable[[Change[T]], None]

log = structlog.get_logger()

_BACKOFF_FIRST = 0.5  # seconds before the first repetition after an error
_BACKOFF_MOST = 30.0


def _jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311  # spreads load, guards nothing


class Source(Protocol[T]):
    """Where the objects come from."""

    async def list(self) -> Listing[T]:
        """Return all objects."""
        ...

    def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[T]]:
        """Yield the changes after a version."""
        ...


async def close(events: AsyncIterator[object]) -> None:
    """End a watch of which no more is wanted."""
    end = getattr(events, "aclose", None)
    if end is not None:
        await end()


class ApiSource(Generic[T]):
    """All objects of a resource that selectors match, in one namespace or in all."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        of: type[T],
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> None:
        self._client = client
        self._resource = resource
        self._of = of
        self._namespace = namespace
        self._labels = labels
        self._fields = fields

    def __str__(self) -> str:
        return self._resource.plural

    async def list(self) -> Listing[T]:
        """Return all objects."""
        return await self._client.list(
            self._resource, self._namespace, labels=self._labels, fields=self._fields, of=self._of
        )

    def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[T]]:
        """Yield the changes after a version."""
        return self._client.watch(
            self._resource,
            self._namespace,
            of=self._of,
            resource_version=resource_version,
            labels=self._labels,
            fields=self._fields,
            seconds=300 * _jitter(),  # spread, so that many watches do not end together
        )


class Reflector(Generic[T]):
    """Fills ``store`` from ``source`` and tells ``handlers`` of every change, one after another.

    ``synced`` is set after the first complete list. ``defined`` is whether the latest list found the kind
    defined, and the store has all it found. ``silence`` is how many seconds without any event, not
    even a bookmark, mean that the watch is dead (bookmarks come about every minute).
    """

    def __init__(self, source: Source[T], store: Store[T], *, silence: float = 150.0) -> None:
        self._source = source
        self._silence = silence
        self._failures = 0
        self.store = store
        self.handlers: list[Handler[T]] = []
        self._when_defined: list[Callable[[], None]] = []
        self.defined = False
        self.synced = asyncio.Event()

    def follow(self, handler: Handler[T]) -> None:
        """Tell ``handler`` of every change from now on; what there is already comes first."""
        for thing in self.store.all():
            handler(Change(key_of(thing), None, thing))
        self.handlers.append(handler)

    def when_defined(self, call: Callable[[], None]) -> None:
        """Call each time ``defined`` comes true."""
        self._when_defined.append(call)

    async def run(self) -> None:
        """Reflect until cancelled."""
        now = asyncio.get_running_loop().time
        version: str | None = None
        while True:
            try:
                if version is None:
                    listing = await self._source.list()
                    self.defined = self.defined and listing.defined  # comes true once the store has all
                    async for change in in_turns(self.store.replace(listing.items)):
                        self._tell(change)
                    version = listing.resource_version
                    self._complete(listing.defined)
                started, came = now(), False
                async for reached in self._watch(version):
                    version, came = reached, True
                    self._failures = 0
                if not came and now() - started < 1:
                    await self._wait("the watch ended at once")
            except Gone as error:
                version = None
                self._count("expired")
                if self._failures:
                    await self._wait(str(error))
                else:
                    self._failures = 1  # once is ordinary
            except (ApiError, TimeoutError) as error:
                self._count("broken")
                await self._wait(str(error) or "the watch fell silent")

    async def _watch(self, version: str) -> AsyncIterator[str]:
        """Take in the events of one watch; yield the version each reached."""
        events = aiter(self._source.watch(version))
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    event = await anext(events, None)
                if event is None:
                    return
                if event.object is not None:
                    self._take(event.type == "DELETED", event.object)
                yield event.resource_version
        finally:
            await close(events)

    def _take(self, deleted: bool, thing: T) -> None:
        key = key_of(thing)
        known = self.store.get(key)
        if known is not None and known.metadata.uid != thing.metadata.uid:
            if deleted:
                return  # the deletion of a predecessor
            gone = self.store.remove(key)
            if gone is not None:
                self._tell(gone)
        change = self.store.remove(key) if deleted else self.store.put(thing)
        if change is not None:
            self._tell(Change(key, thing, None) if deleted else change)

    def _complete(self, defined: bool) -> None:
        news = defined and not self.defined
        self.defined = defined
        self.synced.set()
        for call in self._when_defined if news else ():
            call()

    def _tell(self, change: Change[T]) -> None:
        for handler in self.handlers:
            handler(change)

    def _count(self, reason: str) -> None:
        metrics.WATCH_RESTARTS.labels(str(self._source), reason).inc()

    async def _wait(self, why: str) -> None:
        delay = min(_BACKOFF_MOST, _BACKOFF_FIRST * 2 ** min(self._failures, 16)) * _jitter()
        self._failures += 1
        log.warning("watch interrupted", resource=str(self._source), cause=why, again_in=round(delay, 1))
        await asyncio.sleep(delay)
