"""EndpointSlices -> the members of each port of a Service. Pure."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from causeway.kube.objects import Endpoint, EndpointSlice, Service, ServicePort
from causeway.rooms.services.model import Member, Place


def members(
    service: Service, port: ServicePort, slices: Iterable[EndpointSlice], version: int
) -> frozenset[Member]:
    """Return the members of a port in one address family (4 or 6).

    All ready endpoints; while none is ready, those that are ending but still serve.
    """
    ready, serving = set[Member](), set[Member]()
    for part in slices:
        if part.address_type != f"IPv{version}":
            continue
        numbers = [
            there.port
            for there in part.ports or ()
            if (there.name or "") == port.name and there.protocol == port.protocol and there.port is not None
        ]
        for endpoint in part.endpoints or ():
            found = set(_members(endpoint, numbers))
            if _ready(endpoint) or service.spec.publish_not_ready_addresses:
                ready |= found
            elif endpoint.conditions.serving and endpoint.conditions.terminating:
                serving |= found
    return frozenset(ready or serving)


def subnet_of(address: str, places: Sequence[Place]) -> str:
    """Return the subnet a member's address lies in; an address of none of them is reached from the first."""
    known = ipaddress.ip_address(address)
    for place in places:
        if known in ipaddress.ip_network(place.cidr):
            return place.subnet_id
    return places[0].subnet_id


def _members(endpoint: Endpoint, numbers: list[int]) -> Iterator[Member]:
    for number in numbers:
        if endpoint.addresses:
            yield Member(endpoint.addresses[0], number)


def _ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions.ready is not False  # unknown counts as ready, says the API
