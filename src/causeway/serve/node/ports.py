"""The ports of this node's pods, as the controller tells them by PodPorts."""

import asyncio

from causeway.kube.client import Client
from causeway.kube.objects import PodPort, PodPortSpec
from causeway.kube.reflector import ApiSource, Reflector, Source
from causeway.kube.resource import POD_PORTS
from causeway.kube.store import Change, Store

NODE_LABEL = "causeway.dev/node"


def of_node(client: Client, node: str) -> Source[PodPort]:
    """Return where the PodPorts of a node come from."""
    return ApiSource(client, POD_PORTS, PodPort, labels=f"{NODE_LABEL}={node}")


class WatchedPorts:
    """The PodPorts of one node, kept by a watch."""

    def __init__(self, source: Source[PodPort], node: str) -> None:
        self._reflector = Reflector(source, Store[PodPort]())
        self._reflector.handlers.append(self._changed)
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._node = node

    @property
    def synced(self) -> bool:
        """Say whether all ports that exist are known."""
        return self._reflector.synced.is_set()

    async def wait_synced(self) -> None:
        """Return once ``synced``."""
        await self._reflector.synced.wait()

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._reflector.run()

    async def wait_for(self, namespace: str, name: str, uid: str) -> PodPortSpec:
        """Return the port of the pod with that UID, never that of an earlier pod of the same name."""
        key = f"{namespace}/{name}"
        woken = asyncio.Event()
        self._waiting.setdefault(key, set()).add(woken)
        try:
            while True:
                woken.clear()
                port = self._reflector.store.get(key)
                if port is not None and port.spec.pod_uid == uid and port.spec.node == self._node:
                    return port.spec
                await woken.wait()
        finally:
            waiting = self._waiting[key]
            waiting.discard(woken)
            if not waiting:
                del self._waiting[key]

    def _changed(self, change: Change[PodPort]) -> None:
        for woken in self._waiting.get(change.key, ()):
            woken.set()
