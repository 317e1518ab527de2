"""All policies compiled, kept right at every change by as little work as the change needs. No I/O.

Goes in: pods, namespaces, policies, nodes, services. Comes out: the security groups with their rules, the
sets of addresses the rules refer to, the groups of every pod, and what of it changed. A pod's change touches
the policies of its namespace and the sets that may hold it; ten thousand pods elsewhere cost nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from causeway.kube.objects import NetworkPolicy
from causeway.kube.policies import selects
from causeway.rooms.policies.fronts import Fronts
from causeway.rooms.policies.model import (
    NODE,
    OPEN,
    POLICY,
    Direction,
    Front,
    GroupKey,
    Member,
    Peers,
    Rule,
    digest,
)
from causeway.rooms.policies.ranges import family, whole
from causeway.rooms.policies.sets import PodSet, Sets
from causeway.rooms.policies.translate import Named, Translated, rules_of, translate

OPEN_INGRESS, OPEN_EGRESS = GroupKey(OPEN, "ingress"), GroupKey(OPEN, "egress")


@dataclass
class Changes:
    """What is not as it was: groups, sets of addresses (both by key), pods (by uid)."""

    groups: set[GroupKey] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)
    pods: set[str] = field(default_factory=set)


@dataclass
class _Entry:
    """A policy with what was derived from it."""

    policy: NetworkPolicy
    says: Translated
    variants: dict[str, tuple[int, ...]] = field(default_factory=dict)
    fronts: dict[str, frozenset[Rule]] = field(default_factory=dict)

    def variant(self, member: Member) -> str:
        """Return the variant of the group a pod belongs in, by the numbers of its named ports."""
        if not self.says.names:
            return ""
        numbers = tuple(member.number(named.name, named.protocol) for named in self.says.names)
        variant = digest(repr(numbers))
        self.variants[variant] = numbers
        return variant

    def groups(self) -> list[GroupKey]:
        """Return the keys of the policy's groups."""
        return [GroupKey(POLICY, self.policy.metadata.uid, variant) for variant in self.variants]


