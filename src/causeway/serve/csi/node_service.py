"""What the Node services of all drivers have in common. What touches the machine runs in a thread."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import structlog

from causeway.engine.storage.node import NodeStorage
from causeway.host.instance import Instance
from causeway.serve.csi import server
from causeway.serve.csi.registration import registered
from causeway.serve.csi.requests import required
from causeway.serve.csi.settings import Common, NodeSettings
from causeway.serve.csi.spec import csi_pb2 as csi

log = structlog.get_logger()

Can = csi.NodeServiceCapability.RPC


async def serve(settings: NodeSettings, node: "NodeService") -> None:
    """Serve a node service, known to the kubelet where the settings say how, until SIGTERM or SIGINT."""
    known = None
    if settings.registration is not None:
        known = registered(settings.common, settings.registration)
        # The kubelet's directory of this driver is the driver's own to make.
        Path(settings.common.endpoint.removeprefix("unix://")).parent.mkdir(parents=True, exist_ok=True)
    await server.serve(settings.common, known, Node=node)


class NodeService:
    """A Node service above the ``storage`` of its machine, which takes ``limit`` volumes (0: any number)."""

    capabilities: ClassVar[Sequence[csi.NodeServiceCapability.RPC.Type]]

    def __init__(self, settings: Common, storage: NodeStorage, instance: Instance, limit: int) -> None:
        self._settings = settings
        self._storage = storage
        self._instance = instance
        self._limit = limit

    async def node_get_capabilities(
        self, _: csi.NodeGetCapabilitiesRequest
    ) -> csi.NodeGetCapabilitiesResponse:
        """Return what the node can do."""
        return csi.NodeGetCapabilitiesResponse(
            capabilities=[csi.NodeServiceCapability(rpc=Can(type=each)) for each in self.capabilities]
        )

    async def node_get_info(self, _: csi.NodeGetInfoRequest) -> csi.NodeGetInfoResponse:
        """Return which server this is, where, and how many volumes it can take."""
        info = csi.NodeGetInfoResponse(node_id=self._instance.id, max_volumes_per_node=self._limit)
        if self._settings.zones and self._instance.zone:
            info.accessible_topology.segments[self._settings.topology_key] = self._instance.zone
        return info

    async def node_unstage_volume(
        self, request: csi.NodeUnstageVolumeRequest
    ) -> csi.NodeUnstageVolumeResponse:
        """Have the volume's file system not mounted."""
        required("volume", volume_id=request.volume_id, staging_target_path=request.staging_target_path)
        await asyncio.to_thread(self._storage.unstage, request.volume_id, Path(request.staging_target_path))
        return csi.NodeUnstageVolumeResponse()

    async def node_unpublish_volume(
        self, request: csi.NodeUnpublishVolumeRequest
    ) -> csi.NodeUnpublishVolumeResponse:
        """Have nothing at a pod's path."""
        required("volume", volume_id=request.volume_id, target_path=request.target_path)
        await asyncio.to_thread(self._storage.unpublish, request.volume_id, Path(request.target_path))
        return csi.NodeUnpublishVolumeResponse()

    async def node_get_volume_stats(
        self, request: csi.NodeGetVolumeStatsRequest
    ) -> csi.NodeGetVolumeStatsResponse:
        """Return how full the volume is."""
        required("volume", volume_id=request.volume_id, volume_path=request.volume_path)
        usage = await asyncio.to_thread(self._storage.usage, request.volume_id, Path(request.volume_path))
        shown = [
            csi.VolumeUsage(
                total=usage.total,
                available=usage.available,
                used=usage.used,
                unit=csi.VolumeUsage.BYTES,
            )
        ]
        if usage.inodes:
            total, available, used = usage.inodes
            shown.append(
                csi.VolumeUsage(total=total, available=available, used=used, unit=csi.VolumeUsage.INODES)
            )
        return csi.NodeGetVolumeStatsResponse(usage=shown)
