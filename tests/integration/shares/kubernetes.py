"""Calls of the driver of shares as the sidecars make them."""

from typing import Any

from tests.integration.shares.cloud import PARAMETERS
from tests.integration.volumes import kubernetes
from tests.integration.volumes.kubernetes import way

from causeway.engine.storage.model import GIB
from causeway.serve.csi.spec import csi_pb2 as csi

MANY = way("", "MULTI_NODE_MULTI_WRITER")


class Kubernetes(kubernetes.Kubernetes):
    """Calls the driver of shares; ``server`` is the node that is meant where none is named."""

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
