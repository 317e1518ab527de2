"""A project with two servers on a network, and the driver of shares beside them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.projects import CLOUD, Project, project
from tests.integration.shares import cloud
from tests.integration.shares.kubernetes import Kubernetes
from tests.integration.volumes import csi_sanity
from tests.integration.volumes.place import CLUSTER, Driver, boot

from causeway.lab.settings import Settings


@pytest.fixture(scope="package")
def mine(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project("shares", tmp_path_factory.mktemp("clouds")) as made:
        cloud.ensure_type(made.admin)
        yield made
        cloud.clear_shares(made.cloud)


@pytest.fixture(scope="package")
def servers(lab: Settings, mine: Project) -> list[Any]:
    network = mine.cloud.network.create_network(name=mine.name)
    mine.cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.66.0.0/24")
    return [boot(lab, mine.cloud, f"{mine.name}-{each}", [{"uuid": network.id}]) for each in range(2)]


@pytest.fixture(scope="package")
def driver(mine: Project, servers: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    environment = os.environ | {
        "OS_CLIENT_CONFIG_FILE": str(mine.clouds),
        "OS_CLOUD": CLOUD,
        "CAUSEWAY_CLUSTER_ID": CLUSTER,
        "CAUSEWAY_NODE_ID": servers[0].id,
        "CAUSEWAY_LOG_LEVEL": "debug",
    }
    driver = Driver(tmp_path_factory.mktemp("csi"), environment, "csi-shares")
    try:
        driver.start("controller")
        driver.start("node")
        yield driver
    finally:
        driver.stop()


@pytest.fixture
def kubernetes(driver: Driver, servers: list[Any]) -> Iterator[Kubernetes]:
    made = Kubernetes(driver, servers[0].id)
    yield made
    for channel in made.channels.values():
        channel.close()


@pytest.fixture(scope="session")
def sanity(lab: Settings) -> Path:
    return csi_sanity.obtain(lab.cache, lab.logs / "csi-sanity.log")
