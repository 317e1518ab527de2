"""The interface's own test suite passes whole, against real volumes at a real server."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.integration.volumes.place import Driver

from causeway.rooms.volumes.model import GIB


@pytest.mark.parametrize("access", ["mount", "block"])
def test_csi_sanity(driver: Driver, sanity: Path, mine: Any, other_type: str, access: str) -> None:
    changed = driver.directory / "changed.yaml"
    changed.write_text(f"type: {other_type}\n")
    report = driver.directory / f"{access}.xml"
    command = driver.inside(
        sanity,
        f"--csi.endpoint={driver.node}",
        f"--csi.controllerendpoint={driver.controller}",
        f"--csi.testvolumesize={GIB}",
        f"--csi.testvolumeexpandsize={2 * GIB}",
        f"--csi.testvolumeaccesstype={access}",
        f"--csi.testvolumemutableparameters={changed}",
        f"--csi.mountdir={driver.directory / 'target'}",
        f"--csi.stagingdir={driver.directory / 'staging'}",
        f"--ginkgo.junit-report={report}",
        "--ginkgo.v",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20000:]
    assert not list(mine.cloud.block_storage.volumes())
    assert not list(mine.cloud.block_storage.snapshots())
