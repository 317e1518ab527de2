"""The Node service: requests in, the machine's answers out. What touches the machine runs in a thread."""

import asyncio
import shlex
from pathlib import Path

import structlog

from causeway.host.instance import Instance
from causeway.rooms.volumes import mounting
from causeway.rooms.volumes.access import require_usable
from causeway.rooms.volumes.model import Reason, Refused
from causeway.rooms.volumes.node import NodeVolumes
from causeway.serve.csi import convert, requests, server
from causeway.serve.csi.node_service import Can, NodeService, serve
from causeway.serve.csi.requests import required
from causeway.serve.csi.settings import Common, NodeSettings
from causeway.serve.csi.spec import csi_pb2 as csi

log = structlog.get_logger()


def run(settings: NodeSettings) -> None:
    """Run the node service until SIGTERM or SIGINT; raises ``Problem``."""
    server.run("causeway-csi-node", _serve(settings))


async def _serve(settings: NodeSettings) -> None:
    instance = await asyncio.to_thread(settings.server)
    volumes = NodeVolumes(settings.root)
    # Now, before the kubelet knows of it: it has nothing mounted meanwhile.
    limit = await asyncio.to_thread(volumes.room) if settings.limit is None else settings.limit
    log.info("node", server=instance.id, zone=instance.zone, limit=limit)
    await serve(settings, Node(settings.common, volumes, instance, limit))


class Node(NodeService):
    """The Node service."""

    capabilities = (
        Can.STAGE_UNSTAGE_VOLUME,
        Can.EXPAND_VOLUME,
        Can.GET_VOLUME_STATS,
        Can.GET_VOLUME_HEALTH,
        Can.SINGLE_NODE_MULTI_WRITER,
    )

    def __init__(self, settings: Common, volumes: NodeVolumes, instance: Instance, limit: int) -> None:
        super().__init__(settings, volumes, instance, limit)
        self._volumes = volumes

    async def node_stage_volume(self, request: csi.NodeStageVolumeRequest) -> csi.NodeStageVolumeResponse:
        """Have the volume's file system mounted once on this node."""
        required(
            f"volume {request.volume_id}",
            volume_id=request.volume_id,
            staging_target_path=request.staging_target_path,
            volume_capability=request.HasField("volume_capability"),
        )
        capability = requests.capability(request.volume_capability)
        require_usable([capability], f"volume {request.volume_id}", multiattach=True, there=True)
        await asyncio.to_thread(
            self._volumes.stage,
            request.volume_id,
            Path(request.staging_target_path),
            capability,
            list(request.volume_capability.mount.mount_flags),
            _words(request.volume_context.get(convert.MAKING, ""), f"volume {request.volume_id}"),
        )
        return csi.NodeStageVolumeResponse()

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

    async def node_get_volume_health(
        self, request: csi.NodeGetVolumeHealthRequest
    ) -> csi.NodeGetVolumeHealthResponse:
        """Return what is wrong with the volume on this node."""
        required("volume", volume_id=request.volume_id)
        paths = [Path(each) for each in (request.staging_target_path, request.volume_publish_path) if each]
        found = await asyncio.to_thread(self._volumes.ills, request.volume_id, paths)
        return csi.NodeGetVolumeHealthResponse(volume_health=convert.health(request.volume_id, found))

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


def _words(options: str, place: str) -> list[str]:
    """Return options of mkfs as the words they are, quoted as a shell has it; raises ``Refused``."""
    try:
        return shlex.split(options)
    except ValueError as error:
        cause = f"{convert.MAKING} {options!r} cannot be read: {error}"
        raise Refused(Reason.INVALID, place, cause, mounting.MAKING) from error
