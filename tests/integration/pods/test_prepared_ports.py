"""Ports that people prepared, on a real Neutron: they serve the pods they are for, and stay as they were."""

import asyncio
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.pods.player import Player

from causeway.cloud.neutron import Neutron
from causeway.cloud.prepared_ports import PreparedPorts, tags_of
from causeway.kube.resource import EVENTS, NETWORK_POLICIES, NODES, PODS
from causeway.rooms.platforms.orphans.gather import landscape
from causeway.rooms.pods import explain
from causeway.rooms.pods.model import CHASSIS_LABEL

if TYPE_CHECKING:
    from tests.integration.pods.stage import Stage

ADDRESS = "10.20.7.7"
KEPT = ("name", "fixed_ips", "mac_address", "security_group_ids", "tags", "description")
FREE = {"device_id": "", "device_owner": "", "binding_host_id": ""}


class People:
    """Who prepares ports in the tenant's project."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._network: Any = stage.tenant.connection.network
        self._made: list[str] = []
        self.group = self._network.create_security_group(name="database")
        self.tags = list(tags_of(stage.tenant.cluster, stage.namespace))

    def prepare(self, name: str, network: str = "pods", **more: Any) -> Any:
        values = {"tags": self.tags, "security_group_ids": [self.group.id], **more}
        made = self._network.create_port(network_id=self._stage.tenant.nets[network].id, name=name, **values)
        self._made.append(made.id)
        return made

    def tag(self, port: Any) -> None:
        self._network.set_tags(port, self.tags)

    def look(self, port: Any) -> dict[str, Any]:
        """Return a port as the administrator sees it."""
        seen: dict[str, Any] = self._stage.tenant.admin.network.get_port(port.id).to_dict()
        return seen

    def remove(self) -> None:
        for port_id in self._made:
            self._network.delete_port(port_id)
        self._network.delete_security_group(self.group)


@pytest.fixture
def people(stage: "Stage") -> Iterator[People]:
    made = People(stage)
    try:
        yield made
    finally:
        stage.controller.end()
        for trunk in stage.tenant.connection.network.trunks():
            left = [{"port_id": sub["port_id"]} for sub in trunk.sub_ports if sub["port_id"] in made._made]
            if left:
                stage.tenant.connection.network.delete_trunk_subports(trunk, left)
        made.remove()


async def add(stage: "Stage", name: str, port: str, node: str = "w1", **labels: str) -> None:
    meta = {"name": name, "labels": labels, "annotations": {"causeway.dev/port": port}}
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
    await stage.client.create(PODS, {"metadata": meta, "spec": spec}, stage.namespace)


async def has_address(stage: "Stage", name: str) -> Any:
    async def look() -> Any:
        pod = await stage.client.get(PODS, name, stage.namespace)
        return pod.get("status", {}).get("podIP")

    return await stage.come(look)


async def refusals(stage: "Stage", names: set[str]) -> dict[str, str]:
    """Return what is said first of each of these pods."""

    async def look() -> Any:
        events = (await stage.client.list(EVENTS, stage.namespace)).items
        told = {each["regarding"]["name"]: f"{each['reason']}: {each['note']}" for each in reversed(events)}
        return told if set(told) >= names else None

    found: dict[str, str] = await stage.come(look)
    return found


async def test_a_prepared_port_comes_with_its_pod_and_stays_when_it_goes(
    stage: "Stage", people: People
) -> None:
    subnet = stage.tenant.subnets["pods"].id
    port = people.prepare("db", fixed_ips=[{"subnet_id": subnet, "ip_address": ADDRESS}])
    before = people.look(port)
    stage.controller.start()
    await add(stage, "db", "db")
    assert await has_address(stage, "db") == ADDRESS
    seen = await stage.look()
    assert seen.subports()[port.id][0] == "w1"
    assert port.id not in seen.ports, "it is not ours"
    await add(stage, "next", port.id, "w2")
    told = await refusals(stage, {"next"})
    assert told["next"].startswith(f"PortInUse: port {port.id} serves pod {stage.namespace}/db.")

    stage.controller.kill()
    await stage.drop_pods(["db"])
    stage.controller.start()
    assert await has_address(stage, "next") == ADDRESS
    assert (await stage.look()).subports()[port.id][0] == "w2"

    async def all_marked() -> bool:
        # What the killed one was making may go between two looks.
        seen, marked = await stage.look(), {thing.id for thing in landscape(stage.tenant.connection).things}
        assert port.id not in marked, "it is nobody's orphan, whatever happens"
        return set(seen.ports) <= marked

    await stage.come(all_marked)

    await stage.drop_pods(["next"])
    await stage.until(lambda seen: port.id not in {**seen.subports(), **seen.entries()})
    after = people.look(port)
    assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
    assert {key: after[key] for key in FREE} == FREE
    assert stage.controller.stop() == 0


async def test_ports_that_cannot_be_had_are_refused_with_the_reason(stage: "Stage", people: People) -> None:
    policy = {"metadata": {"name": "deny"}, "spec": {"podSelector": {"matchLabels": {"app": "web"}}}}
    await stage.client.create(NETWORK_POLICIES, policy, stage.namespace)
    late = people.prepare("late", tags=[])
    people.prepare("other", tags=list(tags_of(stage.tenant.cluster, "another")))
    for _ in range(2):
        people.prepare("twin")
    people.prepare("card", binding_vnic_type="direct")
    people.prepare("busy", device_id="a-server", device_owner="compute:nova")
    people.prepare("apart", network="nodes")
    people.prepare("guarded")
    wanted = {
        "late": "PortNotFound: no port 'late' is given to namespace",
        "other": "PortNotFound: no port 'other' is given to namespace",
        "foreign": "PortNotFound: no port 'foreign' is given to namespace",
        "twin": "PortNotClear: 2 ports that are given to namespace",
        "card": "its vnic_type is direct: it needs hardware given to the pod",
        "busy": "it belongs to compute:nova a-server",
        "apart": f"pods of this namespace are on {stage.tenant.nets['pods'].id}",
        "guarded": "PortAndPolicy: port",
    }
    stage.controller.start()
    for name in wanted:
        await add(stage, name, name, app="web" if name == "guarded" else "db")
    told = await refusals(stage, set(wanted))
    assert {name: words in told[name] for name, words in wanted.items()} == dict.fromkeys(wanted, True), told
    facts = await explain.gather(
        stage.client,
        Neutron(stage.cloud),
        PreparedPorts(stage.cloud),
        stage.tenant.cluster,
        namespace=stage.namespace,
        name="card",
        controller=None,
    )
    causes = [cause.cause for cause in explain.explain(facts).causes]
    assert any("its vnic_type is direct" in cause for cause in causes), causes

    people.tag(late)
    await stage.client.delete(NETWORK_POLICIES, "deny", stage.namespace)
    assert await has_address(stage, "late") == late.fixed_ips[0]["ip_address"]
    await has_address(stage, "guarded")
    await stage.until(lambda seen: {claim.name for claim in seen.claims().values()} == {"late", "guarded"})
    await stage.drop_pods([*wanted])
    await stage.until(lambda seen: late.id not in {**seen.subports(), **seen.entries()})


async def test_on_a_native_node_it_is_bound_while_its_pod_is_there(stage: "Stage", people: People) -> None:
    tenant, node = stage.tenant, "m1"
    identity: Any = tenant.admin.identity  # its type allows for versions nobody runs
    role = next(iter(identity.roles(name="service")))
    identity.assign_project_role_to_user(tenant.project, tenant.user, role)
    os.utime(tenant.clouds)
    chassis = next(iter(tenant.admin.network.agents(agent_type="OVN Controller Gateway agent"))).host
    await stage.client.create(NODES, {"metadata": {"name": node, "labels": {CHASSIS_LABEL: chassis}}})
    port = people.prepare("metal")
    before = people.look(port)
    stage.controller.start()
    async with stage.as_node_daemon(node) as daemon:
        playing = asyncio.create_task(Player(daemon, stage.client, node).run())
        try:
            await add(stage, "metal", "metal", node)
            assert await has_address(stage, "metal") == port.fixed_ips[0]["ip_address"]
            bound = people.look(port)
            assert (bound["binding_host_id"], bound["device_id"]) == (chassis, tenant.cluster)
            await stage.drop_pods(["metal"])
            await stage.until(lambda seen: port.id not in seen.entries())
        finally:
            playing.cancel()
    after = people.look(port)
    assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
    assert {key: after[key] for key in FREE} == FREE
    await stage.client.delete(NODES, node)
