"""Changes become calls here and nowhere else. Every change may be repeated: what is done already is success.

What is allowed anew is allowed before what is no longer allowed is taken away: neither the connections that
both the old and the new policy allow nor the new ones are refused in between, and nothing is open that
neither of them opens.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.ownership import Owner
from causeway.cloud.security_groups import AddressGroup, KnownRule, Rule, SecurityGroup
from causeway.rooms.policies.actual import Lister, View, owner_of_group
from causeway.rooms.policies.model import PEERS, GroupKey
from causeway.rooms.policies.plan import Difference

T = TypeVar("T")

_NAME_LENGTH = 255
_RULES_A_CALL = 100  # a cloud takes up to 0.2 s for each
_ADDRESSES_A_CALL = 200  # and 20 ms for each of these


class Groups(Lister, Protocol):
    """The part of Neutron that is written."""

    async def create_groups(self, wanted: Sequence[tuple[str, Owner]]) -> list[SecurityGroup]:
        """Make security groups."""
        ...

    async def delete_group(self, group_id: str) -> None:
        """Delete a security group."""
        ...

    async def create_rules(self, group_id: str, rules: Iterable[Rule]) -> list[KnownRule]:
        """Add rules."""
        ...

    async def delete_rule(self, rule_id: str) -> None:
        """Delete a rule."""
        ...

    async def create_address_group(self, name: str, owner: Owner, addresses: Iterable[str]) -> AddressGroup:
        """Make an address group."""
        ...

    async def add_addresses(self, group_id: str, addresses: Iterable[str]) -> AddressGroup:
        """Add addresses."""
        ...

    async def remove_addresses(self, group_id: str, addresses: Iterable[str]) -> AddressGroup:
        """Remove addresses."""
        ...

    async def delete_address_group(self, group_id: str) -> None:
        """Delete an address group."""
        ...


class Applier:
    """Makes changes and enters what they did into the view. Everything raises ``CloudError``."""

    def __init__(self, neutron: Groups, view: View) -> None:
        self._neutron = neutron
        self._view = view

    async def create_group(self, key: GroupKey, name: str) -> SecurityGroup:
        """Make the security group ``key``."""
        owner = owner_of_group(self._view.cluster, key)
        (made,) = await self._neutron.create_groups([(name[:_NAME_LENGTH], owner)])
        self._view.groups.put(made)
        return made

    async def change_rules(self, group: SecurityGroup, change: Difference) -> None:
        """Add and remove rules; what is no longer allowed is removed even if adding fails."""
        rules = {known.id: known for known in group.security_group_rules}
        refusal: errors.CloudError | None = None
        try:
            for part in _parts(change.add, _RULES_A_CALL):
                rules |= {known.id: known for known in await self._neutron.create_rules(group.id, part)}
                self._enter(group, rules.values())
        except errors.CloudError as error:
            refusal = error
        for rule_id in change.remove:
            await self._neutron.delete_rule(rule_id)
            rules.pop(rule_id, None)
            self._enter(group, rules.values())
        if refusal is not None:
            raise refusal

    async def delete_group(self, group: SecurityGroup) -> bool:
        """Delete a security group; return False while a port is in it."""
        try:
            await self._neutron.delete_group(group.id)
        except errors.InUse:
            return False
        self._view.groups.drop(group.id)
        return True

    async def create_set(self, key: str, name: str, addresses: frozenset[str]) -> None:
        """Make the address group of a set."""
        owner = Owner(self._view.cluster, PEERS, key)
        first = sorted(addresses)[:_ADDRESSES_A_CALL]
        made = await self._neutron.create_address_group(name[:_NAME_LENGTH], owner, first)
        self._view.peers.put(made)
        await self.change_set(made, addresses)

    async def change_set(self, group: AddressGroup, addresses: frozenset[str]) -> None:
        """Let an address group have exactly ``addresses``; whose address it was is forgotten first."""
        there = frozenset(group.addresses)
        for part in _parts(sorted(there - addresses), _ADDRESSES_A_CALL):
            self._view.peers.put(await self._neutron.remove_addresses(group.id, part))
        for part in _parts(sorted(addresses - there), _ADDRESSES_A_CALL):
            self._view.peers.put(await self._neutron.add_addresses(group.id, part))

    async def delete_set(self, group: AddressGroup) -> bool:
        """Delete an address group; return False while a rule refers to it."""
        try:
            await self._neutron.delete_address_group(group.id)
        except errors.InUse:
            return False
        self._view.peers.drop(group.id)
        return True

    def _enter(self, group: SecurityGroup, rules: Iterable[KnownRule]) -> None:
        self._view.groups.put(msgspec.structs.replace(group, security_group_rules=list(rules)))


def _parts(items: Sequence[T], most: int) -> list[Sequence[T]]:
    return [items[start : start + most] for start in range(0, len(items), most)]
