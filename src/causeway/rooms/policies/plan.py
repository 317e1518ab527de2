"""What remains to be done to a security group or an address group. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from causeway.cloud.security_groups import Rule as CloudRule
from causeway.cloud.security_groups import SecurityGroup
from causeway.rooms.policies.model import Rule

Addresses = Callable[[str], frozenset[str] | None]
"""Returns a set of addresses, as ranges."""
Identifier = Callable[[str], str | None]
"""Returns the address group that is a set; None while there is none."""


@dataclass(frozen=True)
class Difference:
    """Rules to add and rules (by id) to remove; ``missing`` are sets some rules still wait for."""

    add: tuple[CloudRule, ...] = ()
    remove: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()

    @property
    def same(self) -> bool:
        """Whether nothing remains to be done."""
        return not (self.add or self.remove or self.missing)


def difference(
    desired: Iterable[Rule], actual: SecurityGroup, *, group_of: Identifier | None, addresses: Addresses
) -> Difference:
    """Return how a group is to be changed; ``group_of`` None says that the cloud has no address groups."""
    there = {known.rule: known.id for known in actual.security_group_rules}
    wanted, missing = set[CloudRule](), set[str]()
    for rule in desired:
        if rule.peers and group_of is None:
            wanted |= {_cloud(rule, prefix=each) for each in _of_family(addresses(rule.peers), rule.family)}
        elif rule.peers and group_of is not None:
            identifier = group_of(rule.peers)
            if identifier is None:
                missing.add(rule.peers)
            else:
                wanted.add(_cloud(rule, group=identifier))
        else:
            wanted.add(_cloud(rule, prefix=rule.cidr or None))
    return Difference(
        add=tuple(sorted(wanted - there.keys(), key=str)),
        remove=tuple(sorted(there[rule] for rule in there.keys() - wanted)),
        missing=frozenset(missing),
    )


def _of_family(addresses: frozenset[str] | None, family: int) -> list[str]:
    return [each for each in addresses or () if (":" in each) == (family == 6)]


def _cloud(rule: Rule, *, prefix: str | None = None, group: str | None = None) -> CloudRule:
    return CloudRule(
        direction=rule.direction,
        ethertype="IPv6" if rule.family == 6 else "IPv4",
        protocol=rule.protocol or None,
        port_range_min=rule.first or None,
        port_range_max=rule.last or None,
        remote_ip_prefix=prefix,
        remote_address_group_id=group,
    )
