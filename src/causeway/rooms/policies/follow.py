"""Feeding the index from the watches, a little at a time.

A list of ten thousand pods comes all at once. What changed is only noted when it comes, and taken into the
index in slices of a few milliseconds between which everything else goes on; what changes twice meanwhile is
looked at once.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

from causeway.kit.turns import SLICE
from causeway.kube.informers import Informer, services_of
from causeway.kube.objects import EndpointSlice, Namespace, NetworkPolicy, Node, Pod, Service
from causeway.kube.store import Change
from causeway.rooms.policies.desired import addresses_of, fronts_of
from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import member_of


class Sources(Protocol):
    """What this room follows."""

    @property
    def pods(self) -> Informer[Pod]:
        """Pods that are bound to a node and have a network of their own."""
        ...

    @property
    def policies(self) -> Informer[NetworkPolicy]:
        """All NetworkPolicies."""
        ...

    @property
    def namespaces(self) -> Informer[Namespace]:
        """All namespaces."""
        ...

    @property
    def nodes(self) -> Informer[Node]:
        """All nodes."""
        ...

    @property
    def services(self) -> Informer[Service]:
        """All Services."""
        ...

    @property
    def slices(self) -> Informer[EndpointSlice]:
        """The EndpointSlices of Services, by "service"."""
        ...


class Follower:
    """Keeps ``index`` equal to the API; ``after`` is called after every slice of work.

    ``synced`` is set once everything there was at the start is in the index.
    """

    def __init__(self, index: Index, sources: Sources, after: Callable[[], None]) -> None:
        self._index = index
        self._after = after
        self._noted: dict[tuple[str, str], Any] = {}
        self._policies_noted: set[str] = set()  # by uid; asked for every pod, so not searched for
        self._wake = asyncio.Event()
        self.synced = asyncio.Event()
        self._services, self._slices = sources.services.store, sources.slices.store
        followed: tuple[Informer[Any], ...] = (
            sources.namespaces,
            sources.nodes,
            sources.policies,
            sources.services,
            sources.slices,
            sources.pods,
        )
        self._awaited = [each.synced for each in followed]
        sources.policies.follow(self._policy)
        sources.namespaces.follow(self._namespace)
        sources.nodes.follow(self._node)
        sources.pods.follow(self._pod)
        sources.services.follow(lambda change: self._note("service", change.key, None))
        sources.slices.follow(self._slice)

    def settled(self) -> bool:
        """Return whether every policy that came is in the index."""
        return not self._policies_noted

    async def run(self) -> None:
        """Take in what is noted, until cancelled."""
        for synced in self._awaited:
            await synced.wait()
        while True:
            until = time.perf_counter() + SLICE
            while self._noted and time.perf_counter() < until:
                kind, key = next(iter(self._noted))
                self._take(kind, key, self._noted.pop((kind, key)))
            self._after()
            if self._noted:
                await asyncio.sleep(0)
                continue
            self._wake.clear()
            self.synced.set()
            await self._wake.wait()

    def _take(self, kind: str, key: str, what: Any) -> None:
        match kind:
            case "pod":
                self._index.put_pod(key, member_of(what) if what else None)
            case "policy":
                self._policies_noted.discard(key)
                if what is None:
                    self._index.drop_policy(key)
                else:
                    self._index.put_policy(what)
            case "namespace":
                self._index.put_namespace(key, what.metadata.labels if what else None)
            case "node":
                self._index.put_node(key, addresses_of(what) if what else ())
            case _:
                service = self._services.get(key)
                self._index.put_service(key, fronts_of(service, self._slices.by("service", key)))

    def _note(self, kind: str, key: str, what: Any) -> None:
        self._noted[kind, key] = what
        self._wake.set()

    def _pod(self, change: Change[Pod]) -> None:
        thing = change.new or change.old
        if thing is not None:
            self._note("pod", thing.metadata.uid, change.new)

    def _policy(self, change: Change[NetworkPolicy]) -> None:
        thing = change.new or change.old
        if thing is not None:
            self._policies_noted.add(thing.metadata.uid)
            self._note("policy", thing.metadata.uid, change.new)

    def _namespace(self, change: Change[Namespace]) -> None:
        self._note("namespace", change.key, change.new)

    def _node(self, change: Change[Node]) -> None:
        self._note("node", change.key, change.new)

    def _slice(self, change: Change[EndpointSlice]) -> None:
        for part in (change.old, change.new):
            for key in services_of(part) if part is not None else ():
                self._note("service", key, None)
