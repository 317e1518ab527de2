"""A project with two servers on a network, and the driver of shares beside them."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.projects import CLOUD, Project, project, until
from tests.integration.shares import cloud
from tests.integration.shares.kubernetes import Kubernetes
from tests.integration.shares.node import programs
from tests.integration.volumes.place import CLUSTER, Driver, boot, holding

from causeway.lab.settings import Settings


@pytest.fixture(scope="package")
def mine(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    assert "ceph" in lab.extras, "this lab has no Ceph: bring it up by `causeway lab up --with ceph`"
    with project("shares", tmp_path_factory.mktemp("clouds")) as made:
        yield made
        cloud.clear_shares(made.cloud)


@pytest.fixture(scope="package")
def servers(lab: Settings, mine: Project) -> Iterator[list[Any]]:
    network = mine.cloud.network.create_network(name=mine.name)
    mine.cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.66.0.0/24")
    made = [boot(lab, mine.cloud, f"{mine.name}-{each}", [{"uuid": network.id}], wait=False) for each in "ab"]

    def placed() -> Any:
        now = [mine.cloud.compute.get_server(each) for each in made]
        return now if all(each.addresses for each in now) else None

    yield until(placed)  # that they run is of no use here
    for each in made:
        mine.cloud.image.delete_image(each.image.id)


def environment_of(mine: Project, server: Any) -> dict[str, str]:
    """Return what the driver's services are told, on one of the servers."""
    return os.environ | {
        "OS_CLIENT_CONFIG_FILE": str(mine.clouds),
        "OS_CLOUD": CLOUD,
        "CAUSEWAY_CLUSTER_ID": CLUSTER,
        "CAUSEWAY_NODE_ID": server.id,
        "CAUSEWAY_LOG_LEVEL": "debug",
    }


@pytest.fixture(scope="package")
def driver(
    lab: Settings, mine: Project, servers: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Driver]:
    """The controller, and the node service of the first server."""
    directory = tmp_path_factory.mktemp("csi")
    environment = environment_of(mine, servers[0]) | {"PATH": programs(lab, directory)}
    with holding() as around:
        driver = Driver(directory, environment, "csi-shares", around)
        try:
            driver.start("controller")
            driver.start("node")
            yield driver
        finally:
            driver.stop()


@pytest.fixture(scope="package")
def other(
    lab: Settings, mine: Project, servers: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Driver]:
    """The node service of the second server, which sees no mount of the first."""
    directory = tmp_path_factory.mktemp("csi-other")
    environment = environment_of(mine, servers[1]) | {"PATH": programs(lab, directory)}
    with holding() as around:
        driver = Driver(directory, environment, "csi-shares", around)
        try:
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


@pytest.fixture
def elsewhere(driver: Driver, other: Driver, servers: list[Any]) -> Iterator[Kubernetes]:
    """The second node, with the same controller."""
    made = Kubernetes(other, servers[1].id, driver)
    yield made
    for channel in made.channels.values():
        channel.close()
