"""Where a platform comes to stand: the names of its file as the IDs and ranges of one cloud."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from causeway.cloud import octavia_providers
from causeway.cloud.octavia_providers import Provider
from causeway.kit.errors import Finding, Problem
from causeway.rooms.platforms.facts import CloudFacts, LoadBalancing, Networking
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.ranges import Range


@dataclass(frozen=True)
class Place:
    """One range; ``network`` and ``subnet`` are IDs of what exists, None for what the stack will make."""

    cidr: IPv4Network
    network: str | None = None
    subnet: str | None = None

    @property
    def new(self) -> bool:
        """Return whether the stack makes it."""
        return self.subnet is None


@dataclass(frozen=True)
class Site:
    """Networks and load balancer provider; ``router`` is the ID of the one existing subnets are joined to.

    ``zones_apart`` is whether volumes have other zones than servers.
    """

    external_network: str
    provider: Provider
    nodes: Place
    pods: Place
    services: Place
    router: str | None = None
    zones_apart: bool = False


def locate(platform: Platform, facts: CloudFacts) -> Site:
    """Return the site; raises ``Problem`` for what preflight would have refused."""
    network, balancing = facts.network, facts.load_balancing
    unread = [part for part in (network, balancing) if isinstance(part, Finding)]
    if unread:
        raise Problem(*unread)
    assert isinstance(network, Networking)  # noqa: S101  # tells the type checker what the lines above ensure
    assert isinstance(balancing, LoadBalancing)  # noqa: S101  # as above
    wanted = platform.spec.networks
    external = [
        each.id for each in network.networks if each.external and wanted.external in (each.id, each.name)
    ]
    if not external:
        raise _absent("networks.external", f"external network {wanted.external!r}")
    ranges = {"nodes": wanted.nodes, "pods": wanted.pods, "services": wanted.services}
    places = {key: _place(key, each, network) for key, each in ranges.items()}
    routers = set[str]().union(
        *(network.routers_of.get(place.subnet, frozenset()) for place in places.values() if place.subnet)
    )
    if len(routers) > 1:
        raise Problem.of(
            "networks",
            "the existing subnets are joined to different routers",
            "Name subnets of one router, so that nodes, pods and services reach each other.",
        )
    return Site(
        external_network=external[0],
        provider=_provider(platform, balancing),
        router=next(iter(routers), None),
        zones_apart=_zones_apart(facts),
        **places,
    )


def _zones_apart(facts: CloudFacts) -> bool:
    """Return whether there are zones of servers in which no volume can be."""
    if isinstance(facts.compute, Finding) or isinstance(facts.volumes, Finding):
        raise Problem(*(each for each in (facts.compute, facts.volumes) if isinstance(each, Finding)))
    return not facts.compute.zones <= facts.volumes.zones


def _place(key: str, wanted: Range, network: Networking) -> Place:
    if wanted.cidr is not None:
        return Place(wanted.cidr)
    networks = {each.id for each in network.networks if wanted.network in (each.id, each.name)}
    for subnet in network.subnets:
        if subnet.network_id in networks and wanted.subnet in (subnet.id, subnet.name):
            return Place(subnet.cidr, subnet.network_id, subnet.id)
    raise _absent(f"networks.{key}", f"subnet {wanted.subnet!r} in network {wanted.network!r}")


def _provider(platform: Platform, balancing: LoadBalancing) -> Provider:
    name = platform.spec.load_balancer_provider or octavia_providers.preferred(balancing.providers)
    provider = octavia_providers.known(name) if name else None
    if provider is None:
        raise Problem.of(
            "loadBalancerProvider",
            f"nothing is known of the provider {name!r}" if name else "no known provider is enabled",
            f"Use one of: {', '.join(octavia_providers.PROVIDERS)}.",
        )
    return provider


def _absent(place: str, what: str) -> Problem:
    return Problem.of(place, f"the cloud has no {what}", "Check the name, or use the ID.")
