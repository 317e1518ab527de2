"""The writing end of Kubernetes for one Service, in memory."""

import itertools
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from causeway.kube.client import Client
from causeway.kube.errors import Conflict, NotFound
from causeway.kube.objects import Condition, IngressAddress, LoadBalancerStatus, Service, ServiceStatus
from causeway.kube.resource import Resource


class ModelKube(Client):
    """Takes server-side apply of a Service's finalizers and status."""

    def __init__(self, service: Service) -> None:
        self.service: Service | None = service
        self.told: Callable[[Service | None], None] = lambda _: None
        self._versions = itertools.count(1)
        self._applied: dict[str, str] = {}  # annotations

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
            status = _status(body["status"])
            if "loadBalancer" not in body["status"]:  # somebody else's to say
                told = self.service.status.load_balancer
                status = msgspec.structs.replace(status, load_balancer=told)
            self.put(msgspec.structs.replace(self.service, status=status))
            return body
        finalizers, applied = tuple(meta["finalizers"]), meta["annotations"]
        given = self.service.metadata.annotations
        left_out = {key for key, value in self._applied.items() if given.get(key) == value} - applied.keys()
        annotations = {key: value for key, value in given.items() if key not in left_out} | applied
        self._applied = applied
        changed = msgspec.structs.replace(
            self.service.metadata, finalizers=finalizers, annotations=annotations
        )
        gone = changed.deletion_timestamp and not finalizers
        self.put(None if gone else msgspec.structs.replace(self.service, metadata=changed))
        return {"metadata": meta | {"annotations": annotations}}

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: dict[str, Any],
        namespace: str | None = None,
        *,
        kind: Literal["merge", "json", "strategic"] = "merge",
        subresource: str | None = None,
    ) -> dict[str, Any]:
        if self.service is None:
            raise NotFound("service", "it is gone")
        removed = body["metadata"]["annotations"].keys()
        given = self.service.metadata.annotations
        annotations = {key: value for key, value in given.items() if key not in removed}
        changed = msgspec.structs.replace(self.service.metadata, annotations=annotations)
        self.put(msgspec.structs.replace(self.service, metadata=changed))
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
    given = body.get("loadBalancer", {}).get("ingress", ())
    ingress = tuple(IngressAddress(one.get("ip", ""), one.get("hostname", "")) for one in given)
    conditions = tuple(
        Condition(one["type"], one["status"], one["reason"], one["message"]) for one in body["conditions"]
    )
    return ServiceStatus(LoadBalancerStatus(ingress), conditions)
