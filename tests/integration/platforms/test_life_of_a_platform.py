"""The life of a small platform on the real cloud: deployed, grown through a kill -9, shrunk, destroyed.

The tests run in this order on one platform; each leaves what the next one needs.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openstack
import pytest
from openstack.connection import Connection
from tests.stalls import StandStill

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import Object
from causeway.kube.resource import NODES
from causeway.lab.settings import Settings
from causeway.rooms.platforms import stack, state
from causeway.rooms.platforms.belongings import belongings

PROGRAM = [sys.executable, "-m", "causeway"]
NAME = "life"
PLATFORM = """\
apiVersion: causeway.dev/v1alpha1
kind: Platform
metadata: {{name: life}}
spec:
  cloud: lab
  kubernetes: {{version: v1.35.4}}
  networks:
    external: ext
    nodes: {{cidr: 10.210.0.0/24}}
    pods: {{cidr: 10.211.0.0/20}}
    services: {{cidr: 172.29.0.0/20}}
  pools:
    - name: master
      role: master
      count: 1
      flavor: m1.medium
      image: causeway-node-v1.35.4
      containerStorage: {{size: 3}}
    - {{name: work, role: compute, count: {count}, flavor: m1.small, image: {image}}}
"""


class Life:
    """The platform file, and the commands as a user types them."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "platform.yaml"
        self.write()

    def write(self, *, count: int = 1, image: str = "causeway-node-v1.35.4") -> None:
        self.file.write_text(PLATFORM.format(count=count, image=image))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command, *more = words
        return subprocess.run(
            [*PROGRAM, command, str(self.file), *more],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def json(self, *words: str) -> dict[str, Any]:
        done = self.run(*words, "-o", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        data: dict[str, Any] = json.loads(done.stdout)
        return data

    def working(self) -> dict[str, Any]:
        """Return the status once all of it works."""
        deadline = time.monotonic() + 300
        while (done := self.run("status", "-o", "json")).returncode:
            assert time.monotonic() < deadline, done.stdout + done.stderr
            time.sleep(1)
        return dict(json.loads(done.stdout))

    def nodes(self) -> dict[str, Object]:
        path = self.file.with_name("admin.conf")
        assert self.run("kubeconfig", "--output", str(path)).returncode == 0
        assert path.stat().st_mode & 0o077 == 0

        async def read() -> list[Object]:
            async with Client(from_kubeconfig(path)) as client:
                return (await client.list(NODES)).items

        return {node["metadata"]["name"]: node for node in asyncio.run(read())}


@pytest.fixture(scope="module")
def cloud(lab: Settings) -> Connection:
    return openstack.connect()


@pytest.fixture(scope="module")
def life(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    subprocess.run([*PROGRAM, "lab", "image"], check=True)
    made = Life(tmp_path_factory.mktemp("life"))
    yield made
    made.run("destroy", "--yes")  # whatever failed before


def servers(cloud: Connection) -> dict[str, str]:
    return {each.name: each.id for each in cloud.compute.servers() if each.name.startswith(f"{NAME}-")}


def test_a_platform_comes_from_nothing(life: Life, lab: Settings, cloud: Connection) -> None:
    plan = life.json("plan")
    assert {change["action"] for change in plan["changes"]} == {"create"}
    assert plan["joining"] == ["life-master-0", "life-work-0"]
    assert stack.find(stack.heat_of(cloud), NAME) is None
    applied = life.json("apply", "--yes")
    assert ip_address(urlsplit(applied["api"]).hostname) in ip_network(lab.external)
    status = life.working()
    assert {node["name"]: node["ready"] for node in status["nodes"]} == {
        "life-master-0": True,
        "life-work-0": True,
    }


def test_nodes_know_their_servers_and_their_roles(life: Life, cloud: Connection) -> None:
    nodes, ids = life.nodes(), servers(cloud)
    for name, node in nodes.items():
        assert node["spec"]["providerID"] == f"openstack:///{ids[name]}"
    assert "node-role.kubernetes.io/compute" in nodes["life-work-0"]["metadata"]["labels"]
    assert "node-role.kubernetes.io/control-plane" in nodes["life-master-0"]["metadata"]["labels"]


def test_container_storage_is_on_the_volume(cloud: Connection) -> None:
    mounts = subprocess.run(
        [*PROGRAM, "lab", "exec", "life-master-0", "findmnt", "-n", "-o", "SOURCE", "/var/lib/containerd"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert mounts[-1].startswith("/dev/vd")


def test_a_second_apply_has_nothing_to_do(life: Life) -> None:
    assert life.json("plan")["empty"] is True
    started = time.monotonic()
    with StandStill() as stood:
        assert life.json("apply", "--yes")["plan"]["empty"] is True
    assert time.monotonic() - started - stood.seconds < 240


def test_a_change_that_would_lose_nodes_is_refused(life: Life, cloud: Connection) -> None:
    before = servers(cloud)
    life.write(image="another-image")
    other: Any = cloud.image.create_image(
        "another-image",
        data=b"x",
        disk_format="raw",
        container_format="bare",
        causeway_kubernetes_version="v1.35.4",
    )
    try:
        done = life.run("apply", "--yes")
    finally:
        cloud.image.delete_image(other.id)
        life.write()
    assert done.returncode == 1
    assert "node life-work-0: would be replaced and lose all that is on it" in done.stderr
    assert servers(cloud) == before


def test_growing_survives_kill_9_and_leaves_the_others_alone(life: Life, cloud: Connection) -> None:
    before = servers(cloud)
    life.write(count=2)
    killed = subprocess.Popen([*PROGRAM, "apply", str(life.file), "--yes"], stderr=subprocess.PIPE, text=True)
    assert killed.stderr is not None
    for line in killed.stderr:
        if "resources" in line:  # Heat is at work
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stderr.close()
    life.json("apply", "--yes")
    after = servers(cloud)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"life-work-1"}
    life.working()


def test_shrinking_removes_the_named_node(life: Life, cloud: Connection) -> None:
    before = servers(cloud)
    life.write(count=1)
    refused = life.run("plan", "--remove", "life-work-7")
    assert refused.returncode == 1
    assert "has no such node" in refused.stderr
    assert life.json("plan", "--remove", "life-work-0")["leaving"] == ["life-work-0"]
    life.json("apply", "--yes", "--remove", "life-work-0")
    assert servers(cloud) == {name: each for name, each in before.items() if name != "life-work-0"}
    assert set(life.nodes()) == {"life-master-0", "life-work-1"}
    assert life.json("plan")["empty"] is True


def test_without_its_keys_a_platform_is_left_as_it_is(life: Life) -> None:
    kept = state.directory_of(life.file, NAME)
    away = kept.with_name("away")
    kept.rename(away)
    try:
        done = life.run("apply", "--yes")
    finally:
        away.rename(kept)
    assert done.returncode == 1
    assert "its keys are not in" in done.stderr


def test_destroy_leaves_nothing(life: Life, cloud: Connection) -> None:
    live = stack.find(stack.heat_of(cloud), NAME)
    assert live is not None
    mine = belongings(cloud, NAME, live.cluster_id)
    assert {"load balancer", "port", "server", "volume", "stack"} <= {each.type for each in mine}
    done = life.run("destroy", "--yes")
    assert done.returncode == 0, done.stderr
    assert belongings(cloud, NAME, live.cluster_id) == []
    assert not servers(cloud)
    assert not state.directory_of(life.file, NAME).exists()
    again = life.run("destroy", "--yes")
    assert again.returncode == 0
    assert "nothing in the cloud belongs to it" in again.stdout


def test_a_failed_stack_tells_the_cause_and_can_be_destroyed(life: Life, cloud: Connection) -> None:
    """No host has the trait the flavor asks for: Nova says so, two stacks below what Heat reports."""
    admin = openstack.connect(cloud="lab-admin")
    flavor = admin.compute.create_flavor(name="life-nowhere", ram=2048, vcpus=2, disk=20)
    admin.compute.create_flavor_extra_specs(flavor, {"trait:CUSTOM_LIFE_NOWHERE": "required"})
    life.file.write_text(life.file.read_text().replace("m1.medium", "life-nowhere"))
    try:
        done = life.run("apply", "--yes")
        assert done.returncode == 1
        assert "masters/0/server: No valid host" in done.stderr
        assert "No host has room for the flavor" in done.stderr
        assert "CREATE_FAILED" not in done.stderr
    finally:
        removed = life.run("destroy", "--yes")
        admin.compute.delete_flavor(flavor)
    assert removed.returncode == 0, removed.stderr
    assert not servers(cloud)
