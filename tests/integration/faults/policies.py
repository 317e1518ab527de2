"""NetworkPolicies by chance, and whether the ports of pods have just the rules that policies ask for."""

import asyncio
import ipaddress
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.integration.faults.objects import policy
from tests.integration.faults.site import Site

from causeway.cloud.neutron import Neutron
from causeway.cloud.security_groups import AddressGroup, KnownRule, SecurityGroup, SecurityGroups
from causeway.cloud.session import Cloud
from causeway.kube.client import Client
from causeway.kube.errors import Object
from causeway.kube.objects import Node, Pod, PortPool, key_of
from causeway.kube.resource import NETWORK_POLICIES, NODES, PODS, PORT_POOLS

APPS = ("web", "shop", "batch")
"""The labels pods have."""
_PEERS: tuple[Object, ...] = (
    *({"podSelector": {"matchLabels": {"app": app}}} for app in APPS),
    {"podSelector": {}},
    {"ipBlock": {"cidr": "192.0.2.0/24"}},
    {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.64/26"]}},
)
_ENDED = {"Succeeded", "Failed"}
_ANYBODY = "0.0.0.0/0"
_WAYS = {"Ingress": "from", "Egress": "to"}
_Allowed = tuple[str, str, int, int, str]
"""A way, a protocol, ports from and to ("" and 0 are all), and who is at the other end."""


def draw(dice: random.Random, name: str, namespace: str) -> Object:
    """Return a policy by chance."""

    def rule(way: str) -> Object:
        ports = {"ports": [{"protocol": "TCP", "port": dice.choice((80, 443))}]}
        return {_WAYS[way]: dice.sample(_PEERS, dice.randint(1, 2)), **dice.choice((ports, {}))}

    ways = dice.choice((("Ingress",), ("Egress",), ("Ingress", "Egress")))
    lets = {way: [rule(way) for _ in range(dice.choice((0, 1, 2, 2)))] for way in ways}
    return policy(name, namespace, selects=dice.choice(("", *APPS)), lets=lets)


async def unlike(kube: Client, cloud: Cloud, site: Site, namespace: str) -> list[str]:
    """Return how the cloud differs from what the policies of a namespace say, in words."""
    groups = SecurityGroups(cloud)
    policies, pods, nodes = await asyncio.gather(
        kube.list(NETWORK_POLICIES, namespace),
        kube.list(PODS, namespace, of=Pod),
        kube.list(NODES, of=Node),
    )
    told, ports, its_groups, its_sets = await asyncio.gather(
        kube.list(PORT_POOLS, of=PortPool),
        Neutron(cloud).list_owned_ports(site.cluster, "pod"),
        groups.list_groups(site.cluster, "policy", "policy-open", "policy-node"),
        groups.list_address_groups(site.cluster, "policy-peers"),
    )
    has = {port.id: port.security_groups for port in ports}
    claims = {claim.pod_uid: claim.port_id for pool in told.items for claim in pool.status.claims}
    enforced = _Enforced(
        policies=policies.items,
        pods=[pod for pod in pods.items if pod.status.phase not in _ENDED],
        nodes=nodes.items,
        groups=its_groups,
        sets=its_sets,
        ports={uid: has.get(port, ()) for uid, port in claims.items()},
        common=site.group.id,
        services=json.loads(site.config.read_text())["serviceCidr"],
    )
    return list(enforced.unlike())


@dataclass(frozen=True)
class _Enforced:
    """The policies of one namespace, its pods that run, and what the cloud has for them.

    ``ports`` are the ids of the security groups of pods' ports by the uids of the pods, ``common`` is the
    group of pods that no policy selects, ``services`` the range of services' addresses.
    """

    policies: list[Object]
    pods: list[Pod]
    nodes: list[Node]
    groups: list[SecurityGroup]
    sets: list[AddressGroup]
    ports: Mapping[str, tuple[str, ...]]
    common: str
    services: str

    def unlike(self) -> Iterator[str]:
        """Yield how what pods may do differs from what policies say, and what is left over."""
        by_id = {group.id: group for group in self.groups}
        needed = {each["metadata"]["uid"] for each in self.policies}
        for pod in self.pods:
            has, selecting = self.ports.get(pod.metadata.uid, ()), self._selecting(pod)
            if not selecting:
                if has != (self.common,):
                    yield f"pod {key_of(pod)}, which no policy selects, has the groups {has}"
                continue
            ways = {way.lower() for each in selecting for way in each["spec"]["policyTypes"]}
            needed |= {pod.spec.node_name, *({"ingress", "egress"} - ways)}
            wanted = set(self._wanted(pod, selecting))
            allowed = {each for one in has if one in by_id for each in self._allowed(by_id[one])}
            if wanted != allowed or not set(has) <= set(by_id):
                yield (
                    f"pod {key_of(pod)} may not {sorted(wanted - allowed)}, may {sorted(allowed - wanted)},"
                    f" groups {has}"
                )
        owners = Counter([*(each.owner for each in self.groups), *(each.owner for each in self.sets)])
        yield from (f"{count} groups of {owner}" for owner, count in owners.items() if count > 1)
        yield from (
            f"security group {group.name} of {group.owner.uid} is left over"
            for group in self.groups
            if group.owner and group.owner.uid not in needed
        )
        named = {rule.remote_address_group_id for group in self.groups for rule in group.security_group_rules}
        yield from (f"address group {each.name} is left over" for each in self.sets if each.id not in named)

    def _selecting(self, pod: Pod) -> list[Object]:
        return [each for each in self.policies if _matches(each["spec"]["podSelector"], pod)]

    def _wanted(self, pod: Pod, selecting: Iterable[Object]) -> Iterator[_Allowed]:
        for way, end in _WAYS.items():
            isolating = [each["spec"] for each in selecting if way in each["spec"]["policyTypes"]]
            if not isolating:
                yield way.lower(), "", 0, 0, _ANYBODY
            for spec in isolating:
                for rule in spec.get(way.lower(), ()):
                    for protocol, port in _ports(rule):
                        for peer in rule[end]:
                            for cidr in self._ranges(peer):
                                yield way.lower(), protocol, port, port, cidr
        for node in self.nodes:
            if node.metadata.name == pod.spec.node_name:
                for each in node.status.addresses:
                    if each.type == "InternalIP":
                        yield "ingress", "", 0, 0, f"{each.address}/32"
                        yield "egress", "", 0, 0, f"{each.address}/32"
        yield "ingress", "", 0, 0, self.services  # itself, asked by way of a service

    def _ranges(self, peer: Object) -> Iterator[str]:
        if "podSelector" in peer:
            for pod in self.pods:
                if _matches(peer["podSelector"], pod):
                    yield from (f"{one.ip}/32" for one in pod.status.pod_ips)
            return
        block = ipaddress.IPv4Network(peer["ipBlock"]["cidr"])
        holes = [ipaddress.IPv4Network(each) for each in peer["ipBlock"].get("except", ())]
        assert len(holes) <= 1
        yield from map(str, block.address_exclude(holes[0]) if holes else [block])

    def _allowed(self, group: SecurityGroup) -> Iterator[_Allowed]:
        for rule in group.security_group_rules:
            for cidr in self._remote(rule):
                yield (
                    rule.direction,
                    rule.protocol or "",
                    rule.port_range_min or 0,
                    rule.port_range_max or 0,
                    cidr,
                )

    def _remote(self, rule: KnownRule) -> Iterable[str]:
        if rule.remote_address_group_id:
            return [
                cidr
                for each in self.sets
                if each.id == rule.remote_address_group_id
                for cidr in each.addresses
            ]
        return [rule.remote_ip_prefix or rule.remote_group_id or _ANYBODY]


def _matches(selector: Object, pod: Pod) -> bool:
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= pod.metadata.labels.items()


def _ports(rule: Object) -> list[tuple[str, int]]:
    return [(each["protocol"].lower(), each["port"]) for each in rule.get("ports", ())] or [("", 0)]
