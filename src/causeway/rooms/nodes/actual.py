"""The project's servers, listed for all nodes at once, and since when a server is missing.

Nothing is listed unless a node asks. What many nodes ask within a moment is one listing.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from causeway.cloud.errors import CloudError
from causeway.cloud.nova import Server
from causeway.kube.objects import Node
from causeway.rooms.nodes.desired import foreign
from causeway.rooms.nodes.model import Identity, Landscape, identity_of

_FRESH = 2.0  # seconds a listing, or the failure of one, stands for all who ask
APART = 5.0
"""Seconds between two listings that prove together that a server is gone."""


class Lister(Protocol):
    """The part of Nova this room needs."""

    async def list_servers(self) -> list[Server]:
        """Return every server of the project."""
        ...

    async def region(self) -> str:
        """Return the region they are in."""
        ...


@dataclass(frozen=True)
class _Absence:
    first: float
    last: float


class Servers:
    """The listing, kept for a moment; and what was missing in the ones before."""

    def __init__(self, lister: Lister, cluster: str) -> None:
        self._lister = lister
        self._cluster = cluster
        self._lock = asyncio.Lock()
        self._taken = float("-inf")
        self._seen: Landscape | CloudError | None = None
        self._absences: dict[str, _Absence] = {}

    async def recent(self) -> Landscape:
        """Return the servers as they were at most a moment ago; raises ``CloudError``."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._seen is None or now - self._taken >= _FRESH:
                self._taken = now
                try:
                    servers = await self._lister.list_servers()
                    region = await self._lister.region()
                    self._seen = Landscape({each.id: each for each in servers}, region, self._cluster)
                except CloudError as error:
                    self._seen = error
            if isinstance(self._seen, CloudError):
                raise self._seen
            return self._seen

    def proven_gone(self, identity: Identity, seen: Landscape, nodes: Iterable[Node]) -> bool:
        """Return whether this listing and an earlier one agree that a server is gone.

        A listing without any server of the platform's nodes proves nothing: whoever answered it was asked
        with the credentials of another project, or has lost its memory.
        """
        if seen.of(identity) is not None:
            self._absences.pop(identity.server, None)
            return False
        if not believable(seen, nodes):
            return False
        known = self._absences.get(identity.server, _Absence(self._taken, self._taken))
        self._absences[identity.server] = _Absence(known.first, self._taken)
        return self._taken - known.first >= APART

    def forget(self, server: str) -> None:
        """Forget that a server was missing: its node is gone."""
        self._absences.pop(server, None)


def believable(seen: Landscape, nodes: Iterable[Node]) -> bool:
    """Return whether a listing shows at least one server that is a node of the platform."""
    identities = (identity_of(node.spec.provider_id) for node in nodes if not foreign(node, seen.region))
    return any(each is not None and seen.of(each) is not None for each in identities)
