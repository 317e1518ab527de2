"""The nodes' part in a platform without nodes: claims ports for pods and reports the pods' addresses.

What a node daemon does with a port is measured elsewhere; here only what it writes matters: one status for
many claims, as it does. One watch of all pools serves all nodes.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from causeway.kube.client import Client
from causeway.kube.errors import ApiError
from causeway.kube.objects import Claim, PoolPort, PortPool
from causeway.kube.reflector import ApiSource, Reflector
from causeway.kube.resource import PODS, PORT_POOLS
from causeway.kube.store import Change, Store

_LINGER = 0.2  # seconds claims are collected before they are written
_AT_ONCE = 16


class Kubelets:
    """All nodes of a platform; ``served`` is how many of their pods have a port."""

    def __init__(self, kube: Client) -> None:
        self._kube = kube
        self._waiting: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)  # node -> uid -> pod
        self._isolated: set[str] = set()
        self._claims: dict[str, dict[str, Claim]] = defaultdict(dict)  # node -> port -> claim
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._due: dict[str, PortPool] = {}
        self.served = 0

    def bound(self, pod: dict[str, Any], *, isolated: bool) -> None:
        """Take note of a pod that is bound to a node; an ``isolated`` one waits for a port of its own."""
        meta = pod["metadata"]
        if isolated:
            self._isolated.add(meta["uid"])
        self._waiting[pod["spec"]["nodeName"]][meta["uid"]] = (meta["namespace"], meta["name"])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Play all kubelets and daemons for as long as the block takes."""
        pools = Reflector(ApiSource(self._kube, PORT_POOLS, PortPool), Store[PortPool]())
        async with asyncio.TaskGroup() as group:

            def changed(change: Change[PortPool]) -> None:
                if change.new is None:
                    return
                node = change.new.metadata.name
                if node not in self._due:
                    group.create_task(self._answer(node))
                self._due[node] = change.new

            pools.handlers.append(changed)
            watching = group.create_task(pools.run())
            yield
            watching.cancel()

    async def _answer(self, node: str) -> None:
        """Claim what can be claimed on a node and tell that its pool is known."""
        await asyncio.sleep(_LINGER)
        pool = self._due.pop(node)
        taken = []
        for port in pool.spec.ports:
            uid = self._wanted(node, port)
            if uid is not None:
                pod = self._waiting[node].pop(uid)
                self._claims[node][port.port_id] = Claim(port.port_id, uid, *pod)
                taken.append((port, pod))
        if not taken and pool.status.observed_generation == pool.metadata.generation:
            return
        status = {
            "observedGeneration": pool.metadata.generation,
            "claims": [
                {"portID": one.port_id, "podUID": one.pod_uid, "namespace": one.namespace, "name": one.name}
                for one in self._claims[node].values()
            ],
        }
        async with self._free:
            await self._kube.patch(PORT_POOLS, node, {"status": status}, subresource="status")
        for port, (namespace, name) in taken:
            async with self._free:
                await self._report(namespace, name, port)
            self.served += 1

    def _wanted(self, node: str, port: PoolPort) -> str | None:
        """Return the pod that may have a port."""
        if port.retiring or port.port_id in self._claims[node]:
            return None
        if port.pod_uid:
            return port.pod_uid if port.pod_uid in self._waiting[node] else None
        return next((uid for uid in self._waiting[node] if uid not in self._isolated), None)

    async def _report(self, namespace: str, name: str, port: PoolPort) -> None:
        address = port.fixed_ips[0].ip_address
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        with contextlib.suppress(ApiError):
            await self._kube.patch(PODS, name, {"status": status}, namespace, subresource="status")
