"""Pods with an IPv4 and an IPv6 address each, on the lab's real OVN: from the first moment on, by both."""

import socket
import time
from collections.abc import Iterator
from ipaddress import ip_interface
from typing import Any

import pytest
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.integration.chassis import DEADLINE, Chassis, Pod, Stage

from causeway.host import arp, interface, netns
from causeway.host.command import run
from causeway.host.interface import Address
from causeway.host.vlan import NodeEnd
from causeway.lab.settings import Settings

GATEWAYS = {4: "10.77.0.1", 6: "fd00:77::1"}
LENGTHS = {4: 24, 6: 64}


def addresses(pod: Pod) -> list[Address]:
    """The pod's addresses as its node is told them: each with its subnet's gateway."""
    found = []
    for fixed in pod.port.fixed_ips:
        version = ip_interface(fixed["ip_address"]).version
        found.append(Address(f"{fixed['ip_address']}/{LENGTHS[version]}", GATEWAYS[version]))
    return found


class DualStage(Stage):
    """A network of both families whose addresses are given out by Neutron alone."""

    def __init__(self, admin: Connection, chassis: Chassis) -> None:
        super().__init__(admin, chassis)
        network: Any = admin.network
        subnet = network.create_subnet(
            network_id=self.net.id,
            ip_version=6,
            cidr="fd00:77::/64",
            gateway_ip=GATEWAYS[6],
            enable_dhcp=False,
        )
        router = network.find_router(self.net.name)
        network.add_interface_to_router(router, subnet_id=subnet.id)
        self._ends.callback(lambda: network.remove_interface_from_router(router, subnet_id=subnet.id))

    def attach(self, pod: Pod) -> NodeEnd:
        with pod.open() as namespace:
            end = self.chassis.do(lambda: self.chassis.bridge.attach(pod.link, namespace))
            interface.configure(namespace, "eth0", addresses(pod))
        return end


@pytest.fixture
def stage(lab: Settings) -> Iterator[DualStage]:
    admin = Connection(config=OpenStackConfig(config_files=[str(lab.clouds_file)]).get_one("lab-admin"))
    made = DualStage(admin, Chassis(lab))
    yield made
    made.close()
    admin.close()


def exchange(one: Pod, other: Pod, address: str) -> bytes:
    """Call ``other`` at an address of its own, from ``one``; return what it says."""

    def listen() -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        server = socket.create_server((address, 8080), family=family)
        server.settimeout(DEADLINE)
        return server

    def call() -> bytes:
        with socket.create_connection((address, 8080), timeout=DEADLINE) as client:
            accepted, _ = server.accept()
            with accepted:
                accepted.sendall(b"hello")
            return client.recv(5)

    with other.open() as there, one.open() as here, netns.inside(there, listen) as server:
        return netns.inside(here, call)


async def test_pods_reach_each_other_by_both_addresses(stage: DualStage, record_property: Any) -> None:
    one, other = stage.pod(), stage.pod()
    for pod in (one, other):
        stage.attach(pod)
        with pod.open() as namespace:
            # Nothing waits for the kernel: the address can be used at once, and the gateway answers for it.
            started = time.monotonic()
            mac = pod.port.mac_address
            await interface.reach_gateway(namespace, "eth0", mac, addresses(pod), DEADLINE)
            record_property("seconds until both gateways answered", round(time.monotonic() - started, 3))
            assert interface.missing(namespace, "eth0", mac, addresses(pod)) == []
    assert [":" in address.cidr for address in addresses(other)].count(True) == 1
    for address in addresses(other):
        assert exchange(one, other, str(ip_interface(address.cidr).ip)) == b"hello"
    shown = run("ip", "-n", one.path.rpartition("/")[2], "-6", "address", "show", "dev", "eth0")
    assert "tentative" not in shown


async def test_a_gateway_that_is_not_there_is_told(stage: DualStage) -> None:
    pod = stage.pod()
    stage.attach(pod)
    mac = pod.port.mac_address
    with pod.open() as namespace:
        # From now on the cloud answers at once for the one that is there.
        await interface.reach_gateway(namespace, "eth0", mac, addresses(pod), DEADLINE)
        absent = [  # which Neutron gives nobody: it chooses among the first thousand
            Address(address.cidr, GATEWAYS[4] if ":" not in address.cidr else "fd00:77::ffff")
            for address in addresses(pod)
        ]
        with pytest.raises(arp.NoAnswer, match=r"fd00:77::ffff did not answer within 5 s"):
            await interface.reach_gateway(namespace, "eth0", mac, absent, 5)
