"""From the rules of a NetworkPolicy to rules of security groups. Pure.

A policy's rule is every combination of its peers and its ports. Each combination becomes a ``Template``; what
a named port means is filled in later, because it depends on the pod that has the port: for ingress on the pod
the policy is for, for egress on the pod at the other end.

A service's address is no address of a pod, and the cloud judges a packet before the load balancer has chosen
where it goes. So ranges of services are taken out of what a policy allows by address, and a service's port is
allowed by a rule of its own when all that answers there is allowed (``index``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from causeway.kube.objects import LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from causeway.kube.policies import directions
from causeway.rooms.policies.model import ANY, Block, Direction, Labels, Peers, Rule, digest
from causeway.rooms.policies.ranges import family, subtract

T = TypeVar("T")

EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of a protocol by number; ``protocol`` "" means all of all, ``first`` 0 all of one."""

    protocol: str = ""
    first: int = 0
    last: int = 0

    def has(self, protocol: str, port: int) -> bool:
        """Return whether a port is one of them."""
        return self.protocol in ("", protocol) and (not self.first or self.first <= port <= self.last)


@dataclass(frozen=True, slots=True)
class Named:
    """A port by name; the protocol belongs to the name."""

    name: str
    protocol: str


@dataclass(frozen=True, slots=True)
class Template:
    """One peer and one kind of ports; ``remote`` None is anybody."""

    direction: Direction
    remote: Block | Peers | None
    ports: Ports | Named


@dataclass(frozen=True, slots=True)
class Translated:
    """What a policy says; a direction that is None is none it is about."""

    ingress: tuple[Template, ...] | None
    egress: tuple[Template, ...] | None

    @property
    def remotes(self) -> list[Block | Peers | None]:
        """Who may be at the other end."""
        return [each.remote for each in (*(self.ingress or ()), *(self.egress or ()))]

    @property
    def names(self) -> tuple[Named, ...]:
        """The ports whose numbers depend on the pod the policy is for, in order."""
        found = {each.ports for each in self.ingress or () if isinstance(each.ports, Named)}
        return tuple(sorted(found, key=lambda named: (named.name, named.protocol)))


def translate(policy: NetworkPolicy, services: tuple[str, ...] = ()) -> Translated:
    """Return the templates of a policy; ``services`` are the ranges of services' addresses."""
    spec, namespace = policy.spec, policy.metadata.namespace
    ingress, egress = directions(policy)
    inbound = [
        Template("ingress", remote, ports)
        for rule in spec.ingress
        for remote in _remotes(rule.from_, namespace)
        for ports in _ports(rule.ports)
    ]
    outbound = [
        _towards(remote, ports, services)
        for rule in spec.egress
        for remote in _remotes(rule.to, namespace)
        for ports in _ports(rule.ports)
    ]
    return Translated(_once(inbound) if ingress else None, _once(outbound) if egress else None)


@lru_cache(maxsize=16384)
def peers_key(peers: Peers, number: int = 0) -> str:
    """Return the name of the address set of ``peers``, or of those that give the named port ``number``."""
    return digest(str(peers)) + (f"-{number}" if number else "")


@lru_cache(maxsize=4096)
def block_ranges(block: Block, version: int) -> tuple[str, ...]:
    """Return the ranges of one address family that a block is."""
    ranges = [cidr for cidr in block.cidrs if family(cidr) == version]
    return tuple(part for cidr in ranges for part in subtract(cidr, block.without))


@lru_cache(maxsize=4096)
def block_key(block: Block, version: int) -> str:
    """Return the name of the address set of a block that is several ranges."""
    return digest(f"block {block} {version}")


def rules_of(template: Template, families: Iterable[int], number: int = 0) -> Iterator[Rule]:
    """Yield the rules of a template; ``number`` is what its named port is, if it has one."""
    ports = template.ports
    if isinstance(ports, Named):
        ports = Ports(ports.protocol, number, number)
    elif number:
        raise ValueError("a number for ports that have theirs")
    remote = template.remote
    for version in families:
        rule = Rule(template.direction, version, ports.protocol.lower(), ports.first, ports.last)
        if remote is None:
            yield rule
        elif isinstance(remote, Peers):
            yield replace(rule, peers=peers_key(remote, number if remote.port else 0))
        else:
            ranges = block_ranges(remote, version)
            if ranges == (EVERYWHERE[version],):
                yield rule
            elif len(ranges) == 1:
                yield replace(rule, cidr=ranges[0])
            elif ranges:
                yield replace(rule, peers=block_key(remote, version))


def _towards(remote: Block | Peers | None, ports: Ports | Named, services: tuple[str, ...]) -> Template:
    if isinstance(ports, Named):
        port = (ports.name, ports.protocol)
        # Only pods give ports names.
        remote = replace(remote, port=port) if isinstance(remote, Peers) else Peers(block=remote, port=port)
    elif isinstance(remote, Block):
        remote = Block(remote.cidrs, _once([*remote.without, *services]))
    elif remote is None and services and ports.first:
        remote = Block(tuple(EVERYWHERE.values()), services)
    return Template("egress", remote, ports)


def _remotes(peers: tuple[NetworkPolicyPeer, ...], namespace: str) -> Iterator[Block | Peers | None]:
    if not peers:
        yield None
    for peer in peers:
        if peer.ip_block is not None:
            yield Block((peer.ip_block.cidr,), peer.ip_block.except_)
        elif peer.namespace_selector is not None:
            yield Peers(_labels(peer.pod_selector), namespaces=_labels(peer.namespace_selector))
        else:
            yield Peers(_labels(peer.pod_selector), namespace=namespace)


def _ports(ports: tuple[NetworkPolicyPort, ...]) -> Iterator[Ports | Named]:
    if not ports:
        yield Ports()
    for each in ports:
        if isinstance(each.port, str):
            yield Named(each.port, each.protocol)
        elif each.port is None or (each.port == 1 and each.end_port == _LAST_PORT):
            yield Ports(each.protocol)
        else:
            yield Ports(each.protocol, each.port, each.end_port or each.port)


def _labels(selector: LabelSelector | None) -> Labels:
    return ANY if selector is None else Labels.of(selector)


def _once(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
