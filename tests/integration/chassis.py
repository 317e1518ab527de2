"""The lab's own machine as a node whose pods are on its integration bridge: real switch, OVN and Neutron."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import uuid4

from openstack.connection import Connection
from tests.pace import pauses

from causeway.host import interface, netns
from causeway.host.bridge import Bridge, BridgeLink
from causeway.host.command import run
from causeway.host.interface import Address
from causeway.host.vlan import NodeEnd
from causeway.lab.settings import Settings

T = TypeVar("T")
DEADLINE = 240.0  # seconds any single condition may take on a busy machine


@dataclass
class Place:
    """A node in a network namespace of which the path is known; sandboxes go by their paths, too."""

    node: str

    def path(self, name: str) -> str:
        return name


class Chassis:
    """The lab's own machine as a node whose pods are on its integration bridge."""

    def __init__(self, lab: Settings) -> None:
        first = json.loads((lab.directory / "tree.json").read_text())["first"]
        root = Path(f"/proc/{first}/root") / (lab.directory / "root").relative_to("/")
        self.socket = root / "run/openvswitch/db.sock"
        self.bridge = Bridge(socket_path=self.socket)
        self.namespace = f"/proc/{first}/ns/net"

    def do(self, work: Callable[[], T]) -> T:
        with netns.open_namespace(self.namespace) as namespace:
            return netns.inside(namespace, work)


@dataclass
class Pod:
    """A namespace with a port of Neutron's made for it."""

    path: str
    port: Any

    @property
    def address(self) -> str:
        return str(self.port.fixed_ips[0]["ip_address"])

    @property
    def link(self) -> BridgeLink:
        return BridgeLink(self.port.id, "eth0", self.port.mac_address, 1442, "default/web")

    def open(self) -> BinaryIO:
        return netns.open_namespace(self.path)


def says(server: str, client: str, address: str) -> bytes:
    """Return what a client in one namespace hears from a server in another."""

    def listen() -> socket.socket:
        return socket.create_server((address, 8080))

    def call() -> bytes:
        with socket.create_connection((address, 8080), timeout=DEADLINE) as connection:
            accepted, _ = listening.accept()
            with accepted:
                accepted.sendall(b"hello")
            return connection.recv(5)

    with netns.open_namespace(server) as there, netns.open_namespace(client) as here:
        listening = netns.inside(there, listen)
        listening.settimeout(DEADLINE)
        with listening:
            return netns.inside(here, call)


class Stage:
    """A network of the lab with pods on it."""

    def __init__(self, admin: Connection, chassis: Chassis) -> None:
        self.chassis = chassis
        network: Any = admin.network  # its type allows for versions nobody runs
        self._network = network
        self._ends = ExitStack()
        self.net = self._network.create_network(name=f"bridge-{uuid4().hex[:6]}")
        self._ends.callback(self._network.delete_network, self.net)
        subnet = self._network.create_subnet(network_id=self.net.id, ip_version=4, cidr="10.77.0.0/24")
        router = self._network.create_router(name=self.net.name)
        self._ends.callback(self._network.delete_router, router)
        self._network.add_interface_to_router(router, subnet_id=subnet.id)
        self._ends.callback(lambda: self._network.remove_interface_from_router(router, subnet_id=subnet.id))
        self.host = next(iter(self._network.agents(agent_type="OVN Controller Gateway agent"))).host

    def pod(self) -> Pod:
        """Make a pod whose port is bound to the chassis."""
        port = self._port(binding_host_id=self.host)
        pod = Pod(self.sandbox(), port)
        self._ends.callback(self.chassis.do, lambda: self.chassis.bridge.detach(port.id))
        return pod

    def sandbox(self) -> str:
        """Make a network namespace; return its path."""
        name = f"cw-{uuid4().hex[:8]}"
        run("ip", "netns", "add", name)
        self._ends.callback(run, "ip", "netns", "del", name)
        return f"/run/netns/{name}"

    def trunk_node(self) -> str:
        """Make a namespace whose interface ``trunk0`` is the parent port of a trunk; return its path."""
        parent = self._port()
        trunk = self._network.create_trunk(name="node", port_id=parent.id)
        self._ends.callback(self._network.delete_trunk, trunk)
        self.trunk = trunk
        path = self.sandbox()
        with netns.open_namespace(path) as namespace:
            whose = ""  # a server's, as if the cloud's compute service had made it: no pod's
            link = BridgeLink(parent.id, "trunk0", parent.mac_address, 1500, whose)
            self._ends.callback(self.chassis.do, lambda: self.chassis.bridge.detach(parent.id))
            self.chassis.do(lambda: self.chassis.bridge.attach(link, namespace))
            interface.configure(namespace, "trunk0", [])
        return path

    def subport(self, vlan: int) -> Any:
        """Make a port that is a subport of the node's trunk."""
        port = self._port()
        subport = {"port_id": port.id, "segmentation_type": "vlan", "segmentation_id": vlan}
        self._network.add_trunk_subports(self.trunk, [subport])
        self._ends.callback(self._network.delete_trunk_subports, self.trunk, [{"port_id": port.id}])
        return port

    def _port(self, **more: Any) -> Any:
        port = self._network.create_port(network_id=self.net.id, name="default/web", **more)
        self._ends.callback(self._network.delete_port, port)
        return port

    def attach(self, pod: Pod) -> NodeEnd:
        with pod.open() as namespace:
            end = self.chassis.do(lambda: self.chassis.bridge.attach(pod.link, namespace))
            interface.configure(namespace, "eth0", [Address(f"{pod.address}/24", "10.77.0.1")])
        return end

    def until_status(self, pod: Pod, wanted: str) -> None:
        deadline, pause = time.monotonic() + DEADLINE, pauses()
        while (status := self._network.get_port(pod.port).status) != wanted:
            assert time.monotonic() < deadline, f"the port is {status}, not {wanted}"
            time.sleep(next(pause))

    def close(self) -> None:
        self._ends.close()
