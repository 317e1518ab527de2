"""The room of nodes against a real API server and servers of the lab's real Nova. No kubelet runs here."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.integration.kube_api import KubeApi
from tests.integration.projects import CLOUD, Project, project, until

from causeway.cloud.neutron import Neutron
from causeway.cloud.nova import Nova
from causeway.cloud.session import Cloud
from causeway.engine.explanation import Explanation
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import NotFound, Object
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.kube.resource import EVENTS, NODES
from causeway.lab.settings import Settings
from causeway.rooms.nodes.controller import Room
from causeway.rooms.nodes.explain import explain, gather
from causeway.rooms.nodes.model import (
    INSTANCE_TYPE,
    OUT_OF_SERVICE,
    PROVIDED_ADDRESS,
    REGION,
    SHUTDOWN,
    UNINITIALISED,
    ZONE,
)

FLAVOR = "m1.small"
DEADLINE = 240.0  # seconds any single condition may take on a busy machine


@dataclass
class Servers:
    """Two servers of a project, the first with a floating IP."""

    project: Project
    cluster: str
    w1: Any
    w2: Any
    floating: str

    @staticmethod
    def address(server: Any) -> str:
        """Return the address of a server's port."""
        (ports,) = server.addresses.values()
        return str(next(each["addr"] for each in ports if each["OS-EXT-IPS:type"] == "fixed"))


