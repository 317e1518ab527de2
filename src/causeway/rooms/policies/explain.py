"""What a NetworkPolicy allows, what of that the cloud has, and why it may not be in effect.

``gather`` reads, ``explain`` judges and is pure. Desired and remaining come from the room's own compilation,
so that what is printed is what the controller would do.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from causeway.cloud.neutron import Neutron
from causeway.cloud.security_groups import AddressGroup, SecurityGroup, SecurityGroups
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding
from causeway.kube.client import Client
from causeway.kube.objects import (
    SERVICE_OF_SLICE,
    EndpointSlice,
    Namespace,
    NetworkPolicy,
    Node,
    Pod,
    PortPool,
    Service,
    key_of,
)
from causeway.kube.policies import selects
from causeway.kube.resource import (
    ENDPOINT_SLICES,
    EVENTS,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    PORT_POOLS,
    SERVICES,
)
from causeway.rooms.policies.actual import View
from causeway.rooms.policies.desired import addresses_of, fronts_of
from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import POLICY, GroupKey, Rule, member_of
from causeway.rooms.policies.plan import difference


@dataclass(frozen=True)
class Facts:
    """Everything an explanation is drawn from.

    ``warnings`` are the Events (reason, note) on the policy, ``ports`` the security groups of pods' ports by
    the pod's uid.
    """

    policy: NetworkPolicy
    pods: tuple[Pod, ...]  # that the selector means, whether the policy is for them or not
    index: Index
    view: View
    address_groups: bool
    warnings: tuple[tuple[str, str], ...] = ()
    ports: Mapping[str, Collection[str]] = field(default_factory=dict)
    controller: Finding | None = None
    unguarded: frozenset[str] = frozenset()  # uids of pods with ports that people prepared

    @property
    def groups(self) -> list[GroupKey]:
        """The groups of the policy."""
        uid = self.policy.metadata.uid
        return [key for key in self.index.groups() if key.kind == POLICY and key.uid == uid]

    @property
    def sets(self) -> list[str]:
        """The sets of addresses its rules refer to."""
        return sorted({rule.peers for key in self.groups for rule in self.index.rules(key) if rule.peers})


async def gather(
    kube: Client,
    groups: SecurityGroups,
    neutron: Neutron,
    *,
    cluster: str,
    services: tuple[str, ...],
    namespace: str,
    name: str,
    controller: Finding | None,
) -> Facts:
    """Read all facts about one policy; raises ``NotFound`` when there is no such policy."""
    policy = await kube.get(NETWORK_POLICIES, name, namespace, of=NetworkPolicy)
    address_groups = await groups.has_address_groups()
    view = View(groups, cluster, address_groups=address_groups)
    await view.refresh()
    pods, namespaces, nodes, all_services, slices = await asyncio.gather(
        kube.list(PODS, of=Pod),
        kube.list(NAMESPACES, of=Namespace),
        kube.list(NODES, of=Node),
        kube.list(SERVICES, of=Service),
        kube.list(ENDPOINT_SLICES, labels=SERVICE_OF_SLICE, of=EndpointSlice),
    )
    index = Index((4,), services)
    for each in namespaces.items:
        index.put_namespace(each.metadata.name, each.metadata.labels)
    for node in nodes.items:
        index.put_node(node.metadata.name, addresses_of(node))
    index.put_policy(policy)
    for pod in pods.items:
        index.put_pod(pod.metadata.uid, member_of(pod))
    for service in all_services.items:
        key = key_of(service)
        parts = [part for part in slices.items if _service_of(part) == key]
        index.put_service(key, fronts_of(service, parts))
    ports, unguarded = await _ports(kube, neutron, cluster)
    meant = [pod for pod in pods.items if pod.metadata.namespace == namespace]
    return Facts(
        policy,
        tuple(pod for pod in meant if selects(policy, pod.metadata.labels)),
        index,
        view,
        address_groups,
        await _warnings(kube, policy),
        ports,
        controller,
        unguarded,
    )


def explain(facts: Facts) -> Explanation:
    """Return what is desired, what is there, what remains and why."""
    remaining = tuple(_remaining(facts))
    return Explanation(
        f"NetworkPolicy {key_of(facts.policy)}",
        _desired(facts),
        _actual(facts),
        remaining,
        tuple(_causes(facts, unfinished=bool(remaining))),
    )


def _desired(facts: Facts) -> dict[str, object]:
    says = facts.index.says(facts.policy.metadata.uid)
    about = [
        name for name, rules in (("ingress", says.ingress), ("egress", says.egress)) if rules is not None
    ]
    members = {pod.metadata.name: member_of(pod) for pod in facts.pods}
    rules = {rule for key in facts.groups for rule in facts.index.rules(key)}
    found: dict[str, object] = {
        "restricts": " and ".join(about),
        "for pods": sorted(name for name, member in members.items() if member) or ["none"],
        "allows": sorted(_told(rule, facts) for rule in rules) or ["nothing"],
    }
    apart = sorted(name for name, member in members.items() if not member)
    if apart:
        found["not for pods (ended, not bound, or on their node's network)"] = apart
    if facts.sets:
        found["peers"] = {
            facts.index.sets.describe(key): sorted(facts.index.sets.addresses(key) or ())
            for key in facts.sets
        }
    return found


def _actual(facts: Facts) -> dict[str, object]:
    groups = [group for key in facts.groups for group in facts.view.group(key)]
    sets = [group for key in facts.sets for group in facts.view.set(key)]
    found: dict[str, object] = {
        "security groups": [_group_told(group) for group in groups] or ["none"],
    }
    if facts.address_groups:
        found["address groups"] = [_set_told(group) for group in sets] or ["none"]
    return found


def _remaining(facts: Facts) -> Iterator[str]:
    index, view = facts.index, facts.view
    for name in facts.sets if facts.address_groups else ():
        found, wanted = view.set(name), index.sets.addresses(name) or frozenset()
        if not found:
            yield f"create address group {index.sets.describe(name)}"
            continue
        there = frozenset(found[0].addresses)
        if there != wanted:
            add, drop = len(wanted - there), len(there - wanted)
            yield f"change address group {found[0].id}: add {add} addresses, remove {drop}"
    for key in facts.groups:
        groups = view.group(key)
        if not groups:
            yield f"create security group {key_of(facts.policy)}"
            continue
        change = difference(
            index.rules(key),
            groups[0],
            group_of=(lambda name: next((each.id for each in view.set(name)), None))
            if facts.address_groups
            else None,
            addresses=index.sets.addresses,
        )
        yield from (f"add rule {rule}" for rule in change.add)
        yield from (f"remove rule {rule_id}" for rule_id in change.remove)


def _causes(facts: Facts, *, unfinished: bool) -> Iterator[Finding]:
    place = f"NetworkPolicy {key_of(facts.policy)}"
    for reason, note in facts.warnings if unfinished else ():
        yield Finding(place, f"the controller met {reason}", note)
    outside = [pod for pod in facts.pods if _outside(pod, facts)]
    for pod in outside:
        yield Finding(
            place,
            f"the port of pod {key_of(pod)} is not in the policy's security group",
            f"Usually seconds; else: causeway explain pod {key_of(pod)}",
        )
    for pod in facts.pods:
        if pod.metadata.uid in facts.unguarded:
            cause = f"it does not apply to pod {key_of(pod)}, whose port was prepared by somebody"
            yield Finding(place, cause, "Delete the pod, or let the policy not select it.")
    if facts.controller is not None and (unfinished or outside):
        yield facts.controller


def _outside(pod: Pod, facts: Facts) -> bool:
    """Return whether a pod that the policy is for has a port in none of the policy's groups."""
    ours = {group.id for key in facts.groups for group in facts.view.group(key)}
    has = facts.ports.get(pod.metadata.uid)
    return member_of(pod) is not None and has is not None and not ours & set(has)


