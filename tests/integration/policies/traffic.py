"""Hosts for real traffic: network namespaces with Neutron ports on the lab's bridge that echo and ask."""

import contextlib
import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from causeway.host import interface, netns
from causeway.host.bridge import Bridge, BridgeLink
from causeway.host.command import run
from causeway.host.interface import Address
from causeway.lab.settings import Settings

T = TypeVar("T")
TCP, UDP = (80, 8080, 8443, 9090), (53,)
_PATIENCE = 2.0  # seconds until no answer means that there will be none; a lost packet is sent again after 1


class Chassis:
    """The lab's machine, on whose bridge hosts are plugged."""

    def __init__(self, lab: Settings) -> None:
        first = json.loads((lab.directory / "tree.json").read_text())["first"]
        root = Path(f"/proc/{first}/root") / (lab.directory / "root").relative_to("/")
        self.bridge = Bridge(socket_path=root / "run/openvswitch/db.sock")
        self._namespace = f"/proc/{first}/ns/net"

    def do(self, work: Callable[[], T]) -> T:
        with netns.open_namespace(self._namespace) as namespace:
            return netns.inside(namespace, work)


@dataclass(frozen=True)
class Host:
    """A namespace with a port."""

    name: str
    port_id: str
    address: str
    namespace: str

    def ask(self, address: str, protocol: str, port: int) -> bool:
        """Return whether somebody answers at a port."""
        kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
        with netns.open_namespace(self.namespace) as namespace:
            asking = netns.inside(namespace, lambda: socket.socket(socket.AF_INET, kind))
        with asking:
            asking.settimeout(_PATIENCE)
            try:
                asking.connect((address, port))
                asking.sendall(b"hello")
                return asking.recv(16) == b"hello"
            except OSError:
                return False


class Hosts:
    """All hosts of a test; one thread answers for them."""

    def __init__(self, admin: Any, chassis: Chassis, project_id: str) -> None:
        self._network = admin.network
        self._chassis = chassis
        self._project_id = project_id
        self._host = next(iter(self._network.agents(agent_type="OVN Controller Gateway agent"))).host
        self._selector = selectors.DefaultSelector()
        self._ends = contextlib.ExitStack()
        self._stopped = threading.Event()
        self._asking = ThreadPoolExecutor(32)
        thread = threading.Thread(target=self._answer, daemon=True)
        thread.start()
        self._ends.callback(thread.join)
        self._ends.callback(self._stopped.set)

    def add(self, name: str, subnet: Any, groups: list[str], address: str | None = None) -> Host:
        """Return a new host on a subnet."""
        fixed = {"subnet_id": subnet.id} | ({"ip_address": address} if address else {})
        port = self._network.create_port(
            network_id=subnet.network_id,
            project_id=self._project_id,
            name=name,
            fixed_ips=[fixed],
            security_groups=groups,
            binding_host_id=self._host,
        )
        path = f"cw-{uuid4().hex[:8]}"
        run("ip", "netns", "add", path)
        self._ends.callback(run, "ip", "netns", "del", path)
        self._ends.callback(self._chassis.do, lambda: self._chassis.bridge.detach(port.id))
        host = Host(name, port.id, str(port.fixed_ips[0]["ip_address"]), f"/run/netns/{path}")
        link = BridgeLink(port.id, "eth0", port.mac_address, 1442, name)
        with netns.open_namespace(host.namespace) as namespace:
            self._chassis.do(lambda: self._chassis.bridge.attach(link, namespace))
            length = subnet.cidr.rpartition("/")[2]
            interface.configure(
                namespace, "eth0", [Address(f"{host.address}/{length}", str(subnet.gateway_ip))]
            )
            netns.inside(namespace, lambda: self._listen(host.address))
        return host

    def all_ask(self, questions: Iterable[tuple[Host, str, str, int]]) -> list[bool]:
        """Ask many questions at a time."""
        return list(self._asking.map(lambda each: each[0].ask(*each[1:]), questions))

    def close(self) -> None:
        self._ends.close()
        self._asking.shutdown()

    def _listen(self, address: str) -> None:
        for port in TCP:
            server = socket.create_server((address, port), backlog=64)
            server.setblocking(False)
            self._selector.register(server, selectors.EVENT_READ, _accept)
        for port in UDP:
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((address, port))
            server.setblocking(False)
            self._selector.register(server, selectors.EVENT_READ, _echo)

    def _answer(self) -> None:
        while not self._stopped.is_set():
            for key, _ in self._selector.select(0.1):
                server: Any = key.fileobj
                with contextlib.suppress(OSError):
                    key.data(server)
        for key in [*self._selector.get_map().values()]:
            server = key.fileobj
            self._selector.unregister(server)
            server.close()


def _accept(server: socket.socket) -> None:
    accepted, _ = server.accept()
    with accepted:
        accepted.settimeout(_PATIENCE)
        accepted.sendall(accepted.recv(16))


def _echo(server: socket.socket) -> None:
    data, sender = server.recvfrom(16)
    server.sendto(data, sender)


def until(condition: Callable[[], T], seconds: float, what: Callable[[], str]) -> T:
    """Wait for a condition; return what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what()
    return found
