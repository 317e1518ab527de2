"""Which network a namespace asks for, what it gets while pods run, and who may reach its pods. Pure."""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from causeway.cloud.networks import Subnet
from causeway.cloud.security_groups import Rule
from causeway.kit.errors import Finding
from causeway.kube.objects import Namespace, Pod, Service
from causeway.kube.podnetwork import NETWORK, OWN, SHARED
from causeway.rooms.namespaces.model import RANGE, Actual, Desired, Range, Setting, Wish

_ENDED = frozenset({"Succeeded", "Failed"})


def wish_of(namespace: Namespace, setting: Setting) -> Wish:
    """Return what a namespace asks for by its annotations; the default is not for global namespaces.

    They serve everybody, so they stay on the shared network unless they say otherwise themselves.
    """
    meta = namespace.metadata
    asked = meta.annotations.get(NETWORK)
    if asked is None:
        own = setting.own_by_default and meta.name not in setting.global_namespaces
    elif asked in (OWN, SHARED):
        own = asked == OWN
    else:
        cause = f"annotation {NETWORK} is {asked!r}"
        return Wish(False, finding=Finding(f"namespace {meta.name}", cause, "Write own or shared."))
    if not own:
        return Wish(False)
    try:
        given = {network.version: str(network) for network in _ranges(meta.annotations.get(RANGE, ""))}
    except ValueError as error:
        cause = f"annotation {RANGE} is no range: {error}"
        remedy = "Write a range such as 10.30.4.0/24, one of each address family at most."
        return Wish(True, finding=Finding(f"namespace {meta.name}", cause, remedy))
    ranges = [Range(version, cidr) for version, cidr in given.items()]
    ranges += [pool for pool in setting.pools if pool.ip_version not in given]
    if not ranges:
        cause = "the platform has no ranges for namespaces' networks"
        remedy = f"Set networks.namespaces in the platform file, or give a range by annotation {RANGE}."
        return Wish(True, finding=Finding(f"namespace {meta.name}", cause, remedy))
    if setting.router_id is None:
        cause = "the platform's pod subnet is joined to no router"
        remedy = "Join it to a router: a network of its own is reached by that only."
        return Wish(True, finding=Finding(f"namespace {meta.name}", cause, remedy))
    return Wish(True, tuple(sorted(ranges, key=lambda each: each.ip_version)))


class Course(Enum):
    """What is done about a wish."""

    OWN = "make the namespace's network, or keep it right"
    SHARED = "take the network away, if there is one"
    REPLACE = "take the network away, to make another"
    STAY_OWN = "keep the network although it is not wished for: pods live on it"
    STAY_SHARED = "make no network although it is wished for: pods live on the shared one"
    REFUSE = "let pods wait: what is wished for cannot be had, and the shared network is not what is meant"


def contested(wish: Wish, actual: Actual) -> bool:
    """Return whether it matters if the namespace has pods: their network would change."""
    if wish.own:
        return not actual.networks or not fits(wish, actual)
    return bool(actual.networks)


def course_of(wish: Wish, actual: Actual, *, inhabited: bool) -> Course:
    """Return what to do; ``inhabited`` counts only where the wish is ``contested``."""
    if wish.finding is not None:
        if actual.networks:
            return Course.STAY_OWN
        return Course.REFUSE if wish.own else Course.STAY_SHARED
    if not contested(wish, actual):
        return Course.OWN if wish.own else Course.SHARED
    if inhabited:
        return Course.STAY_OWN if actual.networks else Course.STAY_SHARED
    if not wish.own:
        return Course.SHARED
    return Course.REPLACE if actual.networks else Course.OWN


def fits(wish: Wish, actual: Actual) -> bool:
    """Return whether the subnets there are have the ranges that are asked for by name."""
    there = {subnet.ip_version: subnet.cidr for subnet in actual.subnets}
    return all(
        each.cidr is None or there.get(each.ip_version, each.cidr) == each.cidr for each in wish.ranges
    )


def inhabited(pods: Iterable[Pod], *, whole: bool) -> bool:
    """Return whether pods live where the namespace's network would change under them.

    While its own network is ``whole`` every pod that has a node may have a port there already; else those
    without an address wait for a network.
    """
    return any(
        pod.spec.node_name
        and not pod.spec.host_network
        and pod.status.phase not in _ENDED
        and (whole or pod.status.pod_ips)
        for pod in pods
    )


@dataclass(frozen=True, slots=True)
class Openings:
    """What services of type LoadBalancer open, and those whose target ports only their endpoints tell."""

    rules: frozenset[Rule]
    unknown: tuple[str, ...] = ()


def openings_of(
    services: Iterable[Service], numbers: Mapping[str, Mapping[str, Collection[int]]]
) -> Openings:
    """Return the ports at which a namespace's pods are open to the source ranges of its load balancers.

    ``numbers`` gives by name of the service, then of its port, what its EndpointSlices say.
    """
    rules, unknown = set[Rule](), set[str]()
    for service in services:
        if service.spec.type != "LoadBalancer" or service.metadata.deletion_timestamp:
            continue
        sources = service.spec.load_balancer_source_ranges or ("0.0.0.0/0", "::/0")
        for port in service.spec.ports:
            target = port.target_port if port.target_port is not None else port.port
            if isinstance(target, str) and not target.isdigit():
                targets = numbers.get(service.metadata.name, {}).get(port.name, ())
                unknown.add(service.metadata.name)
            else:
                targets = [int(target)]
            rules |= {
                Rule(
                    ethertype=_ethertype(source),
                    protocol=port.protocol.lower(),
                    port_range_min=number,
                    port_range_max=number,
                    remote_ip_prefix=source,
                )
                for number in targets
                for source in sources
            }
    return Openings(frozenset(rules), tuple(sorted(unknown)))


def rules_of(
    desired: Desired, subnets: Iterable[Subnet], setting: Setting, peers: str | None
) -> frozenset[Rule]:
    """Return what the security group of a namespace lets in: the namespace, nodes, load balancers, peers."""
    own = [subnet.cidr for subnet in subnets]
    families = {_ethertype(cidr) for cidr in own}
    if desired.everybody:
        return frozenset(Rule(ethertype=family) for family in families)
    ranges = {*own, *setting.nearby, *desired.peers}
    rules = {Rule(ethertype=_ethertype(cidr), remote_ip_prefix=cidr) for cidr in ranges}
    if peers is not None:
        rules |= {Rule(ethertype=family, remote_address_group_id=peers) for family in families}
    return frozenset(rule for rule in rules | desired.openings if rule.ethertype in families)


def peers_of(pods: Iterable[Pod], own: Iterable[Subnet]) -> frozenset[str]:
    """Return the ranges of all who may reach every namespace: pods of global ones, and their own networks."""
    alive = (pod for pod in pods if not pod.spec.host_network and pod.status.phase not in _ENDED)
    addresses = {str(ipaddress.ip_network(ip.ip)) for pod in alive for ip in pod.status.pod_ips if ip.ip}
    return frozenset(addresses | {subnet.cidr for subnet in own})


def _ranges(text: str) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    seen = set[int]()
    for part in filter(None, (part.strip() for part in text.split(","))):
        network = ipaddress.ip_network(part)
        if network.version in seen:
            raise ValueError(f"{text!r} has two ranges of one family")
        seen.add(network.version)
        yield network


def _ethertype(cidr: str) -> Literal["IPv4", "IPv6"]:
    return "IPv6" if ":" in cidr else "IPv4"
