"""Who may talk to whom, twice: as Kubernetes says, and as a cloud does with groups it was given.

The first reads policies as their documentation does and shares nothing with the product; the second is what
Neutron does with stateful security groups: they only allow, and any rule of any group of the port counts.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.unit.rooms.policies.worlds import NODES, World

from causeway.kube.objects import LabelSelector, NetworkPolicy, Pod
from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import Front, Member, member_of


@dataclass(frozen=True)
class Party:
    """One end of a connection: an address, and whose it is."""

    address: str
    pod: Pod | None = None
    node: str = ""


def parties(world: World, outside: Iterable[str]) -> list[Party]:
    found = [Party(one.ip, pod) for pod in world.pods.values() if alive(pod) for one in pod.status.pod_ips]
    found += [Party(address, node=name) for name, addresses in NODES.items() for address in addresses]
    taken = {party.address for party in found}
    return found + [Party(address) for address in outside if address not in taken]


def alive(pod: Pod) -> bool:
    return pod.status.phase not in ("Succeeded", "Failed") and not pod.spec.host_network


# Kubernetes


def labelled(selector: LabelSelector | None, labels: dict[str, str]) -> bool:
    if selector is None:
        return True
    for key, value in selector.match_labels.items():
        if key not in labels or labels[key] != value:
            return False
    for each in selector.match_expressions:
        has = each.key in labels
        good = {
            "Exists": has,
            "DoesNotExist": not has,
            "In": has and labels.get(each.key) in each.values,
            "NotIn": not has or labels.get(each.key) not in each.values,
        }[each.operator]
        if not good:
            return False
    return True


def about(world: World, pod: Pod, direction: str) -> list[NetworkPolicy]:
    """The policies that isolate a pod in one direction."""
    found = []
    for policy in world.policies.values():
        types = policy.spec.policy_types or (("Ingress", "Egress") if policy.spec.egress else ("Ingress",))
        same = policy.metadata.namespace == pod.metadata.namespace
        if same and direction in types and labelled(policy.spec.pod_selector, pod.metadata.labels):
            found.append(policy)
    return found


def is_peer(world: World, policy: NetworkPolicy, peer: Any, other: Party) -> bool:
    if peer.ip_block is not None:
        address = ipaddress.ip_address(other.address)
        holes = [ipaddress.ip_network(each) for each in peer.ip_block.except_]
        return address in ipaddress.ip_network(peer.ip_block.cidr) and not any(
            address in hole for hole in holes
        )
    if other.pod is None:
        return False
    home = other.pod.metadata.namespace
    if peer.namespace_selector is None:
        if home != policy.metadata.namespace:
            return False
    elif home not in world.namespaces or not labelled(peer.namespace_selector, world.namespaces[home]):
        return False
    return labelled(peer.pod_selector, other.pod.metadata.labels)


def is_port(entry: Any, protocol: str, port: int, owner: Pod | None) -> bool:
    if entry.protocol != protocol:
        return False
    if entry.port is None:
        return True
    if isinstance(entry.port, int):
        return bool(entry.port <= port <= (entry.end_port or entry.port))
    named = [
        each.container_port
        for container in (owner.spec.containers if owner else ())
        for each in container.ports
        if (each.name, each.protocol) == (entry.port, protocol)
    ]
    return port in named[:1]


def one_allows(
    world: World, policy: NetworkPolicy, direction: str, me: Pod, other: Party, protocol: str, port: int
) -> bool:
    rules = policy.spec.ingress if direction == "Ingress" else policy.spec.egress
    owner = me if direction == "Ingress" else other.pod
    for rule in rules:
        peers = rule.from_ if direction == "Ingress" else rule.to  # type: ignore[union-attr]  # by direction
        if peers and not any(is_peer(world, policy, peer, other) for peer in peers):
            continue
        if not rule.ports or any(is_port(entry, protocol, port, owner) for entry in rule.ports):
            return True
    return False


def kubernetes_allows(world: World, direction: str, me: Pod, other: Party, protocol: str, port: int) -> bool:
    if other.node and other.node == me.spec.node_name:
        return True
    found = about(world, me, direction)
    return not found or any(one_allows(world, each, direction, me, other, protocol, port) for each in found)


def kubernetes_allows_front(world: World, me: Pod, front: Front) -> bool:
    """Whether one policy alone allows everything that answers behind a port of a service."""
    owners = {one.ip: pod for pod in world.pods.values() if alive(pod) for one in pod.status.pod_ips}
    found = about(world, me, "Egress")
    return not found or any(
        all(
            one_allows(world, each, "Egress", me, Party(address, owners.get(address)), front.protocol, port)
            for address, port in front.backends
        )
        for each in found
    )


# Neutron


class Cloud:
    """The groups an index asks for, as a cloud enforces them."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._rules = {key: index.rules(key) for key in index.groups()}
        self._sets = {
            key: [ipaddress.ip_network(each) for each in index.sets.addresses(key) or ()]
            for key in index.sets.keys()  # noqa: SIM118  # no dict
        }

    def allows(self, direction: str, me: Pod, other: str, protocol: str, port: int) -> bool:
        member = member_of(me)
        assert member is not None
        groups = self.index.groups_of(member)
        return not groups or self._any(member, direction, other, protocol, port)

    def _any(self, member: Member, direction: str, other: str, protocol: str, port: int) -> bool:
        address = ipaddress.ip_address(other)
        for key in self.index.groups_of(member):
            for rule in self._rules[key]:
                assert not (rule.cidr and rule.peers)
                assert rule.protocol or not rule.first
                assert 0 <= rule.first <= rule.last <= 65535
                if (
                    rule.direction == direction.lower()
                    and rule.family == address.version
                    and rule.protocol in ("", protocol.lower())
                    and (not rule.first or rule.first <= port <= rule.last)
                    and (not rule.cidr or address in ipaddress.ip_network(rule.cidr))
                    and (not rule.peers or any(address in each for each in self._sets[rule.peers]))
                ):
                    return True
        return False
