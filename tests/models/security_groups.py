"""Neutron's security groups in memory: only what the policies' room relies on, no transport.

A contract test runs the same operations on this model and on a real cloud.
"""

import itertools
from collections.abc import Iterable, Sequence

import msgspec

from causeway.cloud import errors
from causeway.cloud.ownership import Owner, owner_in
from causeway.cloud.security_groups import AddressGroup, KnownRule, Rule, SecurityGroup


class ModelSecurityGroups:
    """Security groups and address groups; whoever tests says which groups each of ``ports`` has."""

    def __init__(self) -> None:
        self.groups: dict[str, SecurityGroup] = {}
        self.sets: dict[str, AddressGroup] = {}
        self.ports: dict[str, tuple[str, ...]] = {}
        self.rules_allowed = 10_000
        self._ids = (f"{number:06d}" for number in itertools.count(1))

    async def list_groups(self, cluster: str, *kinds: str) -> list[SecurityGroup]:
        found = [(owner_in(each.description), each) for each in self.groups.values()]
        return [each for owner, each in found if owner and owner.cluster == cluster and owner.kind in kinds]

    async def list_address_groups(self, cluster: str, kind: str) -> list[AddressGroup]:
        found = [(owner_in(each.description), each) for each in self.sets.values()]
        return [each for owner, each in found if owner and (owner.cluster, owner.kind) == (cluster, kind)]

    async def create_groups(self, wanted: Sequence[tuple[str, Owner]]) -> list[SecurityGroup]:
        made = []
        for name, owner in wanted:
            out = [KnownRule(next(self._ids), "egress", "IPv4"), KnownRule(next(self._ids), "egress", "IPv6")]
            made.append(SecurityGroup(next(self._ids), name, owner.description(), [], out))
        self.groups |= {each.id: each for each in made}
        return made

    async def delete_group(self, group_id: str) -> None:
        if any(group_id in groups for groups in self.ports.values()):
            raise errors.InUse("network", "the group is in use", status=409)
        self.groups.pop(group_id, None)

    async def create_rules(self, group_id: str, rules: Iterable[Rule]) -> list[KnownRule]:
        group, wanted = self._group(group_id), list(rules)
        there = {known.rule for known in group.security_group_rules}
        if len(set(wanted)) < len(wanted) or there & set(wanted):
            raise errors.Conflict("network", "the rule already exists", status=409)
        if any(each.remote_address_group_id not in {None, *self.sets} for each in wanted):
            raise errors.NotFound("network", "no such address group", status=404)
        if (
            sum(len(each.security_group_rules) for each in self.groups.values()) + len(wanted)
            > self.rules_allowed
        ):
            raise errors.Quota(
                "network", "Quota exceeded for resources: ['security_group_rule'].", status=409
            )
        made = [KnownRule(next(self._ids), **msgspec.structs.asdict(rule)) for rule in wanted]
        self._set_rules(group, [*group.security_group_rules, *made])
        return made

    async def delete_rule(self, rule_id: str) -> None:
        for group in [*self.groups.values()]:
            rest = [known for known in group.security_group_rules if known.id != rule_id]
            if len(rest) < len(group.security_group_rules):
                self._set_rules(group, rest)

    async def create_address_group(self, name: str, owner: Owner, addresses: Iterable[str]) -> AddressGroup:
        made = AddressGroup(next(self._ids), name, owner.description(), sorted(addresses))
        self.sets[made.id] = made
        return made

    async def add_addresses(self, group_id: str, addresses: Iterable[str]) -> AddressGroup:
        group, new = self._set(group_id), set(addresses)
        if new & set(group.addresses):
            raise errors.Conflict("network", "addresses already exist", status=400)
        return self._put_set(group, {*group.addresses, *new})

    async def remove_addresses(self, group_id: str, addresses: Iterable[str]) -> AddressGroup:
        group, old = self._set(group_id), set(addresses)
        if old - set(group.addresses):
            raise errors.NotFound("network", "addresses not found", status=404)
        return self._put_set(group, set(group.addresses) - old)

    async def delete_address_group(self, group_id: str) -> None:
        rules = [rule for each in self.groups.values() for rule in each.security_group_rules]
        if any(rule.remote_address_group_id == group_id for rule in rules):
            raise errors.InUse("network", "the address group is in use", status=409)
        self.sets.pop(group_id, None)

    def _group(self, group_id: str) -> SecurityGroup:
        if group_id not in self.groups:
            raise errors.NotFound("network", "no such group", status=404)
        return self.groups[group_id]

    def _set(self, group_id: str) -> AddressGroup:
        if group_id not in self.sets:
            raise errors.NotFound("network", "no such address group", status=404)
        return self.sets[group_id]

    def _set_rules(self, group: SecurityGroup, rules: list[KnownRule]) -> None:
        self.groups[group.id] = msgspec.structs.replace(group, security_group_rules=rules)

    def _put_set(self, group: AddressGroup, addresses: set[str]) -> AddressGroup:
        self.sets[group.id] = msgspec.structs.replace(group, addresses=sorted(addresses))
        return self.sets[group.id]
