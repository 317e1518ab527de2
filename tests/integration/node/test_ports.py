"""Ports, pods and policies of a node by watches of a real API server, and what the node says of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.integration.deployment import deploy

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import PortPool
from causeway.kube.resource import NETWORK_POLICIES, PODS, PORT_POOLS
from causeway.serve.node.ports import NodePorts, of_node

WHERE = "node-ports"
DEADLINE = 240.0  # seconds any single condition may take on a busy machine


def entry(port: str, vlan: int, **more: Any) -> dict[str, Any]:
    return {
        "portID": port,
        "segmentationID": vlan,
        "macAddress": "fa:16:3e:00:00:01",
        "fixedIPs": [{"ipAddress": f"10.0.0.{vlan}", "prefixLength": 24, "gateway": "10.0.0.1"}],
        "mtu": 1442,
        **more,
    }


@pytest.fixture
async def client(kube_api: Any) -> AsyncIterator[Client]:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as opened:
        await deploy(opened)
        await opened.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}}, manager="causeway"
        )
        async with asyncio.timeout(DEADLINE):
            while True:  # the API serves a new kind a moment after it was declared
                try:
                    await opened.list(PORT_POOLS)
                    break
                except NotFound:
                    await asyncio.sleep(0.05)
        yield opened


async def write(client: Client, node: str, *entries: dict[str, Any]) -> None:
    body = {
        "apiVersion": PORT_POOLS.api_version,
        "kind": PORT_POOLS.kind,
        "metadata": {"name": node},
        "spec": {"ports": list(entries)},
    }
    await client.apply(body, manager="causeway")


async def run(client: Client, name: str, node: str, **labels: str) -> str:
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
    made = await client.create(PODS, {"metadata": {"name": name, "labels": labels}, "spec": spec}, WHERE)
    uid: str = made["metadata"]["uid"]
    return uid


async def until(client: Client, claimed: dict[str, str]) -> PortPool:
    """Return the pool once it says that ``claimed`` (uids by port) are handed out, and knows what retires."""
    async with asyncio.timeout(DEADLINE):
        while True:
            pool = await client.get(PORT_POOLS, "n1", of=PortPool)
            claims = {claim.port_id: claim.pod_uid for claim in pool.status.claims}
            known = pool.status.observed_generation == pool.metadata.generation
            if claims == claimed and (known or not any(entry.retiring for entry in pool.spec.ports)):
                return pool
            await asyncio.sleep(0.05)


async def test_pods_take_what_is_theirs_and_the_pool_says_so(client: Client) -> None:
    policy = {"metadata": {"name": "deny"}, "spec": {"podSelector": {"matchLabels": {"app": "web"}}}}
    await client.create(NETWORK_POLICIES, policy, WHERE)  # first, so that it is known before any pod is
    ports = NodePorts(of_node(client, "n1"), client, "n1")
    watching = asyncio.create_task(ports.run())
    try:
        async with asyncio.timeout(DEADLINE):
            await ports.wait_synced()
            web, db = await run(client, "web", "n1", app="web"), await run(client, "db", "n1", app="db")
            waiting = asyncio.create_task(ports.take(WHERE, "web", web, ("c1", "eth0")))
            await write(client, "n2", entry("of-another-node", 9))
            await write(client, "n1", entry("p17", 17), entry("p18", 18, retiring=True))
            plain = await ports.take(WHERE, "db", db, ("c2", "eth0"))
            assert plain.segmentation_id == 17
            await until(client, {"p17": db})
            assert not waiting.done()
            await write(client, "n1", entry("p17", 17), entry("p19", 19, podUID=web))
            assert (await waiting).segmentation_id == 19
            await until(client, {"p17": db, "p19": web})
            ports.let_go(("c2", "eth0"))
            await until(client, {"p19": web})
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
