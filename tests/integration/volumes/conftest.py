"""A project with one server, and the driver beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.projects import Project, clear_volumes, project, until
from tests.integration.volumes.kubernetes import Kubernetes
from tests.integration.volumes.place import Driver, boot, driver_of, holding, seen

from causeway.lab.settings import Settings


@pytest.fixture(scope="package")
def mine(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project("volumes", tmp_path_factory.mktemp("clouds")) as made:
        yield made
        clear_volumes(made.cloud)


@pytest.fixture
def roomy(mine: Project) -> Project:
    """The project with room for as many volumes as a server may have, or a storm may make."""
    mine.admin.block_storage.update_quota_set(mine.id, volumes=50, snapshots=50, gigabytes=200)
    return mine


@pytest.fixture(scope="package")
def other_type(mine: Project) -> Iterator[str]:
    """A volume type beside the default one, of the same backend."""
    storage = mine.cloud.block_storage
    made = mine.admin.block_storage.create_type(name=f"{mine.name}-other")
    yield str(made.name)
    until(lambda: not [each for each in storage.volumes() if each.volume_type == made.name])
    mine.admin.block_storage.delete_type(made)


@pytest.fixture(scope="package")
def server(lab: Settings, mine: Project) -> Any:
    return boot(lab, mine.cloud, mine.name)


@pytest.fixture(scope="package")
def root(lab: Settings, server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The server's files, as the node service sees them."""
    with seen(lab, server.id, tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture(scope="package")
def driver(mine: Project, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with holding() as around:
        driver = driver_of(mine, root, tmp_path_factory.mktemp("csi"), around)
        try:
            driver.start("controller")
            driver.start("node")
            yield driver
        finally:
            driver.stop()


@pytest.fixture
def kubernetes(driver: Driver, server: Any) -> Iterator[Kubernetes]:
    made = Kubernetes(driver, server.id)
    yield made
    for channel in made.channels.values():
        channel.close()


@pytest.fixture
def second(lab: Settings, mine: Project) -> Iterator[Any]:
    """Another server of the project."""
    compute = mine.cloud.compute
    made = boot(lab, mine.cloud, f"{mine.name}-second")
    yield made
    compute.delete_server(made)
    until(lambda: made.id not in {each.id for each in compute.servers()})
