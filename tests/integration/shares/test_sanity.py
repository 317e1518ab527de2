"""The interface's own test suite passes, against real shares of CephFS mounted by ``ceph-fuse``."""

import subprocess
from pathlib import Path

from tests.integration.projects import Project
from tests.integration.shares import cloud
from tests.integration.volumes.place import Driver

from causeway.engine.storage.model import GIB


def test_csi_sanity(driver: Driver, sanity: Path, mine: Project) -> None:
    parameters = driver.directory / "parameters.yaml"
    parameters.write_text("".join(f"{key}: {value}\n" for key, value in cloud.ON_CEPH.items()))
    command = driver.inside(
        sanity,
        f"--csi.endpoint={driver.node}",
        f"--csi.controllerendpoint={driver.controller}",
        f"--csi.testvolumesize={GIB}",
        f"--csi.testvolumeexpandsize={2 * GIB}",
        f"--csi.testvolumeparameters={parameters}",
        f"--csi.mountdir={driver.directory / 'target'}",
        f"--csi.stagingdir={driver.directory / 'staging'}",
        "--ginkgo.v",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20000:]
    assert not cloud.shares(mine.cloud)
    assert not cloud.snapshots(mine.cloud)
