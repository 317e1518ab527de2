"""A native node whose pods have prepared ports and further interfaces: controller, cloud, daemon and frames.

All of them are real; the test alone carries the pool from the API to the daemon, which is in the network of
the lab's chassis.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import pytest
from tests.integration.chassis import Chassis, Place, says
from tests.integration.node.conftest import Node

from causeway.cloud.prepared_ports import tags_of
from causeway.host.command import run
from causeway.kube.interfaces import ATTACHMENT_DEFINITIONS
from causeway.kube.objects import PoolPort, PortPool
from causeway.kube.podnetwork import PORT
from causeway.kube.resource import NODES, PODS, PORT_POOLS
from causeway.lab.settings import Settings
from causeway.rooms.pods.model import CHASSIS_LABEL

if TYPE_CHECKING:
    from tests.integration.pods.stage import Seen, Stage

NODE = "m1"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
PODS_MADE = {"db": {PORT: "db", NETWORKS: "data"}, "web": {NETWORKS: "data@fast0"}}


@pytest.fixture
def node(lab: Settings, tmp_path: Path) -> Iterator[Node]:
    chassis = Chassis(lab)
    made = Node(Place(chassis.namespace), tmp_path)
    made.start(CAUSEWAY_TRUNK_INTERFACE="uplink", CAUSEWAY_SWITCH_SOCKET=str(chassis.socket))
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def sandboxes() -> Iterator[dict[str, str]]:
    """Paths of a network namespace for each pod."""
    with ExitStack() as after:
        made = {}
        for pod in PODS_MADE:
            name = f"cw-{uuid4().hex[:8]}"
            run("ip", "netns", "add", name)
            after.callback(run, "ip", "netns", "del", name)
            made[pod] = f"/run/netns/{name}"
        yield made


@pytest.fixture
def cloud(stage: "Stage") -> Iterator[Any]:
    """Let pods reach each other on two networks, the first with a router; prepare a port."""
    network: Any = stage.tenant.connection.network
    network.create_security_group_rule(security_group_id=stage.tenant.group.id, direction="ingress")
    with ExitStack() as after:
        router = network.create_router(name="pods")
        after.callback(network.delete_router, router)
        pods = stage.tenant.subnets["pods"].id
        network.add_interface_to_router(router, subnet_id=pods)
        after.callback(lambda: network.remove_interface_from_router(router, subnet_id=pods))
        # Who may bind ports sees other projects' networks: its name has to be its own.
        data = network.create_network(name=stage.tenant.cluster)
        stage.tenant.nets["data"] = data
        network.create_subnet(network_id=data.id, ip_version=4, cidr="10.90.0.0/24", enable_dhcp=False)
        yield network.create_port(
            network_id=stage.tenant.nets["pods"].id,
            name="db",
            tags=list(tags_of(stage.tenant.cluster, "default")),
            security_group_ids=[stage.tenant.group.id],
        )
        stage.controller.end()


async def test_pods_talk_by_a_prepared_port_and_by_further_interfaces(
    stage: "Stage", node: Node, sandboxes: dict[str, str], cloud: Any
) -> None:
    tenant, stage.namespace = stage.tenant, "default"  # the daemon is told of no other
    identity: Any = tenant.admin.identity  # its type allows for versions nobody runs
    role = next(iter(identity.roles(name="service")))
    identity.assign_project_role_to_user(tenant.project, tenant.user, role)
    os.utime(tenant.clouds)
    chassis = next(iter(tenant.admin.network.agents(agent_type="OVN Controller Gateway agent"))).host
    await stage.client.create(NODES, {"metadata": {"name": NODE, "labels": {CHASSIS_LABEL: chassis}}})
    config = {"cniVersion": "1.0.0", "name": "data", "type": "causeway", "network": tenant.cluster}
    definition = {
        "apiVersion": ATTACHMENT_DEFINITIONS.api_version,
        "kind": ATTACHMENT_DEFINITIONS.kind,
        "metadata": {"name": "data"},
        "spec": {"config": json.dumps(config)},
    }
    await stage.client.create(ATTACHMENT_DEFINITIONS, definition, "default")
    stage.controller.start()
    uids = {}
    for name, annotations in PODS_MADE.items():
        spec = {"nodeName": NODE, "containers": [{"name": "c", "image": "i"}]}
        body = {"metadata": {"name": name, "annotations": annotations}, "spec": spec}
        made = await stage.client.create(PODS, body, "default")
        uids[name] = made["metadata"]["uid"]
        node.pod(name, uid=uids[name], annotations=annotations)

    def ready(seen: "Seen") -> bool:
        # What "web" has for its first interface is any free port: only "db" has one of its own.
        return (
            {"", "net1"} <= set(own(seen, uids["db"]))
            and "fast0" in own(seen, uids["web"])
            and any(node == NODE and not entry.pod_uid for node, entry in seen.entries().values())
        )

    seen = await stage.until(ready)
    entries = {name: own(seen, uid) for name, uid in uids.items()}
    for _, entry in seen.entries().values():
        node.offer(msgspec.to_builtins(entry))
    addresses: dict[tuple[str, str], str] = {}
    for name, uid in uids.items():
        status, result = node.cni("ADD", name, pod=name, uid=uid, sandbox=sandboxes[name])
        assert status == 0, result
        addresses[name, "eth0"] = result["ips"][0]["address"].partition("/")[0]
        (further,) = (each for interface, each in entries[name].items() if interface)
        addresses[name, "data"] = further.fixed_ips[0].ip_address
    assert addresses["db", "eth0"] == cloud.fixed_ips[0]["ip_address"]
    assert addresses["db", "data"].startswith("10.90.0.")
    for where in ("eth0", "data"):
        assert says(sandboxes["db"], sandboxes["web"], addresses["db", where]) == b"hello"
        assert says(sandboxes["web"], sandboxes["db"], addresses["web", where]) == b"hello"

    async def up() -> bool:
        bound = tenant.admin.network.get_port(cloud.id)
        return (bound.binding_host_id, bound.status) == (chassis, "ACTIVE")

    await stage.come(up)

    for name, uid in uids.items():
        assert node.cni("DEL", name, pod=name, uid=uid, sandbox=sandboxes[name]) == (0, {})
    await stage.drop_pods([*uids])

    async def free() -> bool:
        pool = await stage.client.get(
            PORT_POOLS, NODE, of=PortPool
        )  # its daemon's word is the test's to carry
        status = {"status": {"observedGeneration": pool.metadata.generation}}
        await stage.client.patch(PORT_POOLS, NODE, status, subresource="status")
        return not tenant.admin.network.get_port(cloud.id).binding_host_id

    await stage.come(free)
    await stage.client.delete(ATTACHMENT_DEFINITIONS, "data", "default")
    await stage.client.delete(NODES, NODE)
    await stage.client.delete(PORT_POOLS, NODE)  # nobody collects garbage here


def own(seen: "Seen", uid: str) -> dict[str, PoolPort]:
    """Return what is in the pools for one pod alone, by interface."""
    return {entry.interface: entry for _, entry in seen.entries().values() if entry.pod_uid == uid}
