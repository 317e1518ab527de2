"""The Node service for shares: requests in, the machine's answers out."""

import asyncio
from pathlib import Path

import structlog

from causeway.host.instance import Instance
from causeway.rooms.shares.mounting import Options
from causeway.rooms.shares.node import NodeShares
from causeway.serve.csi import requests, server
from causeway.serve.csi.node_service import Can, NodeService, serve
from causeway.serve.csi.requests import required
from causeway.serve.csi.settings import Common, NodeSettings
from causeway.serve.csi.shares import convert
from causeway.serve.csi.spec import csi_pb2 as csi

log = structlog.get_logger()


def run(settings: NodeSettings) -> None:
    """Run the node service until SIGTERM or SIGINT; raises ``Problem``."""
    server.run("causeway-csi-shares-node", _serve(settings))


async def _serve(settings: NodeSettings) -> None:
    instance = await asyncio.to_thread(settings.server)
    log.info("node", server=instance.id, zone=instance.zone)
    shares = NodeShares(in_pod=settings.registration is not None)
    await serve(settings, Node(settings.common, shares, instance))


class Node(NodeService):
    """The Node service."""

    capabilities = (Can.STAGE_UNSTAGE_VOLUME, Can.GET_VOLUME_STATS, Can.SINGLE_NODE_MULTI_WRITER)

    def __init__(self, settings: Common, shares: NodeShares, instance: Instance) -> None:
        super().__init__(settings, shares, instance, 0)
        self._shares = shares

    async def node_stage_volume(self, request: csi.NodeStageVolumeRequest) -> csi.NodeStageVolumeResponse:
        """Have the share mounted once on this node."""
        place = f"share {request.volume_id}"
        required(
            place,
            volume_id=request.volume_id,
            staging_target_path=request.staging_target_path,
            volume_capability=request.HasField("volume_capability"),
        )
        way = requests.capability(request.volume_capability)
        convert.require_usable([way], place)
        await asyncio.to_thread(
            self._shares.stage,
            request.volume_id,
            Path(request.staging_target_path),
            convert.entry_from(request.publish_context, place),
            _options(request, reads_only=way.reads_only),
        )
        return csi.NodeStageVolumeResponse()

    async def node_publish_volume(
        self, request: csi.NodePublishVolumeRequest
    ) -> csi.NodePublishVolumeResponse:
        """Have the share at a pod's path."""
        place = f"share {request.volume_id}"
        required(
            place,
            volume_id=request.volume_id,
            target_path=request.target_path,
            volume_capability=request.HasField("volume_capability"),
            staging_target_path=request.staging_target_path,
        )
        way = requests.capability(request.volume_capability)
        convert.require_usable([way], place)
        await asyncio.to_thread(
            self._shares.publish,
            request.volume_id,
            Path(request.staging_target_path),
            Path(request.target_path),
            convert.entry_from(request.publish_context, place),
            _options(request, reads_only=way.reads_only),
            read_only=request.readonly or way.reads_only,
            alone=way.alone,
        )
        return csi.NodePublishVolumeResponse()


def _options(
    request: csi.NodeStageVolumeRequest | csi.NodePublishVolumeRequest, *, reads_only: bool
) -> Options:
    context = request.volume_context
    return Options(
        mounter=context.get(convert.MOUNTER, ""),
        kernel=convert.several(context.get(convert.KERNEL_OPTIONS, "")),
        fuse=convert.several(context.get(convert.FUSE_OPTIONS, "")),
        flags=tuple(request.volume_capability.mount.mount_flags),
        read_only=reads_only,
    )
