"""Volumes through the driver as Kubernetes would use them: what happens to their bytes."""

import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from tests.integration.projects import until
from tests.integration.volumes.conftest import Driver

from causeway.rooms.volumes.model import GIB
from causeway.serve.csi.spec import csi_pb2 as csi

Code = grpc.StatusCode


class Kubernetes:
    """Calls the driver as kubelet and the sidecars do, and looks where the node service mounts."""

    def __init__(self, driver: Driver, server: str) -> None:
        self.driver = driver
        self.server = server
        self.begun: list[Any] = []
        self.channels = {
            "Controller": grpc.insecure_channel(driver.controller),
            "Node": grpc.insecure_channel(driver.node),
        }

    def begin(self, rpc: str, /, **fields: Any) -> Any:
        """Ask for something without waiting for the answer."""
        described = csi.DESCRIPTOR.services_by_name
        service = next(each for each in self.channels if rpc in described[each].methods_by_name)
        method = described[service].methods_by_name[rpc]
        request = message_factory.GetMessageClass(method.input_type)
        send = self.channels[service].unary_unary(
            f"/{described[service].full_name}/{rpc}",
            request_serializer=request.SerializeToString,
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        future = send.future(request(**fields), timeout=120, wait_for_ready=True)
        self.begun.append(future)  # one that nobody holds any more is given up
        return future

    def call(self, rpc: str, /, **fields: Any) -> Any:
        return self.begin(rpc, **fields).result()

    def kill_controller(self) -> None:
        """End the controller service at once, and start another."""
        self.driver.processes["controller"].kill()
        self.channels["Controller"].close()
        self.driver.start("controller")
        self.channels["Controller"] = grpc.insecure_channel(self.driver.controller)

    def refused(self, rpc: str, /, **fields: Any) -> tuple[Any, str]:
        with pytest.raises(grpc.RpcError) as refused:
            self.call(rpc, **fields)
        return refused.value.code(), refused.value.details()

    def create(self, name: str, kind: str = "ext4", source: Any = None, gib: int = 1) -> str:
        content = {"volume_content_source": source} if source else {}
        made = self.call(
            "CreateVolume",
            name=name,
            volume_capabilities=[way(kind)],
            capacity_range=csi.CapacityRange(required_bytes=gib * GIB),
            **content,
        )
        return str(made.volume.volume_id)

    def attach(self, volume: str, kind: str = "ext4") -> None:
        self.call(
            "ControllerPublishVolume", volume_id=volume, node_id=self.server, volume_capability=way(kind)
        )

    def detach(self, volume: str) -> None:
        self.call("ControllerUnpublishVolume", volume_id=volume, node_id=self.server)

    def staged(self, volume: str) -> str:
        return str(self.driver.directory / volume / "staged")

    def target(self, volume: str, pod: str = "pod") -> str:
        return str(self.driver.directory / volume / pod)

    def mount(self, volume: str, kind: str = "ext4", *, readonly: bool = False) -> None:
        at = {"volume_id": volume, "staging_target_path": self.staged(volume), "volume_capability": way(kind)}
        self.call("NodeStageVolume", **at)
        self.call("NodePublishVolume", target_path=self.target(volume), readonly=readonly, **at)

    def unmount(self, volume: str) -> None:
        self.call("NodeUnpublishVolume", volume_id=volume, target_path=self.target(volume))
        self.call("NodeUnstageVolume", volume_id=volume, staging_target_path=self.staged(volume))

    def away(self, volume: str) -> None:
        self.unmount(volume)
        self.detach(volume)
        self.call("DeleteVolume", volume_id=volume)

    def total(self, volume: str) -> int:
        """Return the size of the file system at the pod's path, as the driver tells it."""
        path = self.target(volume)
        usage = self.call("NodeGetVolumeStats", volume_id=volume, volume_path=path).usage
        assert [each.unit for each in usage] == [csi.VolumeUsage.BYTES, csi.VolumeUsage.INODES]
        return int(usage[0].total)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        words = self.driver.inside("sh", "-ec", script)
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def said(self, script: str) -> str:
        done = self.shell(script)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def way(kind: str, mode: str = "SINGLE_NODE_WRITER") -> csi.VolumeCapability:
    access = csi.VolumeCapability.AccessMode
    mode_of = access(mode=access.Mode.Value(mode))
    if kind == "block":
        return csi.VolumeCapability(block=csi.VolumeCapability.BlockVolume(), access_mode=mode_of)
    return csi.VolumeCapability(mount=csi.VolumeCapability.MountVolume(fs_type=kind), access_mode=mode_of)


@pytest.fixture
def kubernetes(driver: Driver, server: Any) -> Iterator[Kubernetes]:
    made = Kubernetes(driver, server.id)
    yield made
    for channel in made.channels.values():
        channel.close()


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
