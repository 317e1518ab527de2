"""The interface's own test suite passes whole, against real volumes at a real server."""

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.integration.csi_sanity import skipped
from tests.integration.volumes.place import Driver

from causeway.rooms.volumes.model import GIB

NOT_OFFERED = {
    "GroupControllerService not supported": 6,  # no groups of snapshots
    "GetCapacity not supported": 1,  # users are not told what a backend has left
    "SNAPSHOT_ACCESSIBILITY_CONSTRAINTS not supported": 1,  # a snapshot is where its volume is
    "NodeGetStorageHealth not supported": 1,  # a node knows its volumes, and no backend
    "ControllerPublishVolume.readonly field not supported": 1,  # the node mounts read-only
    "testnodevolumeattachlimit not enabled": 1,  # the lab's hypervisor refuses none
}
"""What the driver does not declare, in the words of the suite, and the number of its specs."""


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
    left_out = skipped(report)
    assert Counter(left_out.values()) == NOT_OFFERED, left_out
    assert not list(mine.cloud.block_storage.volumes())
    assert not list(mine.cloud.block_storage.snapshots())
