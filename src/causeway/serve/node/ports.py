"""The ports of this node: handed out from what is ready, waited for where nothing is, and told to the API.

Handing out asks nobody. What is held is written to the pool's status afterwards, all changes of a moment at
once; should that be lost, the records on disk say it again. That a new list of ports is known is written only
while entries retire, for which alone the controller waits; with what is held, it is always said.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from causeway.kit import metrics
from causeway.kube.client import Client
from causeway.kube.errors import ApiError, NotFound, Object
from causeway.kube.interfaces import Interface, interfaces_of
from causeway.kube.objects import Claim, Namespace, NetworkPolicy, Pod, PoolPort, PortPool
from causeway.kube.podnetwork import has_own_network, is_plain, is_selected
from causeway.kube.reflector import ApiSource, Reflector, Source
from causeway.kube.resource import NAMESPACES, NETWORK_POLICIES, PODS, PORT_POOLS, Resource
from causeway.kube.store import Store
from causeway.serve.node.shelf import Holder, Shelf, Wanted

log = structlog.get_logger()

_LINGER = 0.1  # seconds a change of what is held waits for others
_AGAIN_FIRST, _AGAIN_LAST = 0.5, 15.0
_MIRROR = "kubernetes.io/config.mirror"  # annotation of a static pod's mirror: the uid its node knows it by


@dataclass(frozen=True)
class Sources:
    """Where the objects this node follows come from."""

    pools: Source[PortPool]
    pods: Source[Pod]
    namespaces: Source[Namespace]
    policies: Source[NetworkPolicy]


def of_node(client: Client, node: str) -> Sources:
    """Return the sources of a node: its own pool and pods, and what decides about pods' networks."""
    return Sources(
        ApiSource(client, PORT_POOLS, PortPool, fields=f"metadata.name={node}"),
        ApiSource(client, PODS, Pod, fields=f"spec.nodeName={node},spec.hostNetwork=false"),
        ApiSource(client, NAMESPACES, Namespace),
        ApiSource(client, NETWORK_POLICIES, NetworkPolicy),
    )


class Writer(Protocol):
    """The part of the Kubernetes client a node writes with."""

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        kind: Literal["merge", "json", "strategic"] = "merge",
        subresource: str | None = None,
    ) -> Object:
        """Change part of an object."""
        ...


