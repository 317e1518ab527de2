"""Which subnets of an external network a floating IP may come from. Pure.

Patterns are those of cloud-provider-openstack: a name, a name with ``*`` and ``?``, or after ``~`` a regular
expression for the whole name, any of them negated by ``!`` in front. Tags: a list by commas of which one must
be there, all of them after ``&``, and again ``!`` in front for the opposite.
"""

import fnmatch
import re
from collections.abc import Iterable

from causeway.cloud.neutron import Subnet
from causeway.rooms.services.model import SubnetChoice


def matching(subnets: Iterable[Subnet], choice: SubnetChoice) -> tuple[tuple[str, str], ...]:
    """Return (id, range) of the subnets that are meant."""
    return tuple((one.id, one.cidr) for one in subnets if _meant(one, choice))


def _meant(subnet: Subnet, choice: SubnetChoice) -> bool:
    if choice.id:
        return subnet.id == choice.id
    return (not choice.pattern or _named(subnet.name, choice.pattern)) and (
        not choice.tags or _tagged(subnet.tags, choice.tags)
    )


def _named(name: str, pattern: str) -> bool:
    wanted = not pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    if pattern.startswith("~"):
        return (re.fullmatch(pattern[1:], name) is not None) == wanted
    return fnmatch.fnmatchcase(name, pattern) == wanted


def _tagged(tags: list[str], asked: str) -> bool:
    wanted = not asked.startswith("!")
    asked = asked.removeprefix("!")
    every = asked.startswith("&")
    names = [name.strip() for name in asked.removeprefix("&").split(",") if name.strip()]
    return (all if every else any)(name in tags for name in names) == wanted
