"""A stage on the lab's own chassis."""

from collections.abc import Iterator

import pytest
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.integration.chassis import Chassis, Stage

from causeway.lab.settings import Settings


@pytest.fixture
def stage(lab: Settings) -> Iterator[Stage]:
    admin = Connection(config=OpenStackConfig(config_files=[str(lab.clouds_file)]).get_one("lab-admin"))
    made = Stage(admin, Chassis(lab))
    yield made
    made.close()
    admin.close()
