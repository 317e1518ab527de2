"""Ports for a native node on a real Neutron: refused without the right, then bound to its chassis."""

import asyncio
import os
from typing import TYPE_CHECKING, Any

from tests.integration.pods.player import Player
from tests.integration.pods.tenant import SIZES

from causeway.kube.objects import PortPool
from causeway.kube.resource import NODES, PODS, PORT_POOLS
from causeway.rooms.pods.model import CHASSIS_LABEL

if TYPE_CHECKING:
    from tests.integration.pods.stage import Seen, Stage

NODE = "m1"


async def test_a_native_nodes_ports_are_bound_to_its_chassis_once_that_is_allowed(stage: "Stage") -> None:
    tenant = stage.tenant
    agents = tenant.admin.network.agents(agent_type="OVN Controller Gateway agent")
    chassis = next(iter(agents)).host
    labels = {CHASSIS_LABEL: chassis}
    await stage.client.create(NODES, {"metadata": {"name": NODE, "labels": labels}})
    spec = {"nodeName": NODE, "containers": [{"name": "c", "image": "i"}]}
    await stage.client.create(PODS, {"metadata": {"name": "web"}, "spec": spec}, stage.namespace)
    stage.controller.start()

    async def refused() -> bool:
        pools = await stage.client.list(PORT_POOLS, of=PortPool)
        found = [one for pool in pools.items if pool.metadata.name == NODE for one in pool.status.conditions]
        return any(one.reason == "Forbidden" and "binding:host_id" in one.message for one in found)

    await stage.come(refused)
    identity: Any = tenant.admin.identity  # its type allows for versions nobody runs
    service = next(iter(identity.roles(name="service")))
    identity.assign_project_role_to_user(tenant.project, tenant.user, service)
    os.utime(tenant.clouds)  # the right comes with the next token

    def served(seen: "Seen") -> bool:
        claimed = [
            entry for port, (node, entry) in seen.entries().items() if node == NODE and port in seen.claims()
        ]
        return len(claimed) == 1 and seen.free().get(NODE, 0) >= SIZES["minimum"]

    async with stage.as_node_daemon(NODE) as daemon, asyncio.TaskGroup() as group:
        playing = group.create_task(Player(daemon, stage.client, NODE).run())
        seen = await stage.until(served)
        for port_id, (node, entry) in seen.entries().items():
            if node == NODE:
                assert entry.segmentation_id == 0
                assert port_id not in seen.subports()
                assert tenant.admin.network.get_port(port_id).binding_host_id == chassis

        await stage.client.delete(PODS, "web", stage.namespace, grace_seconds=0)
        await stage.until(lambda seen: not seen.claims())
        playing.cancel()
    await stage.client.delete(NODES, NODE)
    await stage.client.delete(PORT_POOLS, NODE)  # nobody collects garbage here
    await stage.until(lambda seen: set(seen.ports) == set(seen.subports()) - {tenant.foreign.id})
