"""The Node service: requests in, the machine's answers out. What touches the machine runs in a thread."""

import asyncio
import shlex
from pathlib import Path

import structlog

from causeway.host.instance import Instance
from causeway.rooms.volumes.access import why_not
from causeway.rooms.volumes.model import Reason, Refused
from causeway.rooms.volumes.node import NodeVolumes
from causeway.serve.csi import convert, requests, server
from causeway.serve.csi.registration import registered
from causeway.serve.csi.requests import required
from causeway.serve.csi.settings import Common, NodeSettings
from causeway.serve.csi.spec import csi_pb2 as csi

log = structlog.get_logger()

_Can = csi.NodeServiceCapability.RPC
CAPABILITIES = (
    _Can.STAGE_UNSTAGE_VOLUME,
    _Can.EXPAND_VOLUME,
    _Can.GET_VOLUME_STATS,
    _Can.SINGLE_NODE_MULTI_WRITER,
)


def run(settings: NodeSettings) -> None:
    """Run the node service until SIGTERM or SIGINT; raises ``Problem``."""
    server.run("causeway-csi-node", _serve(settings))


async def _serve(settings: NodeSettings) -> None:
    instance, limit = await asyncio.to_thread(settings.found)
    log.info("node", server=instance.id, zone=instance.zone, limit=limit)
    node = Node(settings.common, NodeVolumes(settings.root), instance, limit)
    known = None
    if settings.registration is not None:
        known = registered(settings.common, settings.registration)
        # The kubelet's directory of this driver is the driver's own to make.
        Path(settings.common.endpoint.removeprefix("unix://")).parent.mkdir(parents=True, exist_ok=True)
    await server.serve(settings.common, known, Node=node)


class Node:
    """The Node service."""

    def __init__(self, settings: Common, volumes: NodeVolumes, instance: Instance, limit: int) -> None:
        self._settings = settings
        self._volumes = volumes
        self._instance = instance
        self._limit = limit

    async def node_get_capabilities(
        self, _: csi.NodeGetCapabilitiesRequest
    ) -> csi.NodeGetCapabilitiesResponse:
        """Return what the node can do."""
        return csi.NodeGetCapabilitiesResponse(
            capabilities=[csi.NodeServiceCapability(rpc=_Can(type=each)) for each in CAPABILITIES]
        )

    async def node_get_info(self, _: csi.NodeGetInfoRequest) -> csi.NodeGetInfoResponse:
        """Return which server this is, where, and how many volumes it can take."""
        info = csi.NodeGetInfoResponse(node_id=self._instance.id, max_volumes_per_node=self._limit)
        if self._settings.zones and self._instance.zone:
            info.accessible_topology.segments[self._settings.topology_key] = self._instance.zone
        return info

    async def node_stage_volume(self, request: csi.NodeStageVolumeRequest) -> csi.NodeStageVolumeResponse:
        """Have the volume's file system mounted once on this node."""
        required(
            f"volume {request.volume_id}",
            volume_id=request.volume_id,
            staging_target_path=request.staging_target_path,
            volume_capability=request.HasField("volume_capability"),
        )
        capability = requests.capability(request.volume_capability)
        if cause := why_not(capability, multiattach=True):
            raise Refused(Reason.INVALID, f"volume {request.volume_id}", cause, "Ask for another way.")
        await asyncio.to_thread(
            self._volumes.stage,
            request.volume_id,
            Path(request.staging_target_path),
            capability,
            list(request.volume_capability.mount.mount_flags),
            shlex.split(request.volume_context.get(convert.MAKING, "")),
        )
        return csi.NodeStageVolumeResponse()

    async def node_unstage_volume(
        self, request: csi.NodeUnstageVolumeRequest
    ) -> csi.NodeUnstageVolumeResponse:
        """Have the volume's file system not mounted."""
        required("volume", volume_id=request.volume_id, staging_target_path=request.staging_target_path)
        await asyncio.to_thread(self._volumes.unstage, request.volume_id, Path(request.staging_target_path))
        return csi.NodeUnstageVolumeResponse()

    async def node_publish_volume(
        self, request: csi.NodePublishVolumeRequest
    ) -> csi.NodePublishVolumeResponse:
        """Have the volume at a pod's path."""
        required(
            f"volume {request.volume_id}",
            volume_id=request.volume_id,
            target_path=request.target_path,
            volume_capability=request.HasField("volume_capability"),
            staging_target_path=request.staging_target_path,
        )
        capability = requests.capability(request.volume_capability)
        await asyncio.to_thread(
            self._volumes.publish,
            request.volume_id,
            Path(request.staging_target_path),
            Path(request.target_path),
            capability,
            read_only=request.readonly or capability.reads_only,
        )
        return csi.NodePublishVolumeResponse()

    async def node_unpublish_volume(
        self, request: csi.NodeUnpublishVolumeRequest
    ) -> csi.NodeUnpublishVolumeResponse:
        """Have nothing at a pod's path."""
        required("volume", volume_id=request.volume_id, target_path=request.target_path)
        await asyncio.to_thread(self._volumes.unpublish, request.volume_id, Path(request.target_path))
        return csi.NodeUnpublishVolumeResponse()

    async def node_get_volume_stats(
        self, request: csi.NodeGetVolumeStatsRequest
    ) -> csi.NodeGetVolumeStatsResponse:
        """Return how full the volume is."""
        required("volume", volume_id=request.volume_id, volume_path=request.volume_path)
        usage = await asyncio.to_thread(self._volumes.usage, request.volume_id, Path(request.volume_path))
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

    async def node_expand_volume(self, request: csi.NodeExpandVolumeRequest) -> csi.NodeExpandVolumeResponse:
        """Have the file system as large as its volume."""
        required("volume", volume_id=request.volume_id, volume_path=request.volume_path)
        size = await asyncio.to_thread(
            self._volumes.expand,
            request.volume_id,
            Path(request.volume_path),
            request.capacity_range.required_bytes,
        )
        return csi.NodeExpandVolumeResponse(capacity_bytes=size)
