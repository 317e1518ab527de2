"""A platform's project with a way out, and controllers as processes that can be killed and paused."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.pods.tenant import Tenant
from tests.pace import pauses
from tests.ports import free_port

_LAUNCHER = Path(__file__).with_name("run_controller.py")
SERVICE_RANGE = {"cidr": "172.30.0.0/16", "gateway_ip": "172.30.128.1"}
SERVICE_POOL = [{"start": "172.30.128.2", "end": "172.30.255.254"}]  # beyond what Kubernetes gives out


class Site(Tenant):
    """A tenant whose services can have floating IPs; removed with whatever a failed test left in it."""

    def _make_networks(self) -> None:
        super()._make_networks()
        network = self.connection.network
        network.delete_subnet(self.subnets["services"])
        self.subnets["services"] = network.create_subnet(
            network_id=self.nets["services"].id,
            name="services",
            ip_version=4,
            allocation_pools=SERVICE_POOL,
            **SERVICE_RANGE,
        )
        config = json.loads(self.config.read_text())
        gateway = {"network_id": config["externalNetworkId"]}
        self.router = network.create_router(name="router", external_gateway_info=gateway)
        for subnet in self.subnets.values():
            network.add_interface_to_router(self.router, subnet.id)
        self.pool = network.create_subnet_pool(
            name="namespaces", prefixes=["10.40.0.0/16"], default_prefix_length=24, minimum_prefix_length=24
        )
        config["pools"] = {"": {"minimum": 0, "maximum": 0, "batch": 1}}  # what is there then is of a pod
        config["serviceSubnetId"] = self.subnets["services"].id
        config["namespaceSubnetPoolIds"] = [self.pool.id]
        self.config.write_text(json.dumps(config))

    def remove(self) -> None:
        balancing: Any = self.connection.load_balancer
        for balancer in balancing.load_balancers():
            balancing.delete_load_balancer(balancer, cascade=True)
        deadline, pause = time.monotonic() + 120, pauses()
        while list(balancing.load_balancers()) and time.monotonic() < deadline:
            time.sleep(next(pause))
        network = self.connection.network
        for address in network.ips(project_id=self.project.id):
            network.delete_ip(address)
        for port in list(network.ports(device_id=self.router.id)):
            if port.device_owner != "network:router_gateway":
                network.remove_interface_from_router(self.router, port=port.id)
        network.delete_router(self.router)
        platforms = {net.id for net in self.nets.values()}
        for left in network.networks(project_id=self.project.id):
            if left.id not in platforms:
                for port in network.ports(network_id=left.id):
                    network.delete_port(port)
                network.delete_network(left)
        network.delete_subnet_pool(self.pool)
        super().remove()
        for group in self.admin.network.address_groups(project_id=self.project.id):
            self.admin.network.delete_address_group(group)


@dataclass(eq=False)
class Instance:
    """One of several ``causeway serve controller``; what it says is in ``log``."""

    name: str
    directory: Path
    config: Path
    clouds: Path
    kubeconfig: Path
    wanted: bool = False  # whether it is to be started again when it ends
    starts: int = 0
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("OS_", "KUBE"))},
            "KUBECONFIG": str(self.kubeconfig),
            "CAUSEWAY_CONFIG": str(self.config),
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
            "OS_CLOUD": "openstack",
            "POD_NAME": self.name,
            "CAUSEWAY_HEALTH_PORT": str(self.port),
        }
        with self.log_file.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, str(_LAUNCHER)], stdout=sink, stderr=sink, env=environment
            )
        self.wanted = True
        self.starts += 1

    @property
    def log_file(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def runs(self) -> bool:
        """Whether there is a process, be it paused."""
        return self._process is not None

    def ended(self) -> int | None:
        """Return the status of a process that ended by itself."""
        return self._process.poll() if self._process is not None else None

    def kill(self) -> None:
        """End it as a power cut would."""
        self.wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def stop(self) -> None:
        """End it in order, so that the lease is free at once."""
        self.wanted = False
        if self._process is not None:
            self._process.terminate()
            self.go_on()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self.kill()

    def pause(self) -> None:
        """Have it stand still in whatever it does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it go on where it stood."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def leads(self) -> bool:
        """Whether it says that it leads and has reached the cloud; a paused one says nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.read() == b"leading\n")
        except OSError:
            return False