class Index:
    """The compiled policies of one cluster.

    ``families`` are the versions of IP that pods have addresses of, as far as is known: a pod with another
    one adds it. ``services`` are the ranges of services' addresses, ``sets`` the sets of addresses.
    """

    def __init__(self, families: tuple[int, ...] = (4,), services: tuple[str, ...] = ()) -> None:
        self._families = families
        self._services = services
        self._members: dict[str, Member] = {}
        self._pods_in: dict[str, dict[str, Member]] = {}
        self._entries: dict[str, _Entry] = {}
        self._entries_in: dict[str, dict[str, _Entry]] = {}
        self._nodes: dict[str, tuple[str, ...]] = {}
        self._groups_of: dict[str, tuple[GroupKey, ...]] = {}
        self._users: dict[GroupKey, set[str]] = {}
        self._changes = Changes()
        self.sets = Sets(families, self._touched, self._renumbered)
        self._fronts = Fronts(self.sets)

    # what comes out

    def take(self) -> Changes:
        """Return what has changed since this was asked last."""
        changes, self._changes = self._changes, Changes()
        changes.sets, self.sets.changed = self.sets.changed, set()
        return changes

    def groups(self) -> list[GroupKey]:
        """Return all groups there have to be."""
        plain = [GroupKey(POLICY, uid) for uid, entry in self._entries.items() if not entry.says.names]
        return [*dict.fromkeys([*plain, *self._users])]

    def wanted(self, key: GroupKey) -> bool:
        """Return whether there has to be a group: a policy's always, others while a pod needs them."""
        entry = self._entries.get(key.uid) if key.kind == POLICY else None
        return key in self._users or (entry is not None and not key.variant and not entry.says.names)

    def pods_of(self, key: GroupKey) -> frozenset[str]:
        """Return the uids of the pods that belong in a group."""
        return frozenset(self._users.get(key, ()))

    def policies_with(self, key: GroupKey) -> set[str]:
        """Return the uids of the policies for the pods in a group."""
        groups = {each for uid in self.pods_of(key) for each in self._groups_of.get(uid, ())}
        return {each.uid for each in groups if each.kind == POLICY}

    def policy(self, uid: str) -> NetworkPolicy | None:
        """Return a policy."""
        entry = self._entries.get(uid)
        return entry.policy if entry else None

    def says(self, uid: str) -> Translated:
        """Return what a policy says; raises ``KeyError`` for one that is not known."""
        return self._entries[uid].says

    def rules(self, key: GroupKey) -> frozenset[Rule]:
        """Return what a group allows."""
        if key.kind == OPEN:
            direction: Direction = "egress" if key == OPEN_EGRESS else "ingress"
            return frozenset(Rule(direction, version) for version in self._families)
        if key.kind == NODE:
            return frozenset(self._rules_of_node(key.uid))
        entry = self._entries.get(key.uid)
        return frozenset(self._rules_of_policy(entry, key.variant)) if entry else frozenset()

    def groups_by_set(self, key: str) -> list[GroupKey]:
        """Return the groups whose rules refer to a set."""
        return [group for uid in self.sets.users(key) for group in self._entries[uid].groups()]

    def groups_of(self, member: Member) -> tuple[GroupKey, ...]:
        """Return the groups of a pod, in order; none when no policy selects it."""
        known = self._members.get(member.uid) == member
        return self._groups_of.get(member.uid, ()) if known else self._judge(member)

    # what goes in

    def put_pod(self, uid: str, member: Member | None) -> None:
        """Take in a pod as it is now; None for one that is gone or takes no part."""
        old = self._members.pop(uid, None)
        if member is not None:
            self._members[uid] = member
            self._learn({family(address) for address in member.addresses})
        if old == member:
            return
        if old is not None:
            del self._pods_in[old.namespace][uid]
        if member is not None:
            self._pods_in.setdefault(member.namespace, {})[uid] = member
            self.sets.put_pod(uid, member.namespace, member)
        elif old is not None:
            self.sets.put_pod(uid, old.namespace, None)
        self._regroup(uid)

    def put_namespace(self, name: str, labels: dict[str, str] | None) -> None:
        """Take in a namespace's labels; None for one that is gone."""
        self.sets.put_namespace(name, labels, self._pods_in.get(name, {}).values())

    def put_policy(self, policy: NetworkPolicy) -> None:
        """Take in a policy as it is now."""
        uid, namespace = policy.metadata.uid, policy.metadata.namespace
        old = self._entries.get(uid)
        if old is not None and old.policy.spec == policy.spec:
            old.policy = policy
            return
        entry = _Entry(policy, translate(policy, self._services))
        if not entry.says.names:
            entry.variants[""] = ()
        self._entries[uid] = entry
        self._entries_in.setdefault(namespace, {})[uid] = entry
        self.sets.refer(uid, entry.says.remotes, self._pods_in)
        self._check_fronts(entry)
        for each in [*self._pods_in.get(namespace, ())]:
            self._regroup(each)
        self._changes.groups.update([*entry.groups(), *(old.groups() if old else ())])

    def drop_policy(self, uid: str) -> None:
        """Take in that a policy is gone."""
        entry = self._entries.pop(uid, None)
        if entry is None:
            return
        namespace = entry.policy.metadata.namespace
        del self._entries_in[namespace][uid]
        self.sets.refer(uid, (), {})
        for each in [*self._pods_in.get(namespace, ())]:
            self._regroup(each)
        self._changes.groups.update(entry.groups())

    def put_node(self, name: str, addresses: tuple[str, ...]) -> None:
        """Take in a node's addresses; none for one that is gone."""
        if self._nodes.pop(name, ()) != addresses:
            self._changes.groups.add(GroupKey(NODE, name))
        if addresses:
            self._nodes[name] = addresses

    def put_service(self, key: str, fronts: tuple[Front, ...]) -> None:
        """Take in the ports of a service with what answers there; none for one that is gone."""
        if self._fronts.put(key, fronts):
            for entry in self._entries.values():
                if entry.says.egress:
                    self._check_front(entry, key)

    def _learn(self, families: set[int]) -> None:
        if families <= set(self._families):
            return
        self._families = self.sets.families = tuple(sorted(families | set(self._families)))
        for uid, entry in self._entries.items():
            self.sets.refer(uid, entry.says.remotes, self._pods_in)
            self._check_fronts(entry)
        self._changes.groups.update(self.groups())

    # groups

    def _regroup(self, uid: str) -> None:
        member, old = self._members.get(uid), self._groups_of.pop(uid, ())
        new = self._judge(member) if member else ()
        if new:
            self._groups_of[uid] = new
        if new == old:
            return
        self._changes.pods.add(uid)
        for key in set(old) - set(new):
            self._users[key].discard(uid)
            if not self._users[key]:
                del self._users[key]
                self._changes.groups.add(key)
        for key in set(new) - set(old):
            if key not in self._users:
                self._users[key] = set()
                self._changes.groups.add(key)
            self._users[key].add(uid)

    def _judge(self, member: Member) -> tuple[GroupKey, ...]:
        keys, ingress, egress = list[GroupKey](), False, False
        for uid, entry in self._entries_in.get(member.namespace, {}).items():
            if selects(entry.policy, member.labels):
                keys.append(GroupKey(POLICY, uid, entry.variant(member)))
                ingress = ingress or entry.says.ingress is not None
                egress = egress or entry.says.egress is not None
        if not keys:
            return ()
        keys += [] if ingress else [OPEN_INGRESS]
        keys += [] if egress else [OPEN_EGRESS]
        return tuple(sorted([*keys, GroupKey(NODE, member.node)]))

    def _rules_of_policy(self, entry: _Entry, variant: str) -> Iterator[Rule]:
        numbers = dict(zip(entry.says.names, entry.variants.get(variant, ()), strict=False))
        for template in entry.says.ingress or ():
            if not isinstance(template.ports, Named):
                yield from rules_of(template, self._families)
            elif number := numbers.get(template.ports, 0):
                yield from rules_of(template, self._families, number)
        for template in entry.says.egress or ():
            if isinstance(template.remote, Peers) and template.remote.port:
                for number in self.sets.of(template.remote).numbers():
                    yield from rules_of(template, self._families, number)
            else:
                yield from rules_of(template, self._families)
        for rules in entry.fronts.values():
            yield from rules

    def _rules_of_node(self, name: str) -> Iterator[Rule]:
        # Kubernetes: traffic to and from the node a pod runs on is always allowed. What comes from a
        # service's address is the pod itself, which asked the service and was chosen to answer.
        for address in self._nodes.get(name, ()):
            if family(address) in self._families:
                yield Rule("ingress", family(address), cidr=whole(address))
                yield Rule("egress", family(address), cidr=whole(address))
        for cidr in self._services:
            if family(cidr) in self._families:
                yield Rule("ingress", family(cidr), cidr=cidr)

    def _renumbered(self, pods: PodSet) -> None:
        for user in pods.users:
            self._changes.groups.update(self._entries[user].groups())

    # services

    def _touched(self, pods: PodSet, addresses: set[str]) -> None:
        for service in self._fronts.answered_at(addresses):
            for user in pods.users:
                self._check_front(self._entries[user], service)

    def _check_fronts(self, entry: _Entry) -> None:
        if entry.says.egress:
            for service in self._fronts.keys():  # noqa: SIM118  # no dict
                self._check_front(entry, service)

    def _check_front(self, entry: _Entry, service: str) -> None:
        rules = frozenset(self._fronts.rules(service, entry.says.egress, self._families))
        if rules != entry.fronts.pop(service, frozenset()):
            self._changes.groups.update(entry.groups())
        if rules:
            entry.fronts[service] = rules
