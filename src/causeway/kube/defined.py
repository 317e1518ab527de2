"""Objects of a kind that need not be defined: none as long as it is not, and followed from when it is.

Definitions of Gateway API are installed by whoever runs the cluster, before or after us, or never. Where we
may not list them our rights are an older release's: Kubernetes looks at rights before it looks for the kind,
and everything else must not wait for it. That such a kind has no objects is not known: ``Listing.defined``
says which of the two it is.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from causeway.kube.client import Listing, WatchEvent
from causeway.kube.errors import Forbidden, Gone, NotFound
from causeway.kube.objects import Cached
from causeway.kube.reflector import Source

T = TypeVar("T", bound=Cached)

_LOOK = 10.0  # seconds between two looks at whether the kind is defined
_UNDEFINED = ""  # stands for the version of a list of a kind that is not defined


class WhereDefined(Generic[T]):
    """A source that has no objects while the kind is not defined; ``look`` is in seconds."""

    def __init__(self, source: Source[T], *, look: float = _LOOK) -> None:
        self._source, self._look = source, look

    def __str__(self) -> str:
        return str(self._source)

    async def list(self) -> Listing[T]:
        """Return all objects."""
        try:
            return await self._source.list()
        except (NotFound, Forbidden):
            return Listing([], _UNDEFINED, defined=False)

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[T]]:
        """Yield the changes after a version; raises ``Gone`` when the kind is defined, or no longer is."""
        try:
            while resource_version == _UNDEFINED:
                await asyncio.sleep(self._look)
                if (await self.list()).defined:
                    raise Gone(str(self), "is defined now")
                yield WatchEvent("BOOKMARK", None, _UNDEFINED)  # the watch lives
            async for event in self._source.watch(resource_version):
                yield event
        except (NotFound, Forbidden) as error:
            raise Gone(str(self), "is no longer defined, or not for us") from error
