"""A node without links: its daemon's part that hands out ports, told by a player of the kubelet."""

import asyncio

from causeway.kube.client import Client
from causeway.kube.errors import Conflict, NotFound, TooManyRequests, Unavailable
from causeway.kube.objects import Pod
from causeway.kube.reflector import ApiSource, Reflector
from causeway.kube.resource import PODS
from causeway.kube.store import Change, Store
from causeway.serve.node.ports import NodePorts, of_node

_AGAIN = 0.5  # seconds, as a kubelet tries again what the API did not take


class Player:
    """Has each pod of a node take a port when it comes and let it go when it goes."""

    def __init__(self, daemon: Client, kubelet: Client, node: str) -> None:
        self._client = kubelet
        self._node = node
        self._ports = NodePorts(of_node(daemon, node), daemon, node)
        self._adding: dict[str, asyncio.Task[None]] = {}
        self._names: dict[str, set[str]] = {}  # of interfaces, by the pod's uid

    def knows(self, namespace: str, policy: str) -> bool:
        """Say whether the node has heard of a NetworkPolicy."""
        return self._ports._policies.store.get(f"{namespace}/{policy}") is not None

    async def run(self) -> None:
        """Play until cancelled."""
        fields = f"spec.nodeName={self._node},spec.hostNetwork=false"
        pods = Reflector(ApiSource(self._client, PODS, Pod, fields=fields), Store[Pod]())
        async with asyncio.TaskGroup() as group:

            def changed(change: Change[Pod]) -> None:
                pod = change.new
                if pod is None or pod.status.phase in {"Succeeded", "Failed"}:
                    uid = (change.old or change.new).metadata.uid  # type: ignore[union-attr]  # never both None
                    if uid in self._adding:
                        self._adding.pop(uid).cancel()
                        for name in self._names.pop(uid, {"eth0"}):
                            self._ports.let_go((uid, name))
                elif pod.metadata.uid not in self._adding:
                    self._adding[pod.metadata.uid] = group.create_task(self._add(pod))

            pods.handlers.append(changed)
            group.create_task(pods.run())
            group.create_task(self._ports.run())

    async def _add(self, pod: Pod) -> None:
        meta = pod.metadata
        port = await self._ports.take(meta.namespace, meta.name, meta.uid, (meta.uid, "eth0"))
        for each in self._ports.further(meta.namespace, meta.name):
            self._names.setdefault(meta.uid, {"eth0"}).add(each.name)
            await self._ports.take(meta.namespace, meta.name, meta.uid, (meta.uid, each.name), each.name)
        address = port.fixed_ips[0].ip_address
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        body = {"metadata": {"uid": meta.uid}, "status": status}
        while True:
            try:
                await self._client.patch(PODS, meta.name, body, meta.namespace, subresource="status")
            except (NotFound, Conflict):
                return  # it is gone, or another one has its name
            except (Unavailable, TooManyRequests):
                await asyncio.sleep(_AGAIN)
            else:
                return
