"""Calls of the driver as the kubelet and the sidecars make them."""

import subprocess
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from tests.integration.projects import until
from tests.integration.volumes.place import Driver

from causeway.rooms.volumes.model import GIB
from causeway.serve.csi.spec import csi_pb2 as csi


class Kubernetes:
    """Calls the driver as kubelet and the sidecars do, and looks where the node service mounts.

    ``controller`` is whose controller service is asked, where several node services share one.
    """

    def __init__(self, driver: Driver, server: str, controller: Driver | None = None) -> None:
        self.driver = driver
        self.server = server
        self.begun: list[Any] = []
        self.channels = {
            "Controller": grpc.insecure_channel((controller or driver).controller),
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

    def kill_node(self) -> None:
        """End the node service at once, unless it has ended, and start another where it was."""
        self.driver.processes["node"].kill()
        self.channels["Node"].close()
        self.driver.start("node")
        self.channels["Node"] = grpc.insecure_channel(self.driver.node)

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
        """Have a volume at the server; asked again as a sidecar does: Nova forgets one later than Cinder."""
        at = {"volume_id": volume, "node_id": self.server, "volume_capability": way(kind)}

        def came() -> bool:
            try:
                self.call("ControllerPublishVolume", **at)
            except grpc.RpcError as error:
                if "already attached" not in error.details():
                    raise
                return False
            return True

        until(came)

    def detach(self, volume: str) -> None:
        self.call("ControllerUnpublishVolume", volume_id=volume, node_id=self.server)

    def staged(self, volume: str) -> str:
        return str(self.driver.directory / "plugins/kubernetes.io/csi" / volume / "globalmount")

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
