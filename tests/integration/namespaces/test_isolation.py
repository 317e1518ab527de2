"""Who reaches the pods of a namespace with its own network: real packets through the lab's OVN."""

import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.integration.chassis import DEADLINE, Chassis, Pod
from tests.integration.namespaces.conftest import Seen, Stage

from causeway.host import interface, netns
from causeway.host.command import run
from causeway.host.interface import Address
from causeway.kube.resource import PODS
from causeway.lab.settings import Settings

PORT = 8080


class Wire:
    """Puts ports of the tenant on the lab's own chassis."""

    def __init__(self, stage: Stage, chassis: Chassis, ends: contextlib.ExitStack) -> None:
        self._network: Any = stage.tenant.admin.network
        self._project = stage.tenant.project.id
        self._chassis, self._ends = chassis, ends
        self._host = next(iter(self._network.agents(agent_type="OVN Controller Gateway agent"))).host

    def pod(self, network_id: str, gateway: str, groups: list[str]) -> Pod:
        """Return a namespace with a port of that network, connected."""
        port = self._network.create_port(
            network_id=network_id,
            project_id=self._project,
            binding_host_id=self._host,
            security_groups=groups,
        )
        self._ends.callback(self._network.delete_port, port)
        name = f"cw-{uuid4().hex[:8]}"
        run("ip", "netns", "add", name)
        self._ends.callback(run, "ip", "netns", "del", name)
        pod = Pod(f"/run/netns/{name}", port)
        self._ends.callback(self._chassis.do, lambda: self._chassis.bridge.detach(port.id))
        length = 16 if gateway.startswith("10.20.") else 24
        with pod.open() as namespace:
            self._chassis.do(lambda: self._chassis.bridge.attach(pod.link, namespace))
            interface.configure(namespace, "eth0", [Address(f"{pod.address}/{length}", gateway)])
        return pod


def serve(pod: Pod) -> socket.socket:
    with pod.open() as there:
        return netns.inside(there, lambda: socket.create_server((pod.address, PORT)))


def reaches(pod: Pod, address: str, seconds: float) -> bool:
    def call() -> bool:
        try:
            with socket.create_connection((address, PORT), timeout=seconds):
                return True
        except TimeoutError:
            return False
        except OSError as error:
            if error.errno != errno.EHOSTUNREACH:  # nobody has answered yet who has the address
                raise
            return False

    with pod.open() as here:
        return netns.inside(here, call)


def comes_to_reach(pod: Pod, address: str) -> bool:
    """Ask until it does: the cloud takes a moment to carry out what it has accepted."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if reaches(pod, address, 1):
            return True
    return False


@pytest.fixture
def wire(stage: Stage, lab: Settings) -> Iterator[Wire]:
    with contextlib.ExitStack() as ends:
        yield Wire(stage, Chassis(lab), ends)


async def test_only_its_own_nodes_and_global_namespaces_reach_its_pods(stage: Stage, wire: Wire) -> None:
    stage.controller.start()
    uid = await stage.make("shop", network="own")
    await stage.told("shop", "OwnNetwork")
    seen: Seen = await stage.until(lambda seen: seen.whole([uid]))
    (network,), (subnet,), (group,) = seen.networks, seen.subnets, seen.groups
    gateway = subnet.gateway_ip or ""
    web, client = (wire.pod(network.id, gateway, [group.id]) for _ in range(2))
    shared = stage.tenant.nets["pods"].id
    other, favoured = (wire.pod(shared, "10.20.0.1", [stage.tenant.group.id]) for _ in range(2))
    node = wire.pod(stage.tenant.nets["nodes"].id, "10.10.0.1", [stage.tenant.group.id])

    with serve(web):
        assert comes_to_reach(client, web.address)
        assert comes_to_reach(node, web.address)
        assert not reaches(other, web.address, 2)
        # A pod of a global namespace, once Kubernetes says that it has this address.
        spec = {"nodeName": "played-by-nobody", "containers": [{"name": "c", "image": "i"}]}
        name = f"favoured-{uuid4().hex[:6]}"
        await stage.client.create(PODS, {"metadata": {"name": name}, "spec": spec}, "default")
        addresses = {"podIP": favoured.address, "podIPs": [{"ip": favoured.address}], "phase": "Running"}
        await stage.client.patch(PODS, name, {"status": addresses}, "default", subresource="status")
        await stage.until(lambda seen: seen.peers[0].addresses == [f"{favoured.address}/32"])
        assert comes_to_reach(favoured, web.address)
        assert not reaches(other, web.address, 2)
        await stage.client.delete(PODS, name, "default", grace_seconds=0)
        await stage.until(lambda seen: seen.peers[0].addresses == [])
    await stage.delete("shop")
    assert stage.controller.stop() == 0
