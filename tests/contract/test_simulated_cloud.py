"""The cloud that scale is measured on answers as a real one: the same walk through both, the same seen."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.contract.test_octavia_model import Scenario, Seen
from tests.integration.services.conftest import Project
from tests.models.cloud import ModelOctavia

from bench.simulator.cloud import SimulatedCloud
from causeway.cloud import errors
from causeway.cloud.neutron import Neutron, PortRequest, Subport
from causeway.cloud.octavia import Octavia
from causeway.cloud.ownership import Owner, of_cluster
from causeway.cloud.security_groups import Rule, SecurityGroups
from causeway.cloud.session import Cloud

DEADLINE = 240.0


@pytest.fixture
async def simulated(tmp_path: Path) -> AsyncIterator[tuple[SimulatedCloud, Cloud]]:
    cloud = SimulatedCloud()
    async with (
        cloud.answering(),
        await Cloud.open("openstack", cloud.clouds(tmp_path / "clouds.yaml")) as opened,
    ):
        yield cloud, opened


async def refused(call: Awaitable[object]) -> str:
    """Return how a call is refused."""
    try:
        await call
    except errors.CloudError as error:
        return type(error).__name__
    return "accepted"


async def walk_ports(neutron: Neutron, network: str, subnet: str, trunk: str) -> list[object]:
    """Walk through what is done with ports and subports; return what is seen on the way."""
    owner = Owner(str(uuid.uuid4()), "pod", str(uuid.uuid4()))
    ours = of_cluster(owner.cluster)
    request = PortRequest("walk", network, owner.tags(), fixed_ips=[{"subnet_id": subnet}])
    made = await neutron.create_ports([request, request, request])
    first, second, third = (port.id for port in made)
    seen: list[object] = [
        [(port.name, sorted(port.tags) == sorted(owner.tags()), port.status) for port in made],
        [[address.subnet_id == subnet for address in port.fixed_ips] for port in made],
        len({address.ip_address for port in made for address in port.fixed_ips}),
        {port.id for port in await neutron.list_ports(ours)} == {first, second, third},
        [port.id for port in await neutron.list_ports(tags=of_cluster(str(uuid.uuid4())))],
    ]

    async def look() -> None:
        found = await neutron.get_trunk(trunk)
        seen.append(sorted(sub.segmentation_id for sub in found.sub_ports))

    await neutron.add_subports(trunk, [Subport(first, 100), Subport(second, 101)])
    await look()
    seen.append(await refused(neutron.add_subports(trunk, [Subport(third, 101)])))
    seen.append(await refused(neutron.delete_port(first)))
    seen.append(await refused(neutron.remove_subports(trunk, [third])))
    await neutron.remove_subports(trunk, [first])
    await look()
    seen.append(await refused(neutron.get_trunk(str(uuid.uuid4()))))
    await neutron.remove_subports(trunk, [second])
    for port in (first, second, third, first):  # of what is gone: succeeds
        await neutron.delete_port(port)
    seen.append(len(await neutron.list_ports(ours)))
    return seen


async def walk_groups(groups: SecurityGroups) -> list[object]:
    """Walk through what is done with security groups, rules and address groups."""
    owner = Owner(str(uuid.uuid4()), "policy", str(uuid.uuid4()))
    (group, other) = await groups.create_groups([("a", owner), ("b", owner)])
    addresses = await groups.create_address_group("peers", owner, ["10.0.0.7/32", "10.0.0.8/32"])
    seen: list[object] = [sorted(str(known.rule) for known in group.security_group_rules)]
    rule = Rule(protocol="tcp", port_range_min=80, port_range_max=90, remote_address_group_id=addresses.id)
    anyone = Rule(direction="egress", protocol="udp")
    made = await groups.create_rules(group.id, [rule, anyone])
    seen.append([known.rule == wanted for known, wanted in zip(made, (rule, anyone), strict=True)])
    seen.append(await refused(groups.create_rules(group.id, [rule])))
    seen.append(await refused(groups.delete_address_group(addresses.id)))
    changed = await groups.add_addresses(addresses.id, ["10.0.0.9/32"])
    seen.append(sorted(changed.addresses))
    changed = await groups.remove_addresses(addresses.id, ["10.0.0.7/32"])
    seen.append(sorted(changed.addresses))
    seen.append(await refused(groups.remove_addresses(addresses.id, ["10.0.0.7/32"])))
    found = await groups.list_groups(owner.cluster, owner.kind)
    seen.append(sorted((each.name, len(each.security_group_rules)) for each in found))
    for known in made:
        await groups.delete_rule(known.id)
        await groups.delete_rule(known.id)  # of what is gone: succeeds
    for each in (group, other, other):
        await groups.delete_group(each.id)
    await groups.delete_address_group(addresses.id)
    seen.append(await refused(groups.create_rules(group.id, [rule])))
    seen.append(len(await groups.list_groups(owner.cluster, owner.kind)))
    return seen


async def test_ports_and_subports(
    project: Project, simulated: tuple[SimulatedCloud, Cloud], lab_trunk: str
) -> None:
    simulation, cloud = simulated
    network = simulation.network.make("networks", {"name": "pods"})
    subnet = simulation.network.make("subnets", {"network_id": network["id"], "cidr": "10.131.0.0/20"})
    parent = simulation.network.make("ports", {"network_id": network["id"]})
    trunk = simulation.network.make("trunks", {"port_id": parent["id"]})
    ours = await walk_ports(Neutron(cloud), network["id"], subnet["id"], trunk["id"])
    async with await Cloud.open("test", project.clouds) as real:
        neutron, pods = Neutron(real), project.ids["pod_subnet"]
        network_id = (await neutron.get_subnet(pods)).network_id
        assert await walk_ports(neutron, network_id, pods, lab_trunk) == ours


@pytest.fixture
def lab_trunk(project: Project) -> Iterator[str]:
    config = OpenStackConfig(config_files=[str(project.clouds)], load_envvars=False)
    with contextlib.ExitStack() as after:
        network = after.enter_context(contextlib.closing(Connection(config=config.get_one("test")))).network
        subnet = network.get_subnet(project.ids["pod_subnet"])
        parent = network.create_port(network_id=subnet.network_id)
        after.callback(network.delete_port, parent)
        trunk = network.create_trunk(port_id=parent.id)
        after.callback(network.delete_trunk, trunk)
        yield trunk.id


async def test_groups_rules_and_address_groups(
    project: Project, simulated: tuple[SimulatedCloud, Cloud]
) -> None:
    ours = await walk_groups(SecurityGroups(simulated[1]))
    async with await Cloud.open("test", project.clouds) as real:
        assert await walk_groups(SecurityGroups(real)) == ours


async def test_load_balancers(simulated: tuple[SimulatedCloud, Cloud]) -> None:
    """The model of Octavia stands for the real one here: another test holds it to that."""
    owner = Owner(str(uuid.uuid4()), "service", str(uuid.uuid4()))
    model = ModelOctavia()

    async def settled(now: Callable[[], Awaitable[Seen]]) -> Seen:
        model.settle()
        return await now()

    expected = await Scenario(model, settled, owner, ("service", "pod")).walk()

    async def waited(now: Callable[[], Awaitable[Seen]]) -> Seen:
        wanted, deadline = expected[len(walked.seen)], time.monotonic() + DEADLINE
        while True:
            found = await now()
            if found == wanted or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.1)

    walked = Scenario(Octavia(simulated[1]), waited, owner, ("service", "pod"))
    assert await walked.walk() == expected
