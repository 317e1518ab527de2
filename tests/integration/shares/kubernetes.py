"""Calls of the driver of shares as the sidecars make them."""

from typing import Any

from tests.integration.shares.cloud import PARAMETERS
from tests.integration.volumes import kubernetes
from tests.integration.volumes.kubernetes import way
from tests.integration.volumes.place import Driver

from causeway.engine.storage.model import GIB
from causeway.serve.csi.spec import csi_pb2 as csi

MANY = way("", "MULTI_NODE_MULTI_WRITER")


class Kubernetes(kubernetes.Kubernetes):
    """Calls the driver of shares; ``server`` is the node that is meant where none is named."""

    def __init__(self, driver: Driver, server: str, controller: Driver | None = None) -> None:
        super().__init__(driver, server, controller)
        self.given: dict[str, dict[str, str]] = {}

    def share(self, name: str, source: str = "", **parameters: str) -> Any:
        """Have a share of a name, made of a snapshot if there is a ``source``."""
        content = csi.VolumeContentSource()
        content.snapshot.snapshot_id = source
        return self.call(
            "CreateVolume",
            name=name,
            volume_capabilities=[MANY],
            capacity_range=csi.CapacityRange(required_bytes=GIB),
            parameters=PARAMETERS | parameters,
            **({"volume_content_source": content} if source else {}),
        ).volume

    def open(self, volume: str, node: str = "", context: dict[str, str] | None = None) -> dict[str, str]:
        """Have a share open to a node, and return what the node gets."""
        return dict(self.opening(volume, node, context).result().publish_context)

    def opening(self, volume: str, node: str = "", context: dict[str, str] | None = None) -> Any:
        """Ask for a share to be opened without waiting for it."""
        return self.begin(
            "ControllerPublishVolume",
            volume_id=volume,
            node_id=node or self.server,
            volume_capability=MANY,
            volume_context=context or {},
        )

    def close(self, volume: str, node: str = "") -> None:
        """Have a share closed to a node."""
        self.call("ControllerUnpublishVolume", volume_id=volume, node_id=node or self.server)

    def delete(self, volume: str) -> None:
        """Have no such share."""
        self.call("DeleteVolume", volume_id=volume)

    def stage(self, volume: str, given: dict[str, str]) -> None:
        """Have a share mounted on the node that ``given`` opened it to."""
        self.given[volume] = given
        self.call(
            "NodeStageVolume",
            volume_id=volume,
            staging_target_path=self.staged(volume),
            volume_capability=MANY,
            publish_context=given,
        )

    def show(self, volume: str, pod: str = "pod", *, readonly: bool = False) -> str:
        """Have a staged share at a pod's path, and return that."""
        self.call(
            "NodePublishVolume",
            volume_id=volume,
            staging_target_path=self.staged(volume),
            target_path=self.target(volume, pod),
            volume_capability=MANY,
            publish_context=self.given[volume],
            readonly=readonly,
        )
        return self.target(volume, pod)

    def hide(self, volume: str, pod: str = "pod") -> None:
        """Have nothing at a pod's path."""
        self.call("NodeUnpublishVolume", volume_id=volume, target_path=self.target(volume, pod))

    def away(self, volume: str) -> None:
        """Have a share neither mounted on the node nor open to it."""
        self.unmount(volume)
        self.close(volume)
