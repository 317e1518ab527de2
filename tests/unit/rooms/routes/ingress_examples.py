"""Ingresses and what they name, short to write."""

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec
from tests.unit.rooms.routes.examples import OFFER, certificate, slice_of

from causeway.kube.ingresses import Ingress, IngressClass, Secret
from causeway.kube.objects import Meta, Service
from causeway.rooms.routes.compiling import compile_route
from causeway.rooms.routes.ingresses import Derived, derive
from causeway.rooms.routes.model import Entry, Refusal
from causeway.rooms.routes.parts import Part

NGINX = "nginx.ingress.kubernetes.io/"


def path(text: str, kind: str = "Prefix", service: str = "shop", port: int | str = 80) -> dict[str, Any]:
    """Return a path that leads to a service."""
    which = {"number": port} if isinstance(port, int) else {"name": port}
    return {
        "path": text,
        "pathType": kind,
        "backend": {"service": {"name": service, "port": which}},
    }


def rule(host: str, *paths: dict[str, Any]) -> dict[str, Any]:
    """Return a rule; without a path the one of the whole host."""
    return {"http": {"paths": list(paths or (path("/"),))}} | ({"host": host} if host else {})


def ingress(name: str = "shop", namespace: str = "one", **given: Any) -> Ingress:
    """Return an Ingress; ``age`` orders creation, the smallest first, the rest is its spec."""
    annotations, age = given.pop("annotations", {}), given.pop("age", 0)
    created = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=age)
    body = {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "annotations": annotations,
        },
        "spec": {"rules": [rule("www.apps.example")]} | given,
    }
    return msgspec.convert(body, Ingress)


def service(name: str = "shop", **ports: int) -> Service:
    """Return a service with ports by name; without any one of no name, 80."""
    listed = [{"name": name, "port": number} for name, number in ports.items()] or [{"port": 80}]
    return msgspec.convert({"metadata": {"name": name}, "spec": {"ports": listed}}, Service)


def secret(host: str = "www.apps.example", **given: Any) -> Secret:
    """Return a Secret with a certificate; ``data`` and ``type`` instead of what is usual."""
    chain, key = certificate(host)
    data = given.get("data", {"tls.crt": chain.encode(), "tls.key": key.encode()})
    return Secret(Meta(name="cert", namespace="one"), given.get("type", "kubernetes.io/tls"), data)


def derived(
    given: Ingress,
    secrets: Mapping[str, Secret] | None = None,
    services: Mapping[str, Service] | None = None,
) -> Derived:
    """Derive an Ingress; by default every service is there."""
    have = secrets or {}
    found = derive(
        given,
        lambda name: have.get(name, "does not exist"),
        lambda name: service(name) if services is None else services.get(name),
    )
    assert len({each.metadata.name for each in found.parts}) == len(found.parts)
    return found


def part(given: Ingress, secrets: Mapping[str, Secret] | None = None) -> Part:
    """Return the only part of an Ingress of which there is nothing to be told."""
    found = derived(given, secrets)
    assert found.notes == ()
    (only,) = found.parts
    return only


def notes(given: Ingress, secrets: Mapping[str, Secret] | None = None) -> dict[str, str]:
    return {each.reason: each.message for each in derived(given, secrets).notes}


def compiled(given: Part) -> Entry | Refusal:
    return compile_route(given, lambda _namespace, _name: [slice_of({"10.0.0.1": True})], OFFER)


def entry(given: Part) -> Entry:
    found = compiled(given)
    assert isinstance(found, Entry), found
    return found


def class_of(name: str, controller: str, *, default: bool = False) -> IngressClass:
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    body = {"metadata": {"name": name, "annotations": annotations}, "spec": {"controller": controller}}
    return msgspec.convert(body, IngressClass)
