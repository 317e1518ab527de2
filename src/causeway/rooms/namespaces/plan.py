"""From desired and actual to the next steps. Pure.

As far as is known: the range of a subnet that is still to be made is not, so plans are made and applied in
turn until one is empty.
"""

from causeway.cloud.networks import Network, Subnet
from causeway.cloud.security_groups import SecurityGroup
from causeway.rooms.namespaces.desired import rules_of
from causeway.rooms.namespaces.model import (
    Actual,
    AddRules,
    CreateGroup,
    CreateNetwork,
    CreateSubnets,
    DeleteGroup,
    DeleteNetwork,
    DeleteSubnet,
    Desired,
    Join,
    Own,
    Part,
    RemoveRule,
    Setting,
    Step,
)


def plan(desired: Desired | None, actual: Actual, setting: Setting) -> list[Step]:
    """Return the next steps for one namespace; none when it is as desired."""
    if desired is None:
        return _remove(actual)
    begin: list[Step] = []
    if not actual.networks:
        begin.append(CreateNetwork(desired))
    if not actual.groups:
        begin.append(CreateGroup(desired))
    if begin:
        return begin
    network, group = _keep(actual)
    surplus = Actual(
        networks=tuple(each for each in actual.networks if each is not network),
        subnets=tuple(each for each in actual.subnets if each.network_id != network.id),
        joined=actual.joined,
        groups=tuple(each for each in actual.groups if each is not group),
    )
    return _remove(surplus) + _complete(desired, network, group, actual, setting)


def own_of(actual: Actual) -> Own | None:
    """Return the network pods can be put on, if there is one that is whole."""
    if not actual.networks or not actual.groups:
        return None
    network, group = _keep(actual)
    subnets, _ = _subnets(network, actual)
    if not subnets or any(each.id not in actual.joined for each in subnets):
        return None
    return Own(network.id, network.mtu, tuple(subnets), group.id)


def _complete(
    desired: Desired, network: Network, group: SecurityGroup, actual: Actual, setting: Setting
) -> list[Step]:
    subnets, surplus = _subnets(network, actual)
    if surplus:
        return [DeleteSubnet(each.id) for each in surplus]
    there = {each.ip_version for each in subnets}
    if missing := tuple(each for each in desired.ranges if each.ip_version not in there):
        return [CreateSubnets(desired, network.id, missing)]
    steps: list[Step] = [Join(each.id) for each in subnets if each.id not in actual.joined]
    wanted = rules_of(desired, subnets, setting, actual.peers)
    present = {each.rule: each.id for each in group.security_group_rules if each.direction == "ingress"}
    if more := tuple(sorted(wanted - present.keys(), key=str)):
        steps.append(AddRules(group.id, more))
    # Only when all that is to get in does, what is not to may be shut out.
    steps += [RemoveRule(group.id, rule_id) for rule, rule_id in present.items() if rule not in wanted]
    return steps


def _remove(actual: Actual) -> list[Step]:
    """Return how to take things away, after the pods' ports."""
    steps: list[Step] = [Part(each.id) for each in actual.subnets if each.id in actual.joined]
    steps += [DeleteNetwork(each.id) for each in actual.networks]
    return steps + [DeleteGroup(each.id) for each in actual.groups]


def _keep(actual: Actual) -> tuple[Network, SecurityGroup]:
    """Return the network and group to keep, should a crash have left two: those furthest made."""
    made = [each.network_id for each in actual.subnets]
    joined = [each.network_id for each in actual.subnets if each.id in actual.joined]
    network = min(actual.networks, key=lambda each: (-joined.count(each.id), -made.count(each.id), each.id))
    group = min(actual.groups, key=lambda each: (-len(each.security_group_rules), each.id))
    return network, group


def _subnets(network: Network, actual: Actual) -> tuple[list[Subnet], list[Subnet]]:
    """Return the subnets of a network to keep, and those beside them that a call whose answer was lost made.

    Of an IP version the first is kept. One the router is on always is: pods may live there.
    """
    there = [each for each in actual.subnets if each.network_id == network.id]
    kept: dict[int, Subnet] = {}
    for each in sorted(there, key=lambda each: (each.id not in actual.joined, each.id)):
        kept.setdefault(each.ip_version, each)
    surplus = [each for each in there if each.id not in actual.joined and kept[each.ip_version] is not each]
    return [each for each in there if each not in surplus], surplus
