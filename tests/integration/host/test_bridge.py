"""A pod's port on the integration bridge of the lab's own chassis: real Open vSwitch, OVN and Neutron."""

import socket

import pytest
from tests.integration.chassis import DEADLINE, Pod, Stage

from causeway.host import interface, netns
from causeway.host.interface import Address
from causeway.host.vlan import LinkExists


async def reach_gateway(pod: Pod) -> None:
    with pod.open() as namespace:
        addresses = [Address(f"{pod.address}/24", "10.77.0.1")]
        await interface.reach_gateway(namespace, "eth0", pod.port.mac_address, addresses, DEADLINE)


async def test_a_pod_on_the_bridge_reaches_gateway_and_neighbour(stage: Stage) -> None:
    one, other = stage.pod(), stage.pod()
    for pod in (one, other):
        stage.attach(pod)
        await reach_gateway(pod)
        stage.until_status(pod, "ACTIVE")

    def listen() -> socket.socket:
        server = socket.create_server((other.address, 8080))
        server.settimeout(DEADLINE)
        return server

    def call() -> bytes:
        with socket.create_connection((other.address, 8080), timeout=DEADLINE) as client:
            accepted, _ = server.accept()
            with accepted:
                accepted.sendall(b"hello")
            return client.recv(5)

    with other.open() as there, one.open() as here:
        server = netns.inside(there, listen)
        with server:
            assert netns.inside(here, call) == b"hello"


async def test_made_again_it_works_and_removed_it_is_gone(stage: Stage) -> None:
    pod, bridge = stage.pod(), stage.chassis.bridge
    stage.attach(pod)
    with pytest.raises(LinkExists):
        stage.attach(pod)
    with pod.open() as namespace:  # the pod's sandbox died half made, and is made anew
        interface.remove(namespace, "eth0")
    end = stage.attach(pod)
    await reach_gateway(pod)
    assert stage.chassis.do(lambda: bridge.missing(pod.port.id, end)) == []
    stage.until_status(pod, "ACTIVE")

    stage.chassis.do(lambda: bridge.detach(pod.port.id))
    assert len(stage.chassis.do(lambda: bridge.missing(pod.port.id, end))) == 2
    stage.until_status(pod, "DOWN")
    stage.chassis.do(lambda: bridge.detach(pod.port.id))


async def test_links_of_pods_are_known_by_their_ports(stage: Stage) -> None:
    pod, bridge = stage.pod(), stage.chassis.bridge
    assert pod.port.id not in stage.chassis.do(bridge.plugged)
    stage.attach(pod)
    assert pod.port.id in stage.chassis.do(bridge.plugged)
