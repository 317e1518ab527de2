"""The writing end of Kubernetes for one Service, in memory."""

import itertools
from collections.abc import Callable
from typing import Any

import msgspec

from causeway.kube.client import Client
from causeway.kube.errors import Conflict
from causeway.kube.objects import Condition, IngressAddress, LoadBalancerStatus, Service, ServiceStatus
from causeway.kube.resource import Resource


class ModelKube(Client):
    """Takes server-side apply of a Service's finalizers and status."""

    def __init__(self, service: Service) -> None:
        self.service: Service | None = service
        self.told: Callable[[Service | None], None] = lambda _: None
        self._versions = itertools.count(1)

    async def apply(
        self,
        body: dict[str, Any],
        *,
        manager: str,
        force: bool = True,
        resource: Resource | None = None,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        meta = body["metadata"]
        if self.service is None or self.service.metadata.uid != meta["uid"]:
            raise Conflict("service", "uid mismatch")
        if subresource == "status":
            self.put(msgspec.structs.replace(self.service, status=_status(body["status"])))
            return body
        finalizers = tuple(meta["finalizers"])
        changed = msgspec.structs.replace(self.service.metadata, finalizers=finalizers)
        gone = changed.deletion_timestamp and not finalizers
        self.put(None if gone else msgspec.structs.replace(self.service, metadata=changed))
        return body

    def put(self, service: Service | None) -> None:
        """Change or remove the Service, and tell who watches."""
        if service is not None:
            version = str(next(self._versions))
            meta = msgspec.structs.replace(service.metadata, resource_version=version)
            service = msgspec.structs.replace(service, metadata=meta)
        self.service = service
        self.told(service)


def _status(body: dict[str, Any]) -> ServiceStatus:
    ingress = tuple(IngressAddress(ip=one["ip"]) for one in body["loadBalancer"].get("ingress", ()))
    conditions = tuple(
        Condition(one["type"], one["status"], one["reason"], one["message"]) for one in body["conditions"]
    )
    return ServiceStatus(LoadBalancerStatus(ingress), conditions)
