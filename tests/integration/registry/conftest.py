"""A registry as a platform has it, on loopback, before a Kubernetes API: the shipped settings and rights."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.deployment import deploy
from tests.integration.kube_api import KubeApi
from tests.integration.registry.stage import Disk, Stage, Storage

from causeway.kit.progress import Progress
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.lab import settings
from causeway.lab.images import kubernetes, registry


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry's own program; obtained if the cache lacks it."""
    cache = settings.from_environment().cache
    log = tmp_path_factory.mktemp("obtain") / "log"
    found = kubernetes.obtain(cache, log, Progress(), components=(registry.COMPONENT,))
    return found[registry.PROGRAM]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Where images are; a test module may say otherwise."""
    return Disk(tmp_path / "images")


@pytest.fixture
async def stage(kube_api: KubeApi, program: Path, storage: Storage, tmp_path: Path) -> AsyncIterator[Stage]:
    """A registry that has started, with nothing in it."""
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as admin:
        await deploy(admin)
        made = Stage(tmp_path, kube_api, admin, program, storage)
        try:
            await made.start()
            yield made
        finally:
            made.stop()
