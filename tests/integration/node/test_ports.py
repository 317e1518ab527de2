"""The watch of a node's PodPorts against a real API server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.resource import POD_PORTS
from causeway.serve.node.ports import NODE_LABEL, WatchedPorts, of_node

CRD = Path(__file__).parents[3] / "src" / "causeway" / "deploy" / "10-podports.yaml"
WHERE = "node-ports"
DEADLINE = 30.0


def pod_port(name: str, node: str, uid: str, vlan: int) -> dict[str, Any]:
    return {
        "apiVersion": "causeway.dev/v1alpha1",
        "kind": "PodPort",
        "metadata": {"name": name, "namespace": WHERE, "labels": {NODE_LABEL: node}},
        "spec": {
            "podUID": uid,
            "node": node,
            "portID": "6f6c1f9c-0000-4000-8000-000000000000",
            "segmentationID": vlan,
            "macAddress": "fa:16:3e:00:00:01",
            "fixedIPs": [{"ipAddress": "10.0.0.5", "prefixLength": 24, "gateway": "10.0.0.1"}],
            "mtu": 1442,
        },
    }


@pytest.fixture
async def client(kube_api: Any) -> AsyncIterator[Client]:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as opened:
        await opened.apply(yaml.safe_load(CRD.read_text()), manager="causeway")
        await opened.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}}, manager="causeway"
        )
        async with asyncio.timeout(DEADLINE):
            while True:  # the API serves a new kind a moment after it was declared
                try:
                    await opened.list(POD_PORTS, WHERE)
                    break
                except NotFound:
                    await asyncio.sleep(0.05)
        yield opened


async def test_a_waiting_pod_is_woken_by_its_own_port_alone(client: Client) -> None:
    ports = WatchedPorts(of_node(client, "n1"), "n1")
    watching = asyncio.create_task(ports.run())
    try:
        async with asyncio.timeout(DEADLINE):
            await ports.wait_synced()
            waiting = asyncio.create_task(ports.wait_for(WHERE, "web", "uid-new"))
            await client.apply(pod_port("web", "n2", "uid-new", 9), manager="causeway")
            await client.delete(POD_PORTS, "web", WHERE)
            await client.apply(pod_port("web", "n1", "uid-old", 17), manager="causeway")
            earlier = await ports.wait_for(WHERE, "web", "uid-old")
            assert earlier.segmentation_id == 17
            assert not waiting.done()
            await client.apply(pod_port("web", "n1", "uid-new", 18), manager="causeway")
            port = await waiting
            assert (port.segmentation_id, port.fixed_ips[0].gateway) == (18, "10.0.0.1")
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await client.delete(POD_PORTS, "web", WHERE)
