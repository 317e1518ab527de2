"""The servers behind a route: the ready endpoints of its services, and what share each gets."""

import functools
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from causeway.kube.objects import EndpointPort, EndpointSlice
from causeway.kube.routes import Route, RouteSpec, RouteTarget
from causeway.rooms.routes.parts import Opening, Rule, Table

MOST_WEIGHT = 256

SlicesOf = Callable[[str, str], Iterable[EndpointSlice]]
"""Returns the slices of a service, by namespace and name."""


class Address(NamedTuple):
    """Where a server listens; ``h2c`` if it speaks HTTP/2 without TLS."""

    ip: str
    port: int
    h2c: bool = False

    @property
    def place(self) -> str:
        """Return it as HAProxy writes it."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def targets(spec: RouteSpec) -> dict[str, int]:
    """Return the services of a route with their weights."""
    return {each.name: _weight(each) for each in (*spec.alternate_backends, spec.to)}


def services_of(route: Route) -> list[str]:
    """Return the keys of the services whose endpoints a route needs."""
    if isinstance(route, Rule):
        return [each.service for each in route.targets]
    if isinstance(route, Table | Opening):
        return []
    return [f"{route.metadata.namespace}/{name}" for name in targets(route.spec)]


def _weight(target: RouteTarget) -> int:
    return 1 if target.weight is None else target.weight


def ready(slices: Iterable[EndpointSlice], port: int | str | None) -> list[Address]:
    """Return where the ready endpoints listen, in order; on the port of that name or number, or on all.

    One that HAProxy cannot have is left out: the API lets slices have any number as a port, and addresses
    with zeros in front, and HAProxy would be asked for such a server for ever.
    """
    found = {
        Address(endpoint.addresses[0], each.port, each.app_protocol in ("h2c", "kubernetes.io/h2c"))
        for part in slices
        if part.address_type in ("IPv4", "IPv6")
        for endpoint in part.endpoints or ()
        if endpoint.addresses
        and endpoint.conditions.ready is not False
        and _is_address(endpoint.addresses[0])
        for each in part.ports or ()
        if each.port is not None and is_meant(each, port)
    }
    return sorted(found)


def is_meant(each: EndpointPort, port: int | str | None) -> bool:
    """Return whether a port of endpoints is one that HAProxy can have, and of that name or number, or any."""
    if each.port is None or not 0 < each.port < 65_536 or each.protocol != "TCP":
        return False
    return port is None or port in (each.port, each.name) or str(port) == str(each.port)


@functools.lru_cache(maxsize=65_536)
def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def weights(services: Mapping[str, int], servers: Mapping[str, int]) -> dict[str, int]:
    """Return the weight of each server of each service, given how many servers the services have.

    A service's share is split among its servers; the largest is scaled to 256, and none that is to have
    requests gets less than 1. If only one service counts, all its servers have 1.
    """
    counted = {name: weight for name, weight in services.items() if servers.get(name)}
    if sum(weight > 0 for weight in counted.values()) == 1:
        return {name: min(weight, 1) for name, weight in counted.items()}
    each = {name: weight / servers[name] for name, weight in counted.items()}
    scale = MOST_WEIGHT / max(each.values(), default=0) if any(each.values()) else 0.0
    return {name: max(1, int(share * scale)) if share > 0 else 0 for name, share in each.items()}
