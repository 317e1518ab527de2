"""Gateways, routes and what they name, short to write."""

from collections.abc import Mapping
from typing import Any

import msgspec
from tests.unit.rooms.routes.examples import certificate

from causeway.kube.gateways import Gateway, Grant, HTTPRoute, TCPRoute, TLSRoute
from causeway.kube.ingresses import Secret
from causeway.kube.objects import Namespace, Service
from causeway.rooms.routes.gateway.deriving import Derived, World, derive
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.gateway.listeners import Offered
from causeway.rooms.routes.parts import Opening, Rule, Table

Object = dict[str, Any]
Thing = Gateway | HTTPRoute | TLSRoute | TCPRoute | Grant | Secret

OFFERED = Offered("192.0.2.1", frozenset({9000, 9001}))


def meta(name: str, namespace: str = "one", age: int = 0) -> Object:
    return {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{namespace}-{name}",
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": f"2026-01-01T00:00:{age:02}Z",
    }


def listener(protocol: str = "HTTP", **given: Any) -> Object:
    port = {"HTTP": 80}.get(protocol, 443)
    return {"name": protocol.lower(), "protocol": protocol, "port": port} | given


def gateway(
    *listeners: Object, name: str = "edge", namespace: str = "one", age: int = 0, **given: Any
) -> Gateway:
    spec = {"gatewayClassName": "causeway", "listeners": list(listeners or (listener(),))} | given
    return msgspec.convert({"metadata": meta(name, namespace, age), "spec": spec}, Gateway)


def rule(*backends: str, **given: Any) -> Object:
    """Return a rule whose backends are services' port 80; ``path`` for a single prefix."""
    path = given.pop("path", None)
    if path is not None:
        given["matches"] = [{"path": {"type": "PathPrefix", "value": path}}]
    return {"backendRefs": [{"name": each, "port": 80} for each in backends]} | given


def http(*rules: Object, name: str = "shop", namespace: str = "one", age: int = 0, **given: Any) -> HTTPRoute:
    spec = {"parentRefs": [{"name": "edge"}], "rules": list(rules or (rule("shop"),))} | given
    return msgspec.convert({"metadata": meta(name, namespace, age), "spec": spec}, HTTPRoute)


def tls(name: str = "bank", age: int = 0, **given: Any) -> TLSRoute:
    spec = {"parentRefs": [{"name": "edge"}], "rules": [rule(name)]} | given
    return msgspec.convert({"metadata": meta(name, age=age), "spec": spec}, TLSRoute)


def tcp(name: str = "queue", age: int = 0, **given: Any) -> TCPRoute:
    spec = {"parentRefs": [{"name": "edge"}], "rules": [rule(name)]} | given
    return msgspec.convert({"metadata": meta(name, age=age), "spec": spec}, TCPRoute)


def grant(namespace: str, kind: str, origin: str, to: Object) -> Grant:
    source = {"group": "gateway.networking.k8s.io", "kind": kind, "namespace": origin}
    return msgspec.convert(
        {"metadata": meta("grant", namespace), "spec": {"from": [source], "to": [to]}}, Grant
    )


def secret(
    name: str, namespace: str = "one", host: str = "www.example", names: tuple[str, ...] = ()
) -> Secret:
    chain, key = certificate(host, names=names)
    return msgspec.convert(
        {
            "metadata": meta(name, namespace),
            "type": "kubernetes.io/tls",
            "data": {"tls.crt": chain.encode(), "tls.key": key.encode()},
        },
        Secret,
    )


def world(*things: Thing, labels: Mapping[str, Object] | None = None, offered: Offered = OFFERED) -> World:
    """Return a world in which every service but ``nobody`` has a port 80."""
    service = msgspec.convert({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}, Service)
    secrets = {
        f"{each.metadata.namespace}/{each.metadata.name}": each for each in things if isinstance(each, Secret)
    }
    return World(
        gateways=tuple(each for each in things if isinstance(each, Gateway)),
        routes=tuple(each for each in things if isinstance(each, HTTPRoute | TLSRoute | TCPRoute)),
        namespaces={
            name: msgspec.convert({"metadata": {"name": name, "labels": some}}, Namespace)
            for name, some in (labels or {}).items()
        },
        services=lambda key: None if key.endswith("/nobody") else service,
        secrets=lambda key: secrets.get(key, "does not exist"),
        grants=Grants(each for each in things if isinstance(each, Grant)),
        offered=offered,
    )


def derived(*things: Thing, **given: Any) -> Derived:
    return derive(world(*things, **given))


def tables(found: Derived) -> dict[str, dict[str, str]]:
    """Return the entries of maps by the key of their table, each as "map key": value."""
    return {
        key: {f"{name} {entry}": value for name, entry, value in part.entries}
        for key, part in found.parts.items()
        if isinstance(part, Table)
    }


def rules(found: Derived) -> list[Rule]:
    return [part for part in found.parts.values() if isinstance(part, Rule)]


def accepted(found: Derived, key: str = "one/shop", kind: str = "HTTPRoute") -> list[str]:
    """Return the reasons at each parent, "" for accepted."""
    return [each.accepted.reason if each.accepted else "" for each in found.attached[f"{kind} {key}"]]


def resolved(found: Derived, key: str = "one/shop", kind: str = "HTTPRoute") -> str:
    (only,) = found.attached[f"{kind} {key}"]
    return only.resolved.reason if only.resolved else ""


def openings(found: Derived) -> dict[int, str]:
    """Return what further ports lead to."""
    return {part.port: part.leads for part in found.parts.values() if isinstance(part, Opening)}


def table(found: Derived, host: str) -> Table:
    """Return the table of a host."""
    (only,) = (each for each in found.parts.values() if isinstance(each, Table) and each.spec.host == host)
    return only
