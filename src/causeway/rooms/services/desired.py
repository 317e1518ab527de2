"""Service and EndpointSlices -> the load balancer they ask for. Pure."""

import ipaddress
from collections.abc import Iterable, Iterator

from causeway.cloud.octavia_providers import Provider
from causeway.kube.objects import Endpoint, EndpointSlice, Service, ServicePort, key_of
from causeway.rooms.services.model import Backend, Desired, Front, Member, Note, Place

_DEFAULT_AFFINITY_SECONDS = 10800
PLATFORMS_OWN = "default/kubernetes"
"""The Service whose address belongs to the load balancer of the platform's API."""


def desired(service: Service, slices: Iterable[EndpointSlice], provider: Provider) -> Desired:
    """Return what ``service`` asks for, with a note for everything ``provider`` cannot give."""
    key, uid, spec = key_of(service), service.metadata.uid, service.spec
    if key == PLATFORMS_OWN or service.metadata.deletion_timestamp or spec.type == "ExternalName":
        return Desired(key, uid)
    if not spec.cluster_ip or spec.cluster_ip == "None":
        return Desired(key, uid)
    notes = list(_notes(service, provider))
    if ipaddress.ip_address(spec.cluster_ip).version != 4:
        notes.append(Note("AddressFamily", "its first address is not IPv4", "Use ipFamilies: [IPv4]."))
        return Desired(key, uid, notes=tuple(notes))
    sticky = spec.session_affinity == "ClientIP" and "SOURCE_IP" in provider.persistence
    usable = [part for part in slices if part.address_type == "IPv4"]
    listeners = {
        Front(port.protocol, port.port): Backend(sticky, frozenset(_members(service, port, usable)))
        for port in spec.ports
        if port.protocol in provider.listener_protocols
    }
    if not listeners:
        return Desired(key, uid, notes=tuple(notes))
    floating = (
        spec.type == "LoadBalancer" and not spec.load_balancer_class and not spec.load_balancer_source_ranges
    )
    return Desired(key, uid, spec.cluster_ip, listeners, floating, tuple(notes))


def subnet_of(address: str, places: tuple[Place, ...]) -> str:
    """Return the subnet a member's address lies in; an address of none of them is reached from the first."""
    known = ipaddress.ip_address(address)
    for place in places:
        if known in ipaddress.ip_network(place.cidr):
            return place.subnet_id
    return places[0].subnet_id


def _members(service: Service, port: ServicePort, slices: list[EndpointSlice]) -> Iterator[Member]:
    """Yield the members of a port: all ready endpoints, or those still serving while none is ready."""
    ready, serving = set[Member](), set[Member]()
    for part in slices:
        numbers = [
            there.port
            for there in part.ports or ()
            if (there.name or "") == port.name and there.protocol == port.protocol and there.port is not None
        ]
        for endpoint in part.endpoints or ():
            members = {Member(endpoint.addresses[0], number) for number in numbers if endpoint.addresses}
            if _ready(endpoint) or service.spec.publish_not_ready_addresses:
                ready |= members
            elif endpoint.conditions.serving and endpoint.conditions.terminating:
                serving |= members
    yield from ready or serving


def _ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions.ready is not False  # unknown counts as ready, says the API


def _notes(service: Service, provider: Provider) -> Iterator[Note]:
    spec = service.spec
    for port in spec.ports:
        if port.protocol not in provider.listener_protocols:
            yield Note(
                "UnsupportedProtocol",
                f"provider {provider.name} has no {port.protocol} listeners; port {port.port} is left out",
                "Use another protocol, or a platform with another load balancing provider.",
            )
    if spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config
        seconds = (
            config.client_ip.timeout_seconds if config and config.client_ip else _DEFAULT_AFFINITY_SECONDS
        )
        if "SOURCE_IP" not in provider.persistence:
            yield Note(
                "UnsupportedAffinity",
                f"provider {provider.name} cannot keep clients with a member",
                "Set sessionAffinity: None.",
            )
        elif seconds != _DEFAULT_AFFINITY_SECONDS:
            yield Note(
                "UnsupportedAffinityTimeout",
                f"how long a client stays with a member is up to provider {provider.name}, not {seconds} s",
                "Leave out sessionAffinityConfig.",
            )
    if spec.type == "LoadBalancer" and spec.load_balancer_source_ranges:
        yield Note(
            "UnsupportedSourceRanges",
            "source ranges cannot be enforced, so the service gets no address outside the cloud",
            "Remove loadBalancerSourceRanges, or restrict by a security group in front.",
        )
    if spec.load_balancer_ip:
        yield Note(
            "UnsupportedAddress",
            "a floating IP cannot be chosen by loadBalancerIP; any free one is taken",
            "Remove loadBalancerIP.",
        )
    if spec.external_ips:
        yield Note("UnsupportedExternalIPs", "externalIPs are not served", "Use type LoadBalancer.")
