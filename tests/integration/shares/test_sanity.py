"""The interface's own test suite passes, against a real Manila.

What it asks of nodes is done with shares of CephFS, mounted by ``ceph-fuse``; the many shares it makes for
the controller alone need hold no bytes.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.integration.projects import Project
from tests.integration.shares import cloud
from tests.integration.volumes.place import Driver

from causeway.engine.storage.model import GIB


@pytest.mark.parametrize(
    ("which", "parameters"),
    [("focus", cloud.ON_CEPH), ("skip", cloud.PARAMETERS)],
    ids=["nodes", "controller"],
)
def test_csi_sanity(
    driver: Driver, sanity: Path, mine: Project, which: str, parameters: Mapping[str, str]
) -> None:
    chosen = driver.directory / f"{which}.yaml"
    chosen.write_text("".join(f"{key}: {value}\n" for key, value in parameters.items()))
    command = driver.inside(
        sanity,
        f"--csi.endpoint={driver.node}",
        f"--csi.controllerendpoint={driver.controller}",
        f"--csi.testvolumesize={GIB}",
        f"--csi.testvolumeexpandsize={2 * GIB}",
        f"--csi.testvolumeparameters={chosen}",
        f"--csi.mountdir={driver.directory / 'target'}",
        f"--csi.stagingdir={driver.directory / 'staging'}",
        f"--ginkgo.{which}=Node Service",
        "--ginkgo.v",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20000:]
    assert " 0 Passed" not in done.stdout
    assert not cloud.shares(mine.cloud)
    assert not cloud.snapshots(mine.cloud)
