"""What policies need to know of services and nodes. Pure."""

from collections.abc import Iterable, Iterator

from causeway.kube.objects import EndpointSlice, Node, Service, ServicePort
from causeway.rooms.policies.model import Front
from causeway.rooms.policies.ranges import family

_NONE = ("", "None")
_FAMILIES = {"IPv4": 4, "IPv6": 6}


def fronts_of(service: Service | None, slices: Iterable[EndpointSlice]) -> tuple[Front, ...]:
    """Return the ports of a service at its cluster addresses, with all that may answer there.

    Endpoints that are not ready count as well: they may be in a moment.
    """
    if service is None or service.spec.type == "ExternalName":
        return ()
    spec, known = service.spec, list(slices)
    addresses = [each for each in spec.cluster_ips or (spec.cluster_ip,) if each not in _NONE]
    return tuple(
        Front(address, port.protocol, port.port, frozenset(_backends(port, known, family(address))))
        for address in addresses
        for port in spec.ports
    )


def addresses_of(node: Node) -> tuple[str, ...]:
    """Return the addresses a node's own traffic comes from, in order."""
    found = {each.address for each in node.status.addresses if each.type == "InternalIP"}
    return tuple(sorted(found))


def _backends(port: ServicePort, slices: Iterable[EndpointSlice], version: int) -> Iterator[tuple[str, int]]:
    for part in slices:
        numbers = [
            each.port
            for each in part.ports or ()
            if (each.name or "") == port.name and each.protocol == port.protocol and each.port
        ]
        if _FAMILIES.get(part.address_type) == version:
            for endpoint in part.endpoints or ():
                for number in numbers:
                    yield from ((address, number) for address in endpoint.addresses[:1])
