"""What users write of Gateway API, and what is told about it."""

from collections.abc import Mapping
from typing import Any

from tests.integration.routes.front_door import until
from tests.integration.routes.ingresses import Ingresses

from causeway.kube.gateways import (
    GATEWAY_CLASSES,
    GATEWAYS,
    GRANTS,
    GROUP,
    HTTP_ROUTES,
    TCP_ROUTES,
    TLS_ROUTES,
)
from causeway.kube.resource import Resource
from causeway.rooms.routes.classes import CONTROLLER

ALL = (HTTP_ROUTES, TLS_ROUTES, TCP_ROUTES, GRANTS, GATEWAYS)
Object = dict[str, Any]


def listener(protocol: str = "HTTP", **given: Any) -> Object:
    """Return a listener that takes routes from all namespaces."""
    port = 80 if protocol == "HTTP" else 443
    allowed = {"namespaces": {"from": "All"}}
    name = given.pop("name", protocol.lower())
    return {"name": name, "protocol": protocol, "port": port, "allowedRoutes": allowed} | given


def backend(name: str, **given: Any) -> Object:
    return {"name": name, "port": 80} | given


def http_rule(*backends: Object, **given: Any) -> Object:
    """Return a rule: ``matches`` and ``filters`` besides its backends; ``path`` for a single prefix."""
    path = given.pop("path", None)
    if path is not None:
        given["matches"] = [{"path": {"type": "PathPrefix", "value": path}}]
    return {"backendRefs": list(backends)} | given


class Gateways(Ingresses):
    """Users' objects in a namespace."""

    async def write(self, resource: Resource, name: str, spec: Object, namespace: str = "") -> None:
        meta = {"name": name} | ({"namespace": namespace or self.namespace} if resource.namespaced else {})
        await self.site.admin.apply({"metadata": meta, "spec": spec}, manager="test", resource=resource)

    async def gateway_class(self) -> None:
        await self.write(GATEWAY_CLASSES, "causeway", {"controllerName": CONTROLLER})

    async def gateway(self, name: str, *listeners: Object, **given: Any) -> None:
        await self.write(
            GATEWAYS, name, {"gatewayClassName": "causeway", "listeners": list(listeners)} | given
        )

    async def http(self, name: str, *rules: Object, gateway: str = "edge", **given: Any) -> None:
        """Make an HTTPRoute, or change it: ``hostnames``, ``parentRefs``."""
        namespace = given.pop("namespace", "")
        spec = {"parentRefs": [{"name": gateway, "namespace": self.namespace}], "rules": list(rules)} | given
        await self.write(HTTP_ROUTES, name, spec, namespace)

    async def status(self, resource: Resource, name: str, namespace: str = "") -> Object:
        found = await self.site.admin.get(
            resource, name, (namespace or self.namespace) if resource.namespaced else None
        )
        return dict(found.get("status") or {})

    async def says(
        self, resource: Resource, name: str, wanted: Mapping[str, str], namespace: str = ""
    ) -> Object:
        """Wait until the conditions of an object (of a route: at its first parent) have these reasons."""
        found: Object = {}

        async def said() -> bool:
            found.clear()
            found.update(await self.status(resource, name, namespace))
            held = next(iter(found.get("parents") or [found]))
            reasons = {each["type"]: each["reason"] for each in held.get("conditions") or ()}
            return all(reasons.get(kind) == reason for kind, reason in wanted.items())

        await until(said, f"{resource.kind} {name} says {wanted}, not {found}")
        return found

    async def listener_says(self, gateway: str, name: str, wanted: Mapping[str, str]) -> Object:
        """Wait until the conditions of a listener have these reasons."""
        found: Object = {}

        async def said() -> bool:
            found.clear()
            found.update(await self._listener(gateway, name))
            reasons = {each["type"]: each["reason"] for each in found.get("conditions") or ()}
            return all(reasons.get(kind) == reason for kind, reason in wanted.items())

        await until(said, f"listener {name} says {wanted}, not {found}")
        return found

    async def attached(self, gateway: str, name: str, wanted: int) -> None:
        """Wait until as many routes are told to be attached to a listener.

        A Gateway's status is written beside its routes', not before them.
        """

        async def told() -> bool:
            return bool((await self._listener(gateway, name)).get("attachedRoutes") == wanted)

        await until(told, f"{wanted} routes are attached to listener {name}")

    async def _listener(self, gateway: str, name: str) -> Object:
        listeners = (await self.status(GATEWAYS, gateway)).get("listeners") or ()
        return next((each for each in listeners if each["name"] == name), {})

    async def grant(self, namespace: str, kind: str, to: Object) -> None:
        """Allow objects of ``kind`` of our namespace to refer into another."""
        origin = {"group": GROUP, "kind": kind, "namespace": self.namespace}
        await self.write(GRANTS, "grant", {"from": [origin], "to": [to]}, namespace)
