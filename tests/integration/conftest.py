"""What integration tests share: a lab that is up. It stays up afterwards, for the next run and for people."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration import csi_sanity
from tests.integration.kube_api import kube_api, kubernetes_binaries

from causeway.lab.settings import Settings, from_environment

__all__ = ["kube_api", "kubernetes_binaries", "lab"]


@pytest.fixture(scope="session")
def lab() -> Settings:
    """Bring the lab up, or verify the one that is, and point clients of this process to it."""
    program = "from causeway.main import main; main()"
    subprocess.run([sys.executable, "-c", program, "lab", "up"], check=True)
    settings = from_environment()
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(settings.clouds_file)
    os.environ["OS_CLOUD"] = "lab"
    return settings


@pytest.fixture(scope="session")
def sanity(lab: Settings) -> Path:
    """The test suite of the interface of storage drivers; obtained if the cache lacks it."""
    return csi_sanity.obtain(lab.cache, lab.logs / "csi-sanity.log")
