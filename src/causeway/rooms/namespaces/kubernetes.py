"""What this room asks of Kubernetes and follows there, and the one thing it writes there."""

import datetime
from collections.abc import Collection, Mapping
from typing import Protocol

from causeway.kube.client import Client
from causeway.kube.informers import Informer
from causeway.kube.objects import SERVICE_OF_SLICE, EndpointSlice, Namespace, Pod, Service
from causeway.kube.podnetwork import NETWORK_CONDITION
from causeway.kube.resource import ENDPOINT_SLICES, NAMESPACES, PODS
from causeway.rooms.namespaces.model import Verdict

_MANAGER = "causeway-namespaces"

Numbers = Mapping[str, Mapping[str, Collection[int]]]
"""Target ports by name of the service, then of its port."""


class Sources(Protocol):
    """What this room follows."""

    @property
    def namespaces(self) -> Informer[Namespace]:
        """All namespaces, by "uid"."""
        ...

    @property
    def services(self) -> Informer[Service]:
        """All Services, by "namespace"."""
        ...

    @property
    def pods(self) -> Informer[Pod]:
        """Pods that are bound to a node and have a network of their own, by "namespace"."""
        ...


class Kube(Protocol):
    """The part of the API that this room needs."""

    async def pods(self, namespace: str) -> list[Pod]:
        """Return the pods of a namespace: asked only when its network is to change."""
        ...

    async def target_ports(self, namespace: str, services: Collection[str]) -> Numbers:
        """Return what the EndpointSlices of services say about ports that are targeted by name."""
        ...

    async def write_condition(self, namespace: Namespace, verdict: Verdict | None) -> None:
        """Make this room's condition of a namespace say ``verdict``, or be gone."""
        ...


class Api:
    """The API itself."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def pods(self, namespace: str) -> list[Pod]:
        """Return the pods of a namespace."""
        return (await self._client.list(PODS, namespace, of=Pod)).items

    async def target_ports(self, namespace: str, services: Collection[str]) -> Numbers:
        """Return the target ports of services as their EndpointSlices have them."""
        found: dict[str, dict[str, set[int]]] = {}
        labels = f"{SERVICE_OF_SLICE} in ({','.join(services)})"
        for part in (
            await self._client.list(ENDPOINT_SLICES, namespace, labels=labels, of=EndpointSlice)
        ).items:
            of_service = found.setdefault(part.metadata.labels[SERVICE_OF_SLICE], {})
            for port in part.ports or ():
                if port.port is not None:
                    of_service.setdefault(port.name or "", set()).add(port.port)
        return found

    async def write_condition(self, namespace: Namespace, verdict: Verdict | None) -> None:
        """Apply the condition, all that this room owns of a namespace."""
        # With the uid, applying to a namespace that is gone fails instead of making another one.
        meta = {"name": namespace.metadata.name, "uid": namespace.metadata.uid}
        conditions = []
        if verdict is not None:
            conditions.append(
                {
                    "type": NETWORK_CONDITION,
                    "status": "True" if verdict.ready else "False",
                    "reason": verdict.reason,
                    "message": verdict.message,
                    "lastTransitionTime": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            )
        body = {"metadata": meta, "status": {"conditions": conditions}}
        await self._client.apply(body, manager=_MANAGER, resource=NAMESPACES, subresource="status")
