"""The node service is killed at every command it runs, and the next one goes on: with real disks."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.projects import Project
from tests.integration.volumes.doom import Doom
from tests.integration.volumes.kubernetes import Kubernetes, way
from tests.integration.volumes.place import Driver, driver_of, holding

from causeway.host import disks, mounts
from causeway.rooms.volumes.model import GIB
from causeway.serve.csi.spec import csi_pb2 as csi

CHECK = {"ext4": "e2fsck -fn", "xfs": "xfs_repair -n"}


@pytest.fixture
def doom(tmp_path: Path) -> Doom:
    return Doom(tmp_path)


@pytest.fixture
def doomed(
    mine: Project, root: Path, server: Any, driver: Driver, tmp_path: Path, doom: Doom
) -> Iterator[Kubernetes]:
    """The controller service as it is, and a node service that meets its end."""
    with holding() as around:
        made = driver_of(mine, root, tmp_path, around)
        made = dataclasses.replace(made, environment={**made.environment, "PATH": doom.path})
        made.start("node")
        kubernetes = Kubernetes(made, server.id, driver)
        try:
            yield kubernetes
        finally:
            made.stop()
            for channel in kubernetes.channels.values():
                channel.close()


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_node_service_killed_at_any_command_is_gone_on_with(
    doomed: Kubernetes, doom: Doom, root: Path, kind: str
) -> None:
    volume = doomed.create(f"killed-{kind}", kind)
    staged, target = doomed.staged(volume), doomed.target(volume)
    staging = {"volume_id": volume, "staging_target_path": staged, "volume_capability": way(kind)}
    publishing = {**staging, "target_path": target}

    def mounted() -> list[str]:
        device = disks.find(volume, root)
        assert device
        table = mounts.parse(doomed.said("cat /proc/self/mountinfo"))
        return [each.path for each in table if each.device == disks.number(device)]

    def come(*, readonly: bool = False) -> list[str]:
        met = doom.call(doomed, "NodeStageVolume", **staging)
        assert mounted() == [staged]
        met += doom.call(doomed, "NodePublishVolume", readonly=readonly, **publishing)
        assert mounted() == [staged, target]
        return met

    def go() -> list[str]:
        met = doom.call(doomed, "NodeUnpublishVolume", volume_id=volume, target_path=target)
        assert (mounted(), Path(target).exists()) == ([staged], False)
        met += doom.call(doomed, "NodeUnstageVolume", volume_id=volume, staging_target_path=staged)
        assert mounted() == []
        doomed.said(f"{CHECK[kind]} {disks.find(volume, root)}")
        return met

    doomed.attach(volume, kind)
    met = come()
    assert [each.split()[:2] for each in met if "mkfs" in each] == [
        ["before", f"mkfs.{kind}"],
        ["after", f"mkfs.{kind}"],
    ]
    doomed.said(f"echo bytes > {target}/file")

    larger = csi.CapacityRange(required_bytes=2 * GIB)
    if kind == "xfs":  # ext4 grows when it is staged: see the lives
        doomed.call("ControllerExpandVolume", volume_id=volume, capacity_range=larger)
        expanding = {"volume_id": volume, "volume_path": target, "capacity_range": larger}
        assert "after xfs_growfs" in " ".join(doom.call(doomed, "NodeExpandVolume", **expanding))
    met = go()
    assert len([each for each in met if "umount" in each]) == 4
    doomed.detach(volume)
    if kind == "ext4":
        doomed.call("ControllerExpandVolume", volume_id=volume, capacity_range=larger)
    doomed.attach(volume, kind)
    met = come(readonly=True)
    assert not [each for each in met if "mkfs" in each]
    assert "after mount --no-canonicalize -o remount,bind,ro" in " ".join(met)
    if kind == "ext4":
        assert "after resize2fs" in " ".join(met)
    assert doomed.said(f"cat {target}/file") == "bytes"
    assert doomed.shell(f"touch {target}/file").returncode != 0
    assert doomed.total(volume) > 1.8 * GIB
    go()
    doomed.detach(volume)
    doomed.call("DeleteVolume", volume_id=volume)