@pytest.fixture(scope="module")
def servers(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with project("nodes", tmp_path_factory.mktemp("cloud")) as made:
        network, compute = made.cloud.network, made.cloud.compute
        net = network.create_network(name="nodes")
        subnet = network.create_subnet(network_id=net.id, ip_version=4, cidr="10.10.0.0/24")
        external = network.find_network("ext")
        router = network.create_router(name="router", external_gateway_info={"network_id": external.id})
        network.add_interface_to_router(router, subnet_id=subnet.id)
        image, flavor = made.cloud.image.find_image("causeway-node-v1.35.4"), compute.find_flavor(FLAVOR)
        cluster, booted = str(uuid.uuid4()), {}
        for name in ("w1", "w2"):
            port = network.create_port(network_id=net.id, name=name)
            booted[name] = compute.create_server(
                name=name,
                image_id=image.id,
                flavor_id=flavor.id,
                networks=[{"port": port.id}],
                metadata={"causeway-cluster": cluster},
            )
            if name == "w1":
                floating = network.create_ip(floating_network_id=external.id, port_id=port.id)

        def status(name: str) -> Any:
            found = compute.get_server(booted[name].id)
            assert found.status != "ERROR", found.fault
            # Nova hears of a floating IP later than its user; the room looks at a node that is well rarely.
            given = [each["OS-EXT-IPS:type"] for ports in found.addresses.values() for each in ports]
            whole = sorted(given) == (["fixed", "floating"] if name == "w1" else ["fixed"])
            return found if found.status == "ACTIVE" and whole else None

        w1, w2 = (until(lambda name=name: status(name), DEADLINE) for name in booted)
        yield Servers(made, cluster, w1, w2, floating.floating_ip_address)


@dataclass
class Stage:
    """The platform's API, and the room's cloud with its count of calls."""

    kube: Client
    cloud: Cloud

    async def join(self, name: str, provider_id: str, address: str) -> None:
        """Make a node as a kubelet for an external cloud provider does."""
        meta = {"name": name, "annotations": {PROVIDED_ADDRESS: address}, "labels": {"a": "b"}}
        taints = [
            {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
            {"key": UNINITIALISED, "value": "true", "effect": "NoSchedule"},
        ]
        spec: Object = {"taints": taints}
        if provider_id:
            spec["providerID"] = provider_id
        await self.kube.create(NODES, {"metadata": meta, "spec": spec})
        await self.report(name, "True")

    async def report(self, name: str, status: str) -> None:
        """Say that a node is ready or silent, as its kubelet or the node lifecycle controller does."""
        body = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
        await self.kube.patch(NODES, name, body, subresource="status", kind="strategic")

    async def node(self, name: str) -> Object | None:
        """Return a node, None when it is gone."""
        with contextlib.suppress(NotFound):
            return await self.kube.get(NODES, name)
        return None

    async def taints(self, name: str) -> set[str]:
        """Return the keys of a node's taints."""
        node = await self.node(name)
        assert node is not None
        return {each["key"] for each in node["spec"].get("taints", [])}

    async def news(self, name: str) -> list[str]:
        """Return the reasons of the Events about a node."""
        events = (await self.kube.list(EVENTS, "default")).items
        return [each["reason"] for each in events if each["regarding"]["name"] == name]

    async def explained(self, name: str, cluster: str) -> Explanation:
        """Return what is said of a node."""
        neutron, nova = Neutron(self.cloud), Nova(self.cloud)
        return explain(await gather(self.kube, neutron, nova, cluster=cluster, name=name, controller=None))

    @property
    def listings(self) -> int:
        """How often all servers were listed."""
        return self.cloud.calls["compute", "GET /v2.1/servers/detail"]


@pytest.fixture
async def stage(servers: Servers, kube_api: KubeApi) -> AsyncIterator[Stage]:
    async with (
        Client(from_kubeconfig(kube_api.kubeconfig)) as kube,
        await Cloud.open(CLOUD, servers.project.clouds) as cloud,
    ):
        informers = Informers.at(kube)
        room = Room.at(kube, Nova(cloud), Recorder(kube, "controller"), servers.cluster, informers.nodes)
        tasks = [asyncio.create_task(each.run()) for each in (informers, room)]
        yield Stage(kube, cloud)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def come(look: Callable[[], Awaitable[Any]], seconds: float = DEADLINE) -> Any:
    """Look until there is something to see."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.1)
    return found


async def test_a_nodes_life(servers: Servers, stage: Stage) -> None:
    compute, started = servers.project.cloud.compute, time.monotonic()
    address = {"w1": servers.address(servers.w1), "w2": servers.address(servers.w2)}
    await stage.join("w1", f"openstack:///{servers.w1.id}", address["w1"])
    await stage.join("w2", "", address["w2"])  # known by its name
    await stage.join("elsewhere", "aws:///zone/i-1", "10.0.0.1")
    await stage.report("elsewhere", "Unknown")
    await stage.join("liar", f"openstack:///{servers.w1.id}", "10.10.0.254")

    async def initialised() -> bool:
        return not any([UNINITIALISED in await stage.taints(name) for name in ("w1", "w2")])

    await come(initialised)
    first = await stage.node("w1")
    assert first is not None
    assert [(each["type"], each["address"]) for each in first["status"]["addresses"]] == [
        ("InternalIP", address["w1"]),
        ("ExternalIP", servers.floating),
        ("Hostname", "w1"),
    ]
    labels = first["metadata"]["labels"]
    assert (labels[ZONE], labels[REGION], labels[INSTANCE_TYPE]) == ("nova", "RegionOne", FLAVOR)
    assert labels["a"] == "b"
    assert await stage.taints("w1") == {"node.kubernetes.io/not-ready"}  # which is not ours to take away
    second = await stage.node("w2")
    assert second is not None
    assert second["spec"]["providerID"] == f"openstack:///{servers.w2.id}"
    assert UNINITIALISED in await stage.taints("elsewhere")
    await come(lambda: stage.news("liar"))
    assert UNINITIALISED in await stage.taints("liar")
    assert stage.listings <= 2 + (time.monotonic() - started) / 2
    told = await stage.explained("w1", servers.cluster)
    assert f"{servers.w1.id} w1 ACTIVE, {FLAVOR} in nova" == told.actual["server"]
    assert told.remaining == ()
    assert {each.place: each.cause for each in told.causes} == {
        "node w1": "the node daemon does not run there: no pod gets its network"
    }

    compute.stop_server(servers.w2)
    until(lambda: compute.get_server(servers.w2.id).status == "SHUTOFF", DEADLINE)
    assert SHUTDOWN not in await stage.taints("w2")  # its kubelet still counts as well
    await stage.report("w2", "Unknown")

    async def shut_down() -> bool:
        return {SHUTDOWN, OUT_OF_SERVICE} <= await stage.taints("w2")

    async def running() -> bool:
        return not {SHUTDOWN, OUT_OF_SERVICE} & await stage.taints("w2")

    await come(shut_down)
    assert "ServerStopped" in await stage.news("w2")
    first_cause = (await stage.explained("w2", servers.cluster)).causes[0]
    assert (first_cause.place, first_cause.cause) == (f"server {servers.w2.id}", "it is SHUTOFF")
    compute.start_server(servers.w2)
    await stage.report("w2", "True")
    await come(running)

    compute.delete_server(servers.w2)
    until(lambda: not [each for each in compute.servers() if each.id == servers.w2.id], DEADLINE)
    await stage.report("w2", "Unknown")
    before, started = stage.listings, time.monotonic()

    async def gone() -> bool:
        return await stage.node("w2") is None

    await come(gone)
    assert stage.listings - before <= 2 + (time.monotonic() - started) / 2
    assert "ServerGone" in await stage.news("w2")
    assert await stage.node("elsewhere") is not None
    assert await stage.node("w1") is not None
