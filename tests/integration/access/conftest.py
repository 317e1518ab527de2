"""One platform without nodes for all tests of this folder: its project, its API with an audit log."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.access import audit
from tests.integration.access.stage import Site, Stage
from tests.integration.deployment import deploy
from tests.integration.kube_api import KubeApi
from tests.integration.projects import project
from tests.integration.routes.gateway_api import install

from causeway.kit.progress import Progress
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.lab.images import kubernetes, sidecars
from causeway.lab.settings import Settings, from_environment
from causeway.rooms.platforms import credential


@pytest.fixture(scope="package")
def site(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("access")
    with project("access", directory) as made:
        site = Site(made, directory)
        site.make()
        yield site
        credential.revoke(made.cloud, site.credential)


@pytest.fixture(scope="package")
def api(kubernetes_binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    directory = tmp_path_factory.mktemp("kube")
    policy, log = directory / "policy.yaml", directory / "audit.log"
    policy.write_text(audit.POLICY)
    flags = (f"--audit-policy-file={policy}", f"--audit-log-path={log}")
    made = KubeApi(directory, kubernetes_binaries, flags=flags)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def sidecar_binaries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The programs beside the volume driver; obtained if the cache lacks them."""
    cache, log = from_environment().cache, tmp_path_factory.mktemp("obtain") / "log"
    return kubernetes.obtain(cache, log, Progress(), components=sidecars.COMPONENTS)


@pytest.fixture
async def stage(site: Site, api: KubeApi) -> AsyncIterator[Stage]:
    async with Client(from_kubeconfig(api.kubeconfig)) as admin:
        await deploy(admin)
        # Without its definitions nobody watches Gateway API, though it may.
        await install(admin, from_environment().cache, api.directory / "definitions.log")
        made = Stage(site, api, admin)
        yield made
        for program in made.programs:
            program.stop()
