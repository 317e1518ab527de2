"""PortPools as the controller writes them: the spec whole and only on top of what was read, and conditions.

A patch that first tests the generation is refused when anybody wrote the spec since, such as a controller
that leads meanwhile; the node's own writes, which are of the status, do not get in its way.
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from causeway.kit.errors import Finding
from causeway.kube.errors import NotFound, Object
from causeway.kube.objects import Claim, Condition, Node, Pod, PoolPort, PortPool
from causeway.kube.resource import NODES, PORT_POOLS, Resource
from causeway.rooms.pods import statuses

SUPPLIED = "Supplied"
"""The condition that says whether a pool gets the ports it needs."""
POLICIES_IN_EFFECT = "PoliciesInEffect"
"""The condition that says whether the pods of a node have the security groups their policies ask for."""
_MESSAGE_LENGTH = 1000


class Writer(Protocol):
    """The part of the Kubernetes client that writes PortPools."""

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        """Create an object."""
        ...

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


class Pools:
    """Writes PortPools; ``own_networks`` is what their specs say about namespaces."""

    def __init__(self, client: Writer, *, own_networks: bool = False) -> None:
        self._client = client
        self._own_networks = own_networks
        self._told: dict[str, dict[str, tuple[Condition, str]]] = {}  # with the moment, by type and pool

    async def write(
        self, name: str, pool: PortPool | None, node: Node | None, entries: tuple[PoolPort, ...]
    ) -> PortPool:
        """Write the ports of a pool, which is made if there is none, and return it. Raises ``ApiError``."""
        spec = {"ports": msgspec.to_builtins(entries), "ownNetworks": self._own_networks}
        if pool is None:
            owners = []
            if node is not None:
                owners = [{"apiVersion": "v1", "kind": NODES.kind, "name": name, "uid": node.metadata.uid}]
            body = {
                "apiVersion": PORT_POOLS.api_version,
                "kind": PORT_POOLS.kind,
                "metadata": {"name": name, "ownerReferences": owners},
                "spec": spec,
            }
            written = await self._client.create(PORT_POOLS, body)
        else:
            change = [
                {"op": "test", "path": "/metadata/uid", "value": pool.metadata.uid},
                {"op": "test", "path": "/metadata/generation", "value": pool.metadata.generation},
                {"op": "add", "path": "/spec", "value": spec},
            ]
            written = await self._client.patch(PORT_POOLS, name, change, kind="json")
        return msgspec.convert(written, PortPool)

    async def tell(
        self, name: str, pool: PortPool | None, conditions: Mapping[str, Mapping[str, Finding]]
    ) -> None:
        """Say in a pool's conditions what is in the way, or that nothing is. Raises ``ApiError``.

        ``conditions`` are the troubles by type of condition. One of another type than ``SUPPLIED`` is there
        from the first trouble on.
        """
        if pool is None:
            return
        shown = {one.type: one for one in pool.status.conditions}
        told = self._told.get(pool.metadata.uid, {})
        wanted = {
            kind: _condition(kind, troubles)
            for kind, troubles in conditions.items()
            if troubles or kind == SUPPLIED or kind in shown
        }
        if wanted in (shown, {kind: condition for kind, (condition, _) in told.items()}):
            return
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        since = {
            kind: told[kind][1] if kind in told and told[kind][0].status == condition.status else now
            for kind, condition in wanted.items()
        }
        written = [
            msgspec.to_builtins(one) | {"lastTransitionTime": since[one.type]} for one in wanted.values()
        ]
        body = {"metadata": {"uid": pool.metadata.uid}, "status": {"conditions": written}}
        try:
            await self._client.patch(PORT_POOLS, name, body, subresource="status")
        except NotFound:
            return
        self._told[pool.metadata.uid] = {kind: (wanted[kind], since[kind]) for kind in wanted}

    async def tell_pods(
        self, pods: Iterable[Pod], entries: Iterable[PoolPort], claims: Mapping[str, Claim]
    ) -> None:
        """Tell pods with further interfaces which they have. Raises ``ApiError``."""
        await statuses.tell(self._client, pods, entries, claims)


def _condition(kind: str, troubles: Mapping[str, Finding]) -> Condition:
    if not troubles:
        return Condition(kind, "True", "Ready")
    reason, finding = next(iter(troubles.items()))
    return Condition(kind, "False", reason, f"{finding.cause}. {finding.remedy}"[:_MESSAGE_LENGTH])