class NodePorts:
    """The ports of one node; ``shelf`` has them."""

    def __init__(self, sources: Sources, client: Writer, node: str) -> None:
        self._client = client
        self._node = node
        self.shelf = Shelf()
        self._pools = Reflector(sources.pools, Store[PortPool]())
        self._pods = Reflector(sources.pods, Store[Pod]())
        self._namespaces = Reflector(sources.namespaces, Store[Namespace]())
        self._policies = Reflector(
            sources.policies,
            Store[NetworkPolicy]({"namespace": lambda policy: [policy.metadata.namespace]}),
        )
        self._reflectors: tuple[Reflector[Any], ...] = (
            self._pools,
            self._pods,
            self._namespaces,
            self._policies,
        )
        self._pools.handlers.append(lambda _: self._filled())
        for reflector in self._reflectors:
            reflector.handlers.append(lambda _: self._wake())
        self._waiting: dict[asyncio.Event, None] = {}
        self._changed = asyncio.Event()

    @property
    def synced(self) -> bool:
        """Say whether all that decides about ports is known."""
        return all(reflector.synced.is_set() for reflector in self._reflectors)

    async def wait_synced(self) -> None:
        """Return once ``synced``."""
        for reflector in self._reflectors:
            await reflector.synced.wait()

    async def run(self) -> None:
        """Watch and tell until cancelled."""
        with (
            metrics.NODE_POOL_PORTS.reading(self._levels),
            metrics.PODS_WAITING.reading(lambda: {(): len(self._waiting)}),
        ):
            async with asyncio.TaskGroup() as group:
                for reflector in self._reflectors:
                    group.create_task(reflector.run())
                group.create_task(self._tell())

    async def take(
        self, namespace: str, name: str, uid: str, holder: Holder, interface: str = ""
    ) -> PoolPort:
        """Return the port of a pod, waiting until there is one; it is held by ``holder`` until let go.

        ``interface`` names one of the pod's further interfaces; "" is its first.
        """
        while True:
            port = self._take(namespace, name, uid, holder, interface)
            if port is not None:
                self._changed.set()
                return port
            woken = asyncio.Event()
            self._waiting[woken] = None
            try:
                await woken.wait()
            finally:
                self._waiting.pop(woken, None)

    def further(self, namespace: str, name: str) -> tuple[Interface, ...]:
        """Return the further interfaces a pod that has a port asks for; raises ``ValueError``."""
        pod = self._pods.store.get(f"{namespace}/{name}")
        return interfaces_of(pod) if pod is not None else ()

    def restore(self, port: PoolPort, claim: Claim, holder: Holder) -> None:
        """Hold a port as a record says."""
        self.shelf.restore(port, claim, holder)
        self._changed.set()

    def let_go(self, holder: Holder) -> None:
        """Say that an attachment does not use its port any more."""
        self.shelf.let_go(holder)
        self._changed.set()
        self._wake()

    def _levels(self) -> dict[tuple[str, ...], float]:
        return {("free",): self.shelf.ready(), ("claimed",): len(self.shelf.claims())}

    def _take(self, namespace: str, name: str, uid: str, holder: Holder, interface: str) -> PoolPort | None:
        if not self.synced:
            return None
        pod = self._pods.store.get(f"{namespace}/{name}")
        place = self._namespaces.store.get(namespace)
        pool = self._pools.store.get(self._node)
        if pod is None or place is None or pool is None:
            return None
        meta = pod.metadata
        if uid not in {meta.uid, meta.annotations.get(_MIRROR)}:
            return None
        own = has_own_network(place, by_default=pool.spec.own_networks)
        policies = self._policies.store.by("namespace", namespace)
        plain, selected = not interface and is_plain(pod, policies), is_selected(pod, policies)
        wanted = Wanted(meta.uid, namespace, name, plain, namespace if own else "", interface, selected)
        return self.shelf.take(wanted, holder)

    def _filled(self) -> None:
        self.shelf.fill(self._pools.store.get(self._node))
        self._changed.set()

    def _wake(self) -> None:
        for woken in self._waiting:
            woken.set()

    async def _tell(self) -> None:
        """Keep the pool's status as it is here."""
        pause = _AGAIN_FIRST
        await self.wait_synced()
        while True:
            await self._changed.wait()
            await asyncio.sleep(_LINGER)
            self._changed.clear()
            try:
                await self._write()
                pause = _AGAIN_FIRST
            except NotFound:
                continue  # the pool is gone; if it comes again, it changes
            except ApiError as error:
                log.warning("claims not written", cause=str(error), again_in=pause)
                self._changed.set()
                await asyncio.sleep(pause)
                pause = min(_AGAIN_LAST, pause * 2)

    async def _write(self) -> None:
        pool = self._pools.store.get(self._node)
        if pool is None:
            return
        claims, shown = self.shelf.claims(), pool.status
        seen = self.shelf.generation
        if shown.claims == claims and (shown.observed_generation == seen or not self.shelf.asked):
            return
        body = {
            "metadata": {"uid": pool.metadata.uid},
            "status": {"observedGeneration": seen, "claims": [_plain(claim) for claim in claims]},
        }
        await self._client.patch(PORT_POOLS, self._node, body, subresource="status")


def _plain(claim: Claim) -> dict[str, str]:
    written = {
        "portID": claim.port_id,
        "podUID": claim.pod_uid,
        "namespace": claim.namespace,
        "name": claim.name,
    }
    return written | ({"interface": claim.interface} if claim.interface else {})
