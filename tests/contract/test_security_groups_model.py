"""What is proven with the model of security groups holds on Neutron: the same operations, the same seen."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.projects import CLOUD, Project, project
from tests.models.security_groups import ModelSecurityGroups

from causeway.cloud import errors
from causeway.cloud.ownership import Owner
from causeway.cloud.security_groups import AddressGroup, KnownRule, Rule, SecurityGroup, SecurityGroups
from causeway.cloud.session import Cloud
from causeway.lab.settings import Settings


class OnTheModel:
    """What the walk needs beside what the room calls, on the model."""

    def __init__(self) -> None:
        self.groups = ModelSecurityGroups()

    @asynccontextmanager
    async def port_in(self, group_id: str) -> AsyncIterator[None]:
        self.groups.ports["port"] = (group_id,)
        yield
        del self.groups.ports["port"]

    def allow_rules(self, more: int) -> None:
        there = sum(len(each.security_group_rules) for each in self.groups.groups.values())
        self.groups.rules_allowed = there + more


class OnNeutron:
    """The same on a project of its own."""

    def __init__(self, tenant: Project, cloud: Cloud) -> None:
        self.groups = SecurityGroups(cloud)
        self._tenant = tenant

    @asynccontextmanager
    async def port_in(self, group_id: str) -> AsyncIterator[None]:
        network = self._tenant.cloud.network
        net = network.create_network(name="net")
        port = network.create_port(network_id=net.id, security_groups=[group_id])
        yield
        network.delete_port(port)
        network.delete_network(net)

    def allow_rules(self, more: int) -> None:
        there = len(list(self._tenant.admin.network.security_group_rules(project_id=self._tenant.id)))
        self._tenant.admin.network.update_quota(self._tenant.id, security_group_rules=there + more)


class Walk:
    """All the policies' room does with security groups; ``seen`` is what it saw on its way."""

    def __init__(self, where: OnTheModel | OnNeutron) -> None:
        self.where = where
        self.groups: Any = where.groups  # the room's protocol is the same for both
        self.policy = Owner(str(uuid.uuid4()), "policy", str(uuid.uuid4()))
        self.open = Owner(self.policy.cluster, "open", "ingress")
        self.peers = Owner(self.policy.cluster, "peers", "k")
        self.seen: list[object] = []

    async def walk(self) -> list[object]:
        """Walk, and return what was seen."""
        made = await self.groups.create_groups([("web", self.policy), ("open", self.open)])
        self.seen.append(
            [(each.name, each.owner) for each in made] == [("web", self.policy), ("open", self.open)]
        )
        await self.look()
        peers = await self.groups.create_address_group("peers", self.peers, ["10.0.0.8/32", "10.0.0.7/32"])
        empty = await self.groups.create_address_group("none", self.peers, [])
        self.seen.append([(each.name, each.owner == self.peers, each.addresses) for each in (peers, empty)])
        await self.rules(made[0], made[1], peers)
        await self.addresses(peers)
        await self.ends(made[0], made[1], peers, empty)
        return self.seen

    async def rules(self, group: SecurityGroup, other: SecurityGroup, peers: AddressGroup) -> None:
        """Add rules that are new, there, double, too many, or refer to nothing, and take them away."""
        wanted = [
            Rule(protocol="tcp", port_range_min=80, port_range_max=90, remote_address_group_id=peers.id),
            Rule("egress", "IPv6", "udp", 53, 53, remote_ip_prefix="fd00::/64"),
            Rule(remote_ip_prefix="10.9.0.1/32"),
        ]
        known: list[KnownRule] = await self.groups.create_rules(group.id, wanted)
        self.seen.append([each.rule == rule for each, rule in zip(known, wanted, strict=True)])
        self.seen.append(len(await self.groups.create_rules(other.id, wanted[2:])))  # another's is no double
        await self.look()
        new = Rule(protocol="sctp")
        missing = Rule(protocol="tcp", remote_address_group_id=str(uuid.uuid4()))
        await self.refused(self.groups.create_rules(group.id, wanted[:1]))
        await self.refused(self.groups.create_rules(group.id, [new, wanted[0]]))
        await self.refused(self.groups.create_rules(group.id, [new, new]))
        await self.refused(self.groups.create_rules(group.id, [new, missing]))
        await self.refused(self.groups.create_rules(str(uuid.uuid4()), [new]))
        self.where.allow_rules(1)
        await self.refused(self.groups.create_rules(group.id, [new, Rule(protocol="udp")]))
        await self.look()  # all or none
        await self.refused(self.groups.create_rules(group.id, [new]))
        await self.refused(self.groups.delete_address_group(peers.id))
        for each in (known[0], known[0], known[1]):  # of what is gone: succeeds
            await self.groups.delete_rule(each.id)
        await self.look()

    async def addresses(self, peers: AddressGroup) -> None:
        """Change a set of addresses, by what is new, there and lacking."""
        for verb, ranges in (
            ("add_addresses", ["10.0.0.9/32", "fd00::7/128"]),
            ("add_addresses", ["10.0.0.9/32"]),
            ("add_addresses", ["10.0.0.9/32", "10.0.0.10/32"]),
            ("remove_addresses", ["10.0.0.7/32"]),
            ("remove_addresses", ["10.0.0.7/32"]),
            ("remove_addresses", ["10.0.0.7/32", "10.0.0.8/32"]),
        ):
            await self.refused(getattr(self.groups, verb)(peers.id, ranges))
            await self.refused(getattr(self.groups, verb)(str(uuid.uuid4()), ranges))
            found = await self.groups.list_address_groups(self.policy.cluster, "peers")
            self.seen.append(sorted((each.name, sorted(each.addresses)) for each in found))

    async def ends(
        self, group: SecurityGroup, other: SecurityGroup, peers: AddressGroup, empty: AddressGroup
    ) -> None:
        """Delete all, what is in use only once it is not."""
        async with self.where.port_in(group.id):
            await self.refused(self.groups.delete_group(group.id))
        for group_id in (group.id, group.id, other.id):
            await self.refused(self.groups.delete_group(group_id))
        for group_id in (peers.id, peers.id, empty.id):
            await self.refused(self.groups.delete_address_group(group_id))
        await self.look()
        self.seen.append(len(await self.groups.list_address_groups(self.policy.cluster, "peers")))

    async def look(self) -> None:
        """Note the groups there are, by kinds, with what they allow."""
        for kinds in (("policy", "open"), ("open",), ("peers",)):
            found = await self.groups.list_groups(self.policy.cluster, *kinds)
            self.seen.append(sorted((each.name, self._allowed(each)) for each in found))
        self.seen.append(len(await self.groups.list_groups(str(uuid.uuid4()), "policy")))

    async def refused(self, call: Awaitable[object]) -> None:
        """Note how a call is refused, or that it is not."""
        try:
            await call
        except errors.CloudError as error:
            self.seen.append(type(error).__name__)
        else:
            self.seen.append("accepted")

    @staticmethod
    def _allowed(group: SecurityGroup) -> tuple[str, ...]:
        """Return the rules of a group, address groups without their ids."""
        rules = [known.rule for known in group.security_group_rules]
        return tuple(
            sorted(str(rule).replace(rule.remote_address_group_id or "-", "peers") for rule in rules)
        )


@pytest.fixture
def tenant(lab: Settings, tmp_path: Path) -> Iterator[Project]:
    with project("groups", tmp_path) as made:
        yield made


async def test_neutron_does_what_the_model_of_security_groups_does(tenant: Project) -> None:
    expected = await Walk(OnTheModel()).walk()
    async with await Cloud.open(CLOUD, tenant.clouds) as cloud:
        assert await Walk(OnNeutron(tenant, cloud)).walk() == expected
