"""Volumes through the driver as Kubernetes would use them: what happens to their bytes."""

from typing import Any

import grpc
import pytest
from tests.integration.projects import until
from tests.integration.volumes.kubernetes import Kubernetes, way

from causeway.rooms.volumes.model import GIB
from causeway.serve.csi.spec import csi_pb2 as csi

Code = grpc.StatusCode


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_bytes_survive_moving_growing_and_copying(kubernetes: Kubernetes, kind: str) -> None:
    volume = kubernetes.create(f"lives-{kind}", kind)
    kubernetes.attach(volume, kind)
    kubernetes.mount(volume, kind)
    target = kubernetes.target(volume)
    assert kubernetes.said(f"echo bytes > {target}/file; stat -f -c %T {target}") in ("ext2/ext3", "xfs")

    larger = csi.CapacityRange(required_bytes=2 * GIB)
    if kind == "xfs":  # a mounted ext4 grows only for who has CAP_SYS_RESOURCE: not everywhere tests run
        kubernetes.call("ControllerExpandVolume", volume_id=volume, capacity_range=larger)
        grown = kubernetes.call(
            "NodeExpandVolume", volume_id=volume, volume_path=target, capacity_range=larger
        )
        assert grown.capacity_bytes == 2 * GIB
        assert kubernetes.total(volume) > 1.8 * GIB
    kubernetes.unmount(volume)
    kubernetes.detach(volume)
    kubernetes.call("ControllerExpandVolume", volume_id=volume, capacity_range=larger)
    kubernetes.attach(volume, kind)
    kubernetes.mount(volume, kind)
    assert kubernetes.said(f"cat {target}/file") == "bytes"
    assert kubernetes.total(volume) > 1.8 * GIB

    kubernetes.said(f"sync -f {target}/file")
    taken = kubernetes.call(
        "CreateSnapshot", name=f"lives-{kind}", source_volume_id=volume, parameters={"force-create": "true"}
    ).snapshot
    source = csi.VolumeContentSource()
    source.snapshot.snapshot_id = taken.snapshot_id
    copy = kubernetes.create(f"lives-{kind}-copy", kind, source, gib=3)
    kubernetes.attach(copy, kind)
    kubernetes.mount(copy, kind)  # beside its source, and larger than the snapshot
    assert kubernetes.said(f"cat {kubernetes.target(copy)}/file") == "bytes"
    assert kubernetes.total(copy) > 2.7 * GIB

    kubernetes.away(copy)
    kubernetes.call("DeleteSnapshot", snapshot_id=taken.snapshot_id)
    kubernetes.away(volume)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_clone_has_the_bytes_and_outlives_its_source(kubernetes: Kubernetes, kind: str) -> None:
    volume = kubernetes.create(f"cloned-{kind}", kind)
    kubernetes.attach(volume, kind)
    kubernetes.mount(volume, kind)
    kubernetes.said(
        f"echo bytes > {kubernetes.target(volume)}/file; sync -f {kubernetes.target(volume)}/file"
    )
    source = csi.VolumeContentSource()
    source.volume.volume_id = volume
    clone = kubernetes.create(f"clone-{kind}", kind, source, gib=2)  # while a server has its source
    kubernetes.attach(clone, kind)
    kubernetes.mount(clone, kind)  # beside it, and larger
    file = f"{kubernetes.target(clone)}/file"
    assert kubernetes.said(f"cat {file}; echo other > {file}") == "bytes"
    assert kubernetes.total(clone) > 1.8 * GIB
    assert kubernetes.said(f"cat {kubernetes.target(volume)}/file") == "bytes"

    kubernetes.away(volume)
    kubernetes.unmount(clone)
    kubernetes.mount(clone, kind)
    assert kubernetes.said(f"cat {file}") == "other"
    kubernetes.away(clone)


def test_a_disk_with_data_is_never_formatted(kubernetes: Kubernetes) -> None:
    volume = kubernetes.create("data")
    kubernetes.attach(volume)
    kubernetes.mount(volume, "block")
    device = kubernetes.target(volume)
    kubernetes.said(f"mkfs.xfs -q {device}")
    kubernetes.unmount(volume)
    code, message = kubernetes.refused(
        "NodeStageVolume",
        volume_id=volume,
        staging_target_path=kubernetes.staged(volume),
        volume_capability=way("ext4"),
    )
    assert code is Code.FAILED_PRECONDITION
    assert "xfs is on it" in message
    kubernetes.mount(volume, "block")
    assert "xfs" in kubernetes.said(f"blkid -p {device}")
    kubernetes.away(volume)


def test_a_volume_is_mounted_once_and_given_read_only_when_asked(kubernetes: Kubernetes) -> None:
    volume = kubernetes.create("once")
    kubernetes.attach(volume)
    kubernetes.mount(volume, readonly=True)
    assert kubernetes.shell(f"touch {kubernetes.target(volume)}/file").returncode != 0
    kubernetes.said(f"touch {kubernetes.staged(volume)}/file")
    code, message = kubernetes.refused(
        "NodeStageVolume",
        volume_id=volume,
        staging_target_path=kubernetes.staged(volume) + "-again",
        volume_capability=way("ext4"),
    )
    assert code is Code.FAILED_PRECONDITION
    assert kubernetes.staged(volume) in message
    kubernetes.away(volume)


@pytest.mark.parametrize("seen_first", [False, True])
def test_a_controller_killed_at_its_work_goes_on_with_it(
    kubernetes: Kubernetes, mine: Any, seen_first: bool
) -> None:
    def named() -> list[str]:
        return [each.id for each in mine.cloud.block_storage.volumes(name=name)]

    name = f"killed-{seen_first}"
    kubernetes.begin("CreateVolume", name=name, volume_capabilities=[way("ext4")])
    if seen_first:
        until(named)
    kubernetes.kill_controller()
    volume = kubernetes.create(name)
    assert named() == [volume]

    at = {"volume_id": volume, "node_id": kubernetes.server}
    kubernetes.begin("ControllerPublishVolume", volume_capability=way("ext4"), **at)
    if seen_first:
        until(lambda: mine.cloud.block_storage.get_volume(volume).status != "available")
    kubernetes.kill_controller()
    kubernetes.attach(volume)
    assert [each["server_id"] for each in mine.cloud.block_storage.get_volume(volume).attachments] == [
        kubernetes.server
    ]

    kubernetes.begin("ControllerUnpublishVolume", **at)
    kubernetes.kill_controller()
    kubernetes.detach(volume)
    kubernetes.begin("DeleteVolume", volume_id=volume)
    kubernetes.kill_controller()
    kubernetes.call("DeleteVolume", volume_id=volume)
    assert named() == []
