"""A node and its cloud as namespaces: a veth pair is the trunk, its far end tags VLANs as a cloud does."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import pytest
from tests.figures import figure

from causeway.host import interface, netns
from causeway.host.command import run, succeeds
from causeway.host.interface import Address
from causeway.host.vlan import PodLink, Trunk

T = TypeVar("T")
TRUNK = "trunk0"
DEADLINE = 240.0  # seconds any single condition may take on a busy machine
POLL = 0.02  # seconds between two looks at a condition


class Network:
    """Namespaces of one test; all are removed with it."""

    def __init__(self) -> None:
        self._prefix = f"cw{uuid4().hex[:6]}"
        self._names: list[str] = []
        self.node = self.namespace("node")
        self.cloud = self.namespace("cloud")
        far = f"{self._prefix}f"
        run("ip", "-n", self.node, "link", "add", TRUNK, "type", "veth", "peer", "name", far)
        run("ip", "-n", self.node, "link", "set", far, "netns", self.cloud, "name", TRUNK)
        for name in (self.node, self.cloud):
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", TRUNK, "up")
            # What a server's driver does for a user-space datapath: nothing downstream fills in checksums.
            run("nsenter", f"--net={self.path(name)}", "ethtool", "-K", TRUNK, "tx", "off")

    def path(self, name: str) -> str:
        return f"/run/netns/{name}"

    def namespace(self, name: str) -> str:
        full = f"{self._prefix}-{name}"
        run("ip", "netns", "add", full)
        self._names.append(full)
        return full

    def inside(self, name: str, work: Callable[[], T]) -> T:
        with netns.open_namespace(self.path(name)) as namespace:
            return netns.inside(namespace, work)

    def host(self, vlan: int, cidr: str, mac: str, mtu: int = 1442) -> str:
        """Put somebody on a VLAN at the cloud's end (a gateway, a server); return its namespace."""
        name = self.namespace(f"h{vlan}")
        with netns.open_namespace(self.path(name)) as namespace:
            link = PodLink(vlan=vlan, name="eth0", mac=mac, mtu=mtu, alias="cloud")
            self.inside(self.cloud, lambda: Trunk(TRUNK).attach(link, namespace))
            interface.configure(namespace, "eth0", [Address(cidr)])
        return name

    def links(self, name: str) -> set[str]:
        return {link["ifname"] for link in json.loads(run("ip", "-j", "-n", name, "link"))}

    def filters(self) -> set[int]:
        return self.inside(self.node, Trunk(TRUNK).filtered_vlans)

    def remove(self) -> None:
        for name in self._names:
            succeeds("ip", "netns", "del", name)


class Place(Protocol):
    """Where a node is: names of network namespaces, and which of them is the node's own."""

    node: str

    def path(self, name: str) -> str: ...