def _told(rule: Rule, facts: Facts) -> str:
    ports = f" {rule.first}" + (f"-{rule.last}" if rule.last != rule.first else "") if rule.first else ""
    other = rule.cidr or (facts.index.sets.describe(rule.peers) if rule.peers else "anybody")
    way = "from" if rule.direction == "ingress" else "to"
    return f"{rule.direction} IPv{rule.family} {rule.protocol or 'all protocols'}{ports} {way} {other}"


def _group_told(group: SecurityGroup) -> str:
    return f"{group.id} with {len(group.security_group_rules)} rules"


def _set_told(group: AddressGroup) -> str:
    return f"{group.id} ({group.name}) with {len(group.addresses)} addresses"


def _service_of(part: EndpointSlice) -> str:
    return f"{part.metadata.namespace}/{part.metadata.labels.get(SERVICE_OF_SLICE)}"


async def _ports(
    kube: Client, neutron: Neutron, cluster: str
) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """Return the security groups of pods' ports by pod, and the pods whose ports people prepared."""
    pools, ports = await asyncio.gather(
        kube.list(PORT_POOLS, of=PortPool), neutron.list_owned_ports(cluster, "pod")
    )
    by_id = {port.id: port.security_groups for port in ports}
    claims = [claim for pool in pools.items for claim in pool.status.claims]
    lent = {port.port_id for pool in pools.items for port in pool.spec.ports if port.prepared}
    groups = {claim.pod_uid: by_id[claim.port_id] for claim in claims if claim.port_id in by_id}
    return groups, frozenset(claim.pod_uid for claim in claims if claim.port_id in lent)


async def _warnings(kube: Client, policy: NetworkPolicy) -> tuple[tuple[str, str], ...]:
    fields = f"regarding.uid={policy.metadata.uid},type=Warning"
    found = await kube.list(EVENTS, policy.metadata.namespace, fields=fields)
    told = [(event.get("reason", ""), event.get("note", "")) for event in found.items]
    return tuple(dict.fromkeys(told))
