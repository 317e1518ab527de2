"""A project for orphans, and a real Kubernetes API to ask who lives."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.deployment import deploy
from tests.integration.kube_api import KubeApi
from tests.integration.projects import CLOUD, Project, clear_volumes, project

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import CONFIG_MAPS
from causeway.lab.settings import Settings
from causeway.rooms.platforms.addons import config_of


@dataclass
class Scene:
    """A project with what lives, what is orphaned and what is foreign, by cluster."""

    project: Project
    alive: str
    gone: str
    living: dict[str, str]
    dead: dict[str, str]
    left: dict[str, str]
    foreign: dict[str, str]

    def causeway(self, *words: str, kubeconfig: Path | None = None) -> tuple[int, dict[str, Any]]:
        """Run ``causeway orphans WORDS -o json`` and return its status and what it printed."""
        program = (sys.executable, "-c", "from causeway.main import main; main()")
        known = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "KUBE"))}
        known |= {"OS_CLIENT_CONFIG_FILE": str(self.project.clouds), "OS_CLOUD": CLOUD}
        if kubeconfig:
            known["KUBECONFIG"] = str(kubeconfig)
        done = subprocess.run(
            [*program, "orphans", *words, "-o", "json"],
            env=known,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def present(self, names: dict[str, str]) -> set[str]:
        """Return which of the objects are still in the cloud."""
        network = self.project.cloud.network
        found = {each.id for each in self.project.cloud.load_balancer.load_balancers()}
        for kind in (network.ports, network.networks, network.security_groups, network.address_groups):
            found |= {each.id for each in kind(project_id=self.project.id)}
        found |= {each.id for each in network.ips(project_id=self.project.id)}
        found |= {each.id for each in network.routers(project_id=self.project.id)}
        storage = self.project.cloud.block_storage
        found |= {each.id for kind in (storage.volumes, storage.snapshots) for each in kind()}
        return {name for name, identifier in names.items() if identifier in found}


@pytest.fixture(scope="module")
def scene(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with project("orphans", tmp_path_factory.mktemp("cloud")) as made:
        yield Scene(made, str(uuid.uuid4()), str(uuid.uuid4()), {}, {}, {}, {})
        clear_volumes(made.cloud)


@pytest.fixture
async def kube(kube_api: KubeApi, scene: Scene) -> AsyncIterator[Client]:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:
        await deploy(client)
        outputs = ("pod_network", "pod_subnet", "pod_security_group", "service_network", "service_subnet")
        config = config_of(
            cluster_id=scene.alive,
            platform="test",
            external_network="x",
            provider="ovn",
            service_cidr="172.30.0.0/17",
            outputs=dict.fromkeys((*outputs, "node_subnet"), "x"),
        )
        meta = {"name": "causeway", "namespace": "kube-system"}
        await client.create(CONFIG_MAPS, {"metadata": meta, "data": {"config.json": json.dumps(config)}})
        yield client