class Node:
    """The daemon of the node, its shim, and what the Kubernetes API would tell it."""

    def __init__(self, network: Place, directory: Path) -> None:
        self._network = network
        self.directory = directory
        self.log: queue.Queue[dict[str, Any]] = queue.Queue()
        self.process: subprocess.Popen[str] | None = None
        self._version = 0
        self._entries: dict[str, dict[str, Any]] = {}
        self._pods: dict[str, dict[str, Any]] = {}

    @property
    def shim(self) -> Path:
        return self.directory / "bin" / "causeway"

    @property
    def conflist(self) -> Path:
        return self.directory / "conf" / "10-causeway.conflist"

    def start(
        self, *, synced: bool = True, port_deadline: float = 60, gateway_deadline: float = 120, **more: str
    ) -> None:
        """Start the daemon and tell it all that was told before.

        Its own deadlines are longer than a busy machine stands still, and together shorter than the shim's.
        """
        settings = {
            "NODE_NAME": "n1",
            "CAUSEWAY_TRUNK_INTERFACE": TRUNK,
            "CAUSEWAY_RUN_DIR": str(self.directory / "run"),
            "CAUSEWAY_CNI_BIN_DIR": str(self.directory / "bin"),
            "CAUSEWAY_CNI_CONF_DIR": str(self.directory / "conf"),
            "CAUSEWAY_PORT_DEADLINE": str(port_deadline),
            "CAUSEWAY_GATEWAY_DEADLINE": str(gateway_deadline),
            **more,
        }
        self.process = subprocess.Popen(
            [
                "nsenter",
                f"--net={self._network.path(self._network.node)}",
                sys.executable,
                Path(__file__).with_name("daemon_with_ports.py"),
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings},
        )
        threading.Thread(target=self._follow, args=(self.process,), daemon=True).start()
        self.wait_log("started")
        for pod in self._pods.values():
            self.tell({"pod": pod})
        if self._entries:
            self._tell_pool()
        if synced:
            self.tell({"synced": True})
            self.wait_log("ready")

    def _follow(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("{"):
                self.log.put(json.loads(line))
            else:
                print(line, end="", file=sys.stderr)

    def wait_log(self, event: str) -> dict[str, Any]:
        until = time.monotonic() + DEADLINE
        while True:
            entry = self.log.get(timeout=max(0.001, until - time.monotonic()))
            if entry["event"] == event:
                return entry

    def wait_status(self, uids: list[str]) -> bool:
        """Return once the daemon has said that exactly these pods have a port."""
        while self.wait_log("status")["claims"] != uids:
            pass
        return True

    def tell(self, message: dict[str, Any]) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def port(self, pod: str, vlan: int, ip: str, *, uid: str = "", gateway: str = "10.77.0.1") -> str:
        """Tell of a pod and of a port made for it; return the port's MAC address."""
        self.pod(pod, uid=uid)
        return self.ready(vlan, ip, gateway=gateway, podUID=uid or f"uid-{pod}")

    def pod(
        self,
        name: str,
        *,
        uid: str = "",
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> None:
        """Tell of a pod of this node."""
        meta = {"name": name, "namespace": "default", "uid": uid or f"uid-{name}", "labels": labels or {}}
        meta |= {"annotations": annotations or {}}
        self._pods[name] = {"metadata": meta | self._next(), "spec": {"nodeName": "n1"}}
        self.tell({"pod": self._pods[name]})

    def ready(self, vlan: int, ip: str, *, gateway: str = "10.77.0.1", **more: Any) -> str:
        """Tell of a ready port of the node's pool; return its MAC address."""
        mac = f"fa:16:3e:00:{vlan >> 8:02x}:{vlan & 0xFF:02x}"
        self._entries[f"{vlan}"] = {
            "portID": str(uuid4()),
            "segmentationID": vlan,
            "macAddress": mac,
            "fixedIPs": [{"ipAddress": ip, "prefixLength": 24, "gateway": gateway}],
            "mtu": 1442,
            **more,
        }
        self._tell_pool()
        return mac

    def offer(self, entry: dict[str, Any]) -> None:
        """Tell of an entry of the node's pool as a controller wrote it."""
        self._entries[entry["portID"]] = entry
        self._tell_pool()

    def _tell_pool(self) -> None:
        version = self._next()
        meta = {"name": "n1", "uid": "pool", "generation": int(version["resourceVersion"]), **version}
        self.tell({"pool": {"metadata": meta, "spec": {"ports": [*self._entries.values()]}}})

    def _next(self) -> dict[str, str]:
        self._version += 1
        return {"resourceVersion": str(self._version)}

    def cni(
        self,
        command: str,
        container: str = "c1",
        *,
        pod: str = "web",
        uid: str = "",
        sandbox: str = "",
        version: str = "1.1.0",
        config: dict[str, Any] | None = None,
        ifname: str = "eth0",
    ) -> tuple[int, dict[str, Any]]:
        """Call the shim as a runtime does; return (exit status, what it printed)."""
        done = self.begin(command, container, pod, uid, sandbox, version, config, ifname)
        output, _ = done.communicate(timeout=DEADLINE)
        return done.returncode, json.loads(output) if output else {}

    def begin(
        self,
        command: str,
        container: str = "c1",
        pod: str = "web",
        uid: str = "",
        sandbox: str = "",
        version: str = "1.1.0",
        config: dict[str, Any] | None = None,
        ifname: str = "eth0",
    ) -> "subprocess.Popen[str]":
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": ifname,
            "CNI_PATH": str(self.shim.parent),
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod};"
            f"K8S_POD_INFRA_CONTAINER_ID={container};K8S_POD_UID={uid or f'uid-{pod}'}",
        }
        if sandbox:
            environment["CNI_NETNS"] = self._network.path(sandbox)
        process = subprocess.Popen(
            [self.shim], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdin is not None
        process.stdin.write(
            json.dumps({"cniVersion": version, "name": "causeway", "type": "causeway", **(config or {})})
        )
        process.stdin.close()
        process.stdin = None
        return process

    def figures(self) -> str:
        """Return what the daemon shows at /metrics."""

        def ask() -> str:
            with urllib.request.urlopen("http://127.0.0.1:9879/metrics", timeout=DEADLINE) as answer:
                return str(answer.read().decode())

        with netns.open_namespace(self._network.path(self._network.node)) as namespace:
            return netns.inside(namespace, ask)

    def wait_figure(self, series: str, value: float) -> None:
        """Return once the daemon shows a figure: what it was told on its input it takes in a moment later."""
        until = time.monotonic() + DEADLINE
        while (shown := figure(series, self.figures())) != value:
            assert time.monotonic() < until, f"{series} is {shown}, not {value}"
            time.sleep(POLL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE)


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.remove()


@pytest.fixture
def node(network: Network, tmp_path: Path) -> Iterator[Node]:
    node = Node(network, tmp_path)
    yield node
    if node.process is not None and node.process.poll() is None:
        node.kill()
