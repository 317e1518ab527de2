"""Doing a step: the only code of this room that writes to the cloud.

Every step may be repeated after a crash at any moment: what exists is found by its owner, and deleting what
is gone succeeds. Networks and groups of many namespaces are made in one call each.
"""

from collections.abc import Sequence
from ipaddress import ip_network

import msgspec

from causeway.cloud import errors
from causeway.cloud.networks import Network, Networks, SubnetRequest
from causeway.cloud.ownership import Owner
from causeway.cloud.security_groups import SecurityGroup, SecurityGroups
from causeway.engine.batch import Batcher
from causeway.rooms.namespaces.actual import View
from causeway.rooms.namespaces.model import (
    KIND,
    AddRules,
    CreateGroup,
    CreateNetwork,
    CreateSubnets,
    DeleteGroup,
    DeleteNetwork,
    DeleteSubnet,
    Desired,
    Join,
    Part,
    RemoveRule,
    Setting,
    Step,
)

_A_CALL = 20  # networks or groups made in one call
_ONE_MAY_BE_TO_BLAME = (errors.Quota, errors.BadRequest, errors.Conflict)


class Hands:
    """Carries steps out and enters their results in the view."""

    def __init__(self, setting: Setting, networks: Networks, groups: SecurityGroups, view: View) -> None:
        self._cluster = setting.cluster
        self._router_id = setting.router_id
        self._networks = networks
        self._groups = groups
        self._view = view
        self._making_networks = Batcher(
            self._make_networks, most=_A_CALL, divisible=_ONE_MAY_BE_TO_BLAME, final=(errors.Quota,)
        )
        self._making_groups = Batcher(
            self._make_groups, most=_A_CALL, divisible=_ONE_MAY_BE_TO_BLAME, final=(errors.Quota,)
        )

    async def do(self, step: Step) -> None:
        """Do one step. Raises ``CloudError``; the step may then have taken effect or not."""
        view = self._view
        match step:
            case CreateNetwork(desired):
                await self._making_networks.ask(desired)
            case CreateGroup(desired):
                await self._making_groups.ask(desired)
            case CreateSubnets():
                for subnet in await self._networks.create_subnets(self._subnets(step)):
                    view.subnets.put(subnet.id, subnet)
            case Join(subnet_id):
                await self._networks.join(self._router(), subnet_id)
                view.interfaces.put(subnet_id, self._router())
            case Part(subnet_id):
                await self._networks.part(self._router(), subnet_id)
                view.interfaces.drop(subnet_id)
            case DeleteSubnet(subnet_id):
                await self._networks.delete_subnet(subnet_id)
                view.subnets.drop(subnet_id)
            case DeleteNetwork(network_id):
                await self._networks.delete_network(network_id)
                for subnet in [each for each in view.subnets.all() if each.network_id == network_id]:
                    view.subnets.drop(subnet.id)
                view.networks.drop(network_id)
            case DeleteGroup(group_id):
                await self._groups.delete_group(group_id)
                view.groups.drop(group_id)
            case AddRules() | RemoveRule():
                await self._change_rules(step)

    async def keep_peers(self, ranges: frozenset[str]) -> bool:
        """Bring the one address group of those who may reach every namespace to ``ranges``.

        Returns whether there is another one now, which rules have to name.
        """
        known = self._view.peers.all()
        if not known:
            owner = Owner(self._cluster, KIND)
            made = await self._groups.create_address_group("global-namespaces", owner, ranges)
            self._view.peers.put(made.id, made)
            return True
        group, *surplus = known  # a crash may have left two
        present = frozenset(group.addresses)
        if more := ranges - present:
            group = await self._groups.add_addresses(group.id, more)
            self._view.peers.put(group.id, group)
        if less := present - ranges:
            group = await self._groups.remove_addresses(group.id, less)
            self._view.peers.put(group.id, group)
        for each in surplus:
            await self.drop_peers(each.id)
        return False

    async def drop_peers(self, group_id: str) -> None:
        """Delete an address group that no rule names any more."""
        await self._groups.delete_address_group(group_id)
        self._view.peers.drop(group_id)

    def close(self) -> None:
        """Break off what is under way."""
        self._making_networks.close()
        self._making_groups.close()

    async def _change_rules(self, step: AddRules | RemoveRule) -> None:
        group = self._view.groups.get(step.group_id)
        rules = group.security_group_rules if group else []
        if isinstance(step, AddRules):
            rules = rules + await self._groups.create_rules(step.group_id, step.rules)
        else:
            await self._groups.delete_rule(step.rule_id)
            rules = [each for each in rules if each.id != step.rule_id]
        if group is not None:
            self._view.groups.put(group.id, msgspec.structs.replace(group, security_group_rules=rules))

    async def _make_networks(self, wanted: Sequence[Desired]) -> list[Network]:
        made = await self._networks.create_networks([(_name(each), self._owner(each)) for each in wanted])
        for network in made:
            self._view.networks.put(network.id, network)
        return made

    async def _make_groups(self, wanted: Sequence[Desired]) -> list[SecurityGroup]:
        made = await self._groups.create_groups([(_name(each), self._owner(each)) for each in wanted])
        for group in made:
            self._view.groups.put(group.id, group)
        return made

    def _subnets(self, step: CreateSubnets) -> list[SubnetRequest]:
        return [
            SubnetRequest(
                network_id=step.network_id,
                name=_name(step.desired),
                ip_version=each.ip_version,
                description=self._owner(step.desired).description(),
                cidr=each.cidr,
                subnetpool_id=each.pool_id,
                gateway_ip=str(ip_network(each.cidr)[1]) if each.cidr else None,
                enable_dhcp=False,
            )
            for each in step.ranges
        ]

    def _owner(self, desired: Desired) -> Owner:
        return Owner(self._cluster, KIND, desired.uid)

    def _router(self) -> str:
        if self._router_id is None:
            raise RuntimeError("a platform without a router makes no networks")
        return self._router_id


def _name(desired: Desired) -> str:
    return f"namespace/{desired.name}"  # Neutron keeps "default" for a group of its own
