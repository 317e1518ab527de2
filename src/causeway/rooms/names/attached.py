"""Routes of Gateway API -> the records they want, at the addresses of the Gateways that took them. Pure.

As external-dns's sources ``gateway-httproute`` and ``gateway-tlsroute`` have them: a route says which hosts
it is for and of how long a life, in its annotations further ones; the Gateway where they lead, by its status
or its annotation ``target``. A host counts where a listener that takes the route has it as well. A route
without hosts has its listeners'.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from causeway.kube.attaching import KINDS, hosts_at, lets_in, parent_of
from causeway.kube.gateways import (
    GATEWAYS,
    GROUP,
    HTTP_ROUTES,
    TLS_ROUTES,
    Gateway,
    HTTPRoute,
    Listener,
    ParentReference,
    TLSRoute,
)
from causeway.kube.objects import Namespace, key_of
from causeway.kube.resource import Resource
from causeway.rooms.names.annotations import GATEWAY_HOSTS, Annotations, absolute, read, target
from causeway.rooms.names.model import HTTP_ROUTE, TLS_ROUTE, Note, Setting, Source, Wish
from causeway.rooms.names.wishes import by_wildcard, places_of, source_from, unread, wishes

Attached = HTTPRoute | TLSRoute


@dataclass(frozen=True)
class Gateways:
    """What of Gateway API there is: routes, by their keys what they attach to, and labels of namespaces.

    ``known`` are the kinds of whose routes all are here, with all they attach to.
    """

    routes: Iterable[Attached] = ()
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        routes: Mapping[str, Iterable[Attached] | None],
        gateways: Iterable[Gateway] | None,
        namespaces: Iterable[Namespace],
    ) -> "Gateways":
        """Return them as they are found, routes by kind; None stands for what could not be listed.

        Without Gateways nobody knows where routes lead, so that no route is known either.
        """
        if gateways is None:
            return NONE
        listed = {kind: tuple(each) for kind, each in routes.items() if each is not None}
        return cls(
            tuple(route for each in listed.values() for route in each),
            {key_of(each): each for each in gateways},
            {each.metadata.name: each.metadata.labels for each in namespaces},
            frozenset(listed),
        )


NONE = Gateways()


def of_attached(route: Attached, around: Gateways, setting: Setting) -> Iterator[Wish | Note]:
    """Yield the names of a route, at where the Gateways are that accepted it, whoever serves them.

    As of a Route, its hosts count only in a zone of ours, and need nothing where a wildcard answers for them.
    """
    said, who = read(route.metadata.annotations, GATEWAY_HOSTS), source_of_attached(route)
    if route.metadata.deletion_timestamp or not said.ours:
        return
    yield from unread(who, said)
    places: dict[str, dict[str, None]] = {}
    for reference in accepted(route):
        gateway = around.gateways.get(parent_of(reference, route.metadata.namespace))
        if gateway is None:
            continue
        told = read(gateway.metadata.annotations)
        yield from unread(who, told, f"{GATEWAYS.kind} {key_of(gateway)}")
        listeners = [
            each.hostname.lower()
            for each in gateway.spec.listeners
            if _takes(each, reference, route, gateway.metadata.namespace, around)
        ]
        hosts = dict.fromkeys(_common(route.spec.hostnames or ("",), listeners))
        yield from by_wildcard(hosts, addresses(gateway), setting, who)
        for name in _names(route, said, hosts, listeners, setting=setting):
            places.setdefault(name, {}).update(dict.fromkeys(told.targets or addresses(gateway)))
    for order, (name, found) in enumerate(places.items()):
        yield from wishes([name], places_of(name, found, setting), who, said.ttl, first=order)


def source_of_attached(route: Attached) -> Source:
    """Return a route as a source of wishes."""
    return source_from(HTTP_ROUTE if isinstance(route, HTTPRoute) else TLS_ROUTE, route.metadata)


def accepted(route: Attached) -> list[ParentReference]:
    """Return by which of its references a route is attached, as its status says.

    What it says of an earlier generation counts as well: a name must not go with each change of a route.
    """
    found = []
    asked = {_place(each, route) for each in route.spec.parent_refs}
    for entry in route.status.get("parents") or ():
        reference = msgspec.convert(entry.get("parentRef") or {}, ParentReference)
        if _place(reference, route) in asked and _holds("Accepted", entry.get("conditions") or ()):
            found.append(reference)
    return found


def addresses(gateway: Gateway) -> tuple[str, ...]:
    """Return the addresses and names at which a Gateway is, as its status says."""
    told = [target(str(each.get("value", ""))) for each in gateway.status.get("addresses") or ()]
    return tuple(each for each in told if each is not None)


def _names(
    route: Attached, said: Annotations, hosts: Iterable[str], listeners: Sequence[str], *, setting: Setting
) -> list[str]:
    """Return the names a route has at listeners with these hostnames, where ``hosts`` are its and theirs."""
    counted = said.hosts if route.spec.hostnames else said.inherits
    own = [each for each in hosts if counted and setting.zone_of(each)]
    return list(dict.fromkeys([*own, *_common(said.hostnames, listeners)]))


def _common(hosts: Iterable[str], listeners: Sequence[str]) -> list[str]:
    """Return as absolute names the hosts that are also listeners'."""
    found = [each for host in hosts for one in listeners for each in hosts_at([host.rstrip(".")], one)]
    return [name for name in map(absolute, found) if name is not None]


def _takes(
    listener: Listener, reference: ParentReference, route: Attached, home: str, around: Gateways
) -> bool:
    """Return whether a listener of a Gateway in the namespace ``home`` takes a route by a reference."""
    kind, namespace = _resource(route).kind, route.metadata.namespace
    kinds = listener.allowed_routes.kinds
    return (
        reference.section_name in (None, listener.name)
        and reference.port in (None, listener.port)
        and KINDS.get(listener.protocol) == kind
        and (not kinds or (GROUP, kind) in {(each.group, each.kind) for each in kinds})
        and lets_in(listener.allowed_routes, home, namespace, around.labels.get(namespace))
    )


def _resource(route: Attached) -> Resource:
    return HTTP_ROUTES if isinstance(route, HTTPRoute) else TLS_ROUTES


def _place(reference: ParentReference, route: Attached) -> tuple[str, str | None, int | None]:
    return parent_of(reference, route.metadata.namespace), reference.section_name, reference.port


def _holds(kind: str, conditions: Iterable[Mapping[str, Any]]) -> bool:
    return any((each.get("type"), each.get("status")) == (kind, "True") for each in conditions)
