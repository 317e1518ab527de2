"""A project of its own on the lab with the networks of a platform, and the room as a process."""

import contextlib
import ctypes
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openstack
import pytest
import yaml
from openstack.config import OpenStackConfig
from tests.integration.kube_api import KubeApi
from tests.pace import pauses

from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import Octavia
from causeway.cloud.session import Cloud
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.lab.settings import Settings

POD_CIDR = "10.131.0.0/20"


@dataclass
class Project:
    """A project of the cloud with a service subnet, a pod subnet and a router to the outside."""

    name: str
    clouds: Path
    cluster: str
    ids: dict[str, str]
    admin: Any = field(repr=False)


@pytest.fixture(scope="module")
def project(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Make the project, and take away everything in it."""
    admin: Any = openstack.connect(cloud="lab-admin")
    name = f"services-{uuid.uuid4().hex[:6]}"
    with contextlib.ExitStack() as after:
        made = admin.identity.create_project(name=name, domain_id="default")
        after.callback(admin.identity.delete_project, made)
        user = admin.identity.create_user(name=name, password=name, domain_id="default")
        after.callback(admin.identity.delete_user, user)
        for role in ("member", "load-balancer_member"):
            found = admin.identity.find_role(role)
            if found:
                admin.identity.assign_project_role_to_user(made, user, found)
        auth = {"auth_url": admin.config.get_auth_args()["auth_url"], "username": name, "password": name}
        auth |= {"project_name": name, "user_domain_id": "default", "project_domain_id": "default"}
        entry = {"auth": auth, "region_name": admin.config.region_name}
        clouds = tmp_path_factory.mktemp("cloud") / "clouds.yaml"
        clouds.write_text(yaml.safe_dump({"clouds": {"test": entry}}))
        config = OpenStackConfig(config_files=[str(clouds)], load_envvars=False)
        cloud: Any = openstack.connection.Connection(config=config.get_one("test"))
        after.callback(_clear, cloud)
        yield Project(name, clouds, str(uuid.uuid4()), _networks(cloud), admin)


def _networks(cloud: Any) -> dict[str, str]:
    network = cloud.network
    external = network.find_network("ext")
    router = network.create_router(name="router", external_gateway_info={"network_id": external.id})
    ids = {"external_network": external.id}
    pools = {"service": {"allocation_pools": [{"start": "172.30.128.2", "end": "172.30.255.254"}]}, "pod": {}}
    for name, cidr, gateway in (
        ("service", "172.30.0.0/16", "172.30.128.1"),
        ("pod", POD_CIDR, "10.131.0.1"),
    ):
        made = network.create_network(name=name)
        subnet = network.create_subnet(
            network_id=made.id, name=name, ip_version=4, cidr=cidr, gateway_ip=gateway, **pools[name]
        )
        network.add_interface_to_router(router, subnet_id=subnet.id)
        ids[f"{name}_subnet"] = subnet.id
    return ids


def _clear(cloud: Any) -> None:
    network = cloud.network
    for balancer in cloud.load_balancer.load_balancers():
        cloud.load_balancer.delete_load_balancer(balancer, cascade=True)
    deadline, pause = time.monotonic() + 240, pauses()
    while list(cloud.load_balancer.load_balancers()) and time.monotonic() < deadline:
        time.sleep(next(pause))
    for address in network.ips(project_id=cloud.current_project_id):
        network.delete_ip(address)
    for router in network.routers(project_id=cloud.current_project_id):
        for port in network.ports(device_id=router.id):
            if port.device_owner != "network:router_gateway":
                network.remove_interface_from_router(router, port_id=port.id)
        network.delete_router(router)
    for port in network.ports(project_id=cloud.current_project_id):
        with contextlib.suppress(openstack.exceptions.ConflictException):
            network.delete_port(port)
    for made in network.networks(project_id=cloud.current_project_id):
        network.delete_network(made)


class Room:
    """The services room in a process of its own."""

    def __init__(self, directory: Path, project: Project, kube: KubeApi) -> None:
        self._file = directory / "settings.json"
        self.log = directory / "room.log"
        self._figures = directory / "figures.json"
        settings = {
            "clouds": str(project.clouds),
            "kubeconfig": str(kube.kubeconfig),
            "cluster": project.cluster,
            "pod_cidr": POD_CIDR,
            "figures": str(self._figures),
            **project.ids,
        }
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **further: str) -> None:
        self._file.write_text(json.dumps(self._settings | further))
        argv = [sys.executable, str(Path(__file__).with_name("run_services.py")), str(self._file)]
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(argv, stdout=sink, stderr=sink, preexec_fn=_ends_with_us)  # noqa: PLW1509  # one system call

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(120)
            self._process = None

    def stop(self) -> dict[str, int]:
        """End it in order; return the calls it made to the cloud."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(120) == 0, self.log.read_text()[-3000:]
        self._process = None
        figures: dict[str, int] = json.loads(self._figures.read_text())
        return figures


def _ends_with_us() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@pytest.fixture
def room(tmp_path: Path, project: Project, kube_api: KubeApi) -> Iterator[Room]:
    made = Room(tmp_path, project, kube_api)
    made.start()
    yield made
    made.kill()


@dataclass
class Doors:
    """The test's own way to look at what the room did."""

    cloud: Cloud
    octavia: Octavia
    neutron: Neutron
    kube: Client


@pytest.fixture
async def doors(project: Project, kube_api: KubeApi) -> AsyncIterator[Doors]:
    async with (
        await Cloud.open("test", project.clouds) as cloud,
        Client(from_kubeconfig(kube_api.kubeconfig)) as kube,
    ):
        yield Doors(cloud, Octavia(cloud), Neutron(cloud), kube)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return a function that prints a figure past pytest's capture."""

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return tell


__all__ = ["Doors", "Project", "Room", "doors", "project", "room", "say"]
