"""A zone of a project of its own on the lab's Designate, and the room as a process."""

import ctypes
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.faults.doors import token_of
from tests.integration.deployment import deploy
from tests.integration.kube_api import KubeApi
from tests.integration.projects import CLOUD, Project, project, until

from causeway.cloud.designate import Designate, RecordSet
from causeway.cloud.session import Cloud
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.lab.settings import Settings
from demo.resolver import Answer, ask


@pytest.fixture(scope="module")
def tenant(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project; its zones are deleted with it."""
    with project("names", tmp_path_factory.mktemp("cloud")) as made:
        yield made
        for zone in made.cloud.dns.zones():
            made.cloud.dns.delete_zone(zone)
        until(lambda: not list(made.cloud.dns.zones()), seconds=300)


@dataclass
class ZoneOfTest:
    """A zone; ``answer`` asks the real name server."""

    name: str
    id: str
    server: str
    project: Project
    cluster: str = field(default_factory=lambda: str(uuid.uuid4()))

    def answer(self, host: str, kind: str = "A") -> Answer:
        """Return what the name server says of a host of the zone."""
        return ask(self.server, f"{host}.{self.name}", kind)

    def put(self, host: str, kind: str, *records: str) -> Any:
        """Write a record set as somebody else does."""
        return self.project.cloud.dns.create_recordset(
            self.id, name=f"{host}.{self.name}", type=kind, records=list(records)
        )


@pytest.fixture
def zone(lab: Settings, tenant: Project) -> ZoneOfTest:
    """Make a zone that the name server serves; the project takes it with it."""
    name = f"{uuid.uuid4().hex[:6]}.test."
    made = tenant.cloud.dns.create_zone(name=name, email="hostmaster@lab.test")
    until(lambda: ask(lab.address, f"nothing.{name}").code == 3, seconds=300)
    return ZoneOfTest(name, made.id, lab.address, tenant)


class Room:
    """The names room in a process of its own."""

    def __init__(self, directory: Path, zone: ZoneOfTest, kubeconfig: Path) -> None:
        self._file = directory / "settings.json"
        self._figures = directory / "figures.json"
        self.log = directory / "room.log"
        self.owner = f"owner-{zone.cluster[:8]}"
        self._settings = {
            "cloud": CLOUD,
            "clouds": str(zone.project.clouds),
            "kubeconfig": str(kubeconfig),
            "cluster": zone.cluster,
            "zone": zone.name,
            "owner": self.owner,
            "fixed": {},
            "figures": str(self._figures),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **fixed: str) -> None:
        """Start it; ``fixed`` are the platform's own names."""
        zone = self._settings["zone"]
        fixed = {f"{name}.{zone}": address for name, address in fixed.items()}
        self._file.write_text(json.dumps(self._settings | {"fixed": fixed}))
        argv = [sys.executable, str(Path(__file__).with_name("run_names.py")), str(self._file)]
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(argv, stdout=sink, stderr=sink, preexec_fn=_ends_with_us)  # noqa: PLW1509  # one system call

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(30)
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


@dataclass
class Doors:
    """The test's own way to look at what the room did, and to make what it works for."""

    designate: Designate
    kube: Client
    zone: ZoneOfTest

    async def sets(self) -> dict[tuple[str, str], RecordSet]:
        """Return the zone's record sets by host and type, without those of the zone itself."""
        found = await self.designate.list_record_sets(self.zone.id)
        named = {(each.name.removesuffix(f".{self.zone.name}"), each.type): each for each in found}
        return {key: each for key, each in named.items() if key[0] != self.zone.name and not each.leaving}


@pytest.fixture
async def doors(zone: ZoneOfTest, kube_api: KubeApi) -> AsyncIterator[Doors]:
    async with (
        await Cloud.open(CLOUD, zone.project.clouds) as cloud,
        Client(from_kubeconfig(kube_api.kubeconfig)) as kube,
    ):
        await deploy(kube)
        yield Doors(Designate(cloud), kube, zone)


@pytest.fixture
async def room(tmp_path: Path, zone: ZoneOfTest, kube_api: KubeApi, doors: Doors) -> AsyncIterator[Room]:
    """The room, not started yet; it has the shipped rights and no others."""
    user = {"token": await token_of(doors.kube, "causeway-controller")}
    kubeconfig = tmp_path / "room.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(kube_api.config(f"https://127.0.0.1:{kube_api.port}", user)))
    made = Room(tmp_path, zone, kubeconfig)
    yield made
    made.kill()
    print(made.log.read_text() if made.log.exists() else "never started")  # pytest shows it of what failed


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return a function that prints a figure past pytest's capture."""

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return tell


@pytest.fixture
def floating_ip(tenant: Project) -> Iterator[str]:
    """The address of a floating IP of the project."""
    network = tenant.cloud.network
    made = network.create_ip(floating_network_id=network.find_network("ext").id)
    yield made.floating_ip_address
    for each in network.ips(floating_ip_address=made.floating_ip_address):  # or the one that has it now
        network.delete_ip(each)
