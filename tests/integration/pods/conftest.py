"""A platform without servers: a project with networks and trunks in the lab, a real API server, a controller.

Pods are bound to nodes by hand; nobody runs them. What is tested is what the controller makes of them.
"""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.integration.kube_api import KubeApi, free_port

from causeway.cloud.neutron import Neutron, Port, Trunk
from causeway.cloud.ownership import Owner
from causeway.cloud.session import Cloud
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.objects import PodPort
from causeway.kube.resource import NAMESPACES, POD_PORTS, PODS
from causeway.lab.settings import Settings

ROLES = ("member", "load-balancer_member")
MANIFEST = Path(__file__).parents[3] / "src" / "causeway" / "deploy" / "10-podports.yaml"


def connect(cloud: str, file: Path) -> Connection:
    return Connection(config=OpenStackConfig(config_files=[str(file)]).get_one(cloud))


@dataclass
class Tenant:
    """A project of the lab with what a platform's stack would make in it."""

    admin: Connection
    directory: Path
    cluster: str = field(default_factory=lambda: str(uuid4()))
    nodes: tuple[str, ...] = ("w1", "w2")

    def __post_init__(self) -> None:
        name, password = f"pods-{self.cluster[:8]}", uuid4().hex
        identity: Any = self.admin.identity  # its type allows for versions nobody runs
        self.project = identity.create_project(name=name, domain_id="default")
        self.user = identity.create_user(name=name, password=password, domain_id="default")
        for role in identity.roles():
            if role.name in ROLES:
                identity.assign_project_role_to_user(self.project, self.user, role)
        auth = {
            "auth_url": self.admin.config.get_auth_args()["auth_url"],
            "username": name,
            "password": password,
            "project_name": name,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        self.clouds = self.directory / "clouds.yaml"
        self.clouds.write_text(yaml.safe_dump({"clouds": {"openstack": {"auth": auth}}}))
        self.clouds.chmod(0o600)
        self.connection = connect("openstack", self.clouds)
        self._make_networks()

    def _make_networks(self) -> None:
        network = self.connection.network
        group = network.create_security_group(name="pods")
        self.nets = {name: network.create_network(name=name) for name in ("nodes", "pods", "services")}
        ranges = {"nodes": "10.10.0.0/24", "pods": "10.20.0.0/16", "services": "172.30.0.0/16"}
        self.subnets = {
            name: network.create_subnet(network_id=net.id, name=name, ip_version=4, cidr=ranges[name])
            for name, net in self.nets.items()
        }
        self.trunks = {}
        for node in self.nodes:
            tags = Owner(self.cluster, "node").tags()
            parent = network.create_port(network_id=self.nets["nodes"].id, name=node, tags=tags)
            self.trunks[node] = network.create_trunk(name=node, port_id=parent.id)
        # Somebody else's port on our trunk: it has to stay as it is.
        self.foreign = network.create_port(network_id=self.nets["pods"].id, name="foreign")
        subport = {"port_id": self.foreign.id, "segmentation_type": "vlan", "segmentation_id": 1}
        network.add_trunk_subports(self.trunks["w1"], [subport])
        self.config = self.directory / "config.json"
        external = next(iter(network.networks(is_router_external=True)))
        self.config.write_text(
            json.dumps(
                {
                    "clusterId": self.cluster,
                    "platform": "test",
                    "externalNetworkId": external.id,
                    "podNetworkId": self.nets["pods"].id,
                    "podSubnetId": self.subnets["pods"].id,
                    "podSecurityGroupId": group.id,
                    "serviceNetworkId": self.nets["services"].id,
                    "serviceSubnetId": self.subnets["services"].id,
                    "nodeSubnetId": self.subnets["nodes"].id,
                    "loadBalancerProvider": "ovn",
                    "serviceCidr": "172.30.0.0/17",
                }
            )
        )
        self.group = group

    def remove(self) -> None:
        network = self.connection.network
        for trunk in network.trunks():
            network.delete_trunk(trunk)
        for port in network.ports():
            network.delete_port(port)
        for net in self.nets.values():
            network.delete_network(net)
        network.delete_security_group(self.group)
        for left in self.admin.network.security_groups(project_id=self.project.id):
            self.admin.network.delete_security_group(left)
        self.connection.close()
        identity: Any = self.admin.identity
        identity.delete_user(self.user)
        identity.delete_project(self.project)


class Controller:
    """``causeway serve controller`` as a process that can be killed."""

    def __init__(self, tenant: Tenant, kubeconfig: Path) -> None:
        self.port = free_port()
        self._log = tenant.directory / "controller.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("OS_", "KUBE"))},
            "KUBECONFIG": str(kubeconfig),
            "CAUSEWAY_CONFIG": str(tenant.config),
            "OS_CLIENT_CONFIG_FILE": str(tenant.clouds),
            "OS_CLOUD": "openstack",
            "POD_NAME": "controller",
            "CAUSEWAY_HEALTH_PORT": str(self.port),
        }

    def start(self) -> None:
        program = "from causeway.main import main; main()"
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, "serve", "controller"],
                stdout=sink,
                stderr=sink,
                env=self._environment,
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)
        self._process = None

    def stop(self) -> int:
        """End it in order and return its status."""
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(30)
        self._process = None
        return status

    def end(self) -> None:
        if self._process is not None:
            self.kill()

    def memory(self) -> float:
        """How much memory it holds, in MiB."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
        return round(int(kilobytes) / 1024, 1)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def calls(self) -> Counter[str]:
        """How often it called the network service, by kind of call."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return Counter()
        pattern = r'causeway_cloud_calls_total\{service="network",call="([^"]+)"\} (\d+)'
        return Counter({call: int(count) for call, count in re.findall(pattern, text)})


