"""One platform for all end-to-end tests: they walk the demo's path in order, on one deployed platform."""

import os
import shutil
import sys
from pathlib import Path

import openstack
import pytest
from openstack.connection import Connection

from causeway.kit.progress import Progress
from demo.commands import Kubectl, lab_environment
from demo.path import HERE, Demo


@pytest.fixture(scope="session")
def demo() -> Demo:
    """The demo with its platform deployed; its files lie in the lab's directory and go with the lab."""
    directory = Path(os.environ["CAUSEWAY_LAB_DIR"]) / "e2e"
    demo = Demo(Progress(sys.stdout), directory / "platform.yaml")
    demo.cloud()
    directory.mkdir(exist_ok=True)
    shutil.copy(HERE / "platform.yaml", demo.platform)
    demo.deploy()
    return demo


@pytest.fixture(scope="session")
def kubectl(demo: Demo) -> Kubectl:
    return demo.kubectl()


@pytest.fixture(scope="session")
def url(demo: Demo) -> str:
    """Where the guestbook answers."""
    return demo.application()


@pytest.fixture(scope="session")
def cloud(demo: Demo) -> Connection:
    """The project's own view of the cloud."""
    os.environ.update(lab_environment())
    return openstack.connect()