@dataclass(frozen=True)
class Seen:
    """The pods' network as Neutron and the API have it at one moment."""

    ports: dict[str, Port]
    trunks: dict[str, Trunk]
    pod_ports: dict[str, PodPort]

    def subports(self) -> dict[str, tuple[str, int]]:
        """Return (node, VLAN) of every subport by port."""
        return {
            sub.port_id: (trunk.name, sub.segmentation_id)
            for trunk in self.trunks.values()
            for sub in trunk.sub_ports
        }


class Stage:
    """Everything a test acts on and looks at."""

    def __init__(self, tenant: Tenant, controller: Controller, client: Client, neutron: Neutron) -> None:
        self.tenant = tenant
        self.controller = controller
        self.client = client
        self._neutron = neutron
        self.namespace = f"ns-{uuid4().hex[:6]}"

    async def add_pods(self, count: int) -> dict[str, str]:
        """Make ``count`` pods, alternating between the nodes; return their nodes by uid."""
        nodes = self.tenant.nodes

        async def add(number: int) -> tuple[str, str]:
            node = nodes[number % len(nodes)]
            spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
            body = {"metadata": {"name": f"pod-{number}"}, "spec": spec}
            made = await self.client.create(PODS, body, self.namespace)
            return made["metadata"]["uid"], node

        return dict(await asyncio.gather(*(add(number) for number in range(count))))

    async def drop_pods(self, names: list[str]) -> None:
        deletions = (self.client.delete(PODS, name, self.namespace, grace_seconds=0) for name in names)
        await asyncio.gather(*deletions)

    async def look(self) -> Seen:
        ports = await self._neutron.list_owned_ports(self.tenant.cluster, "pod")
        trunks = await self._neutron.list_trunks()
        pod_ports = await self.client.list(POD_PORTS, self.namespace, of=PodPort)
        return Seen(
            {port.id: port for port in ports},
            {trunk.id: trunk for trunk in trunks},
            {item.spec.pod_uid: item for item in pod_ports.items},
        )

    async def until(self, condition: Callable[[Seen], bool], seconds: float = 120.0) -> Seen:
        """Look until ``condition`` holds."""

        async def look() -> Seen | None:
            seen = await self.look()
            return seen if condition(seen) else None

        found: Seen = await self.come(look, seconds)
        return found

    async def come(self, look: Callable[[], Awaitable[Any]], seconds: float = 120.0) -> Any:
        """Look until there is something to see."""
        deadline = time.monotonic() + seconds
        while True:
            if found := await look():
                return found
            assert time.monotonic() < deadline, f"not in time\n{self.controller.log[-3000:]}"
            await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def tenant(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OS_CLIENT_CONFIG_FILE")  # it would count for more than the files we name
        admin = connect("lab-admin", lab.clouds_file)
        made = Tenant(admin, tmp_path_factory.mktemp("tenant"))
        try:
            yield made
        finally:
            made.remove()
            admin.close()


@pytest.fixture
async def stage(tenant: Tenant, kube_api: KubeApi) -> AsyncIterator[Stage]:
    controller = Controller(tenant, kube_api.kubeconfig)
    async with (
        Client(from_kubeconfig(kube_api.kubeconfig)) as client,
        await Cloud.open("openstack", tenant.clouds) as cloud,
    ):
        for manifest in yaml.safe_load_all(MANIFEST.read_text()):
            await client.apply(manifest, manager="causeway")
        made = Stage(tenant, controller, client, Neutron(cloud))
        await client.create(NAMESPACES, {"metadata": {"name": made.namespace}})
        with contextlib.closing(_Ended(controller)):
            yield made


class _Ended:
    """Ends the controller whatever happens."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def close(self) -> None:
        self._controller.end()
