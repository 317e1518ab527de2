"""The Controller service: requests in, the room's answers out."""

from contextlib import AsyncExitStack

import msgspec

from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Volume
from causeway.cloud.nova import Attachments
from causeway.cloud.session import Cloud
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.rooms.volumes.access import hindrance
from causeway.rooms.volumes.apply import Volumes
from causeway.rooms.volumes.backups import Backups
from causeway.rooms.volumes.health import in_cloud
from causeway.rooms.volumes.model import GIB
from causeway.rooms.volumes.snapshots import Snapshots
from causeway.serve.csi import controller_service, convert, requests
from causeway.serve.csi.claims import Claims
from causeway.serve.csi.codes import to_be_lowered
from causeway.serve.csi.controller_service import Can, ControllerService
from causeway.serve.csi.paging import pages
from causeway.serve.csi.requests import required
from causeway.serve.csi.settings import Common, ControllerSettings
from causeway.serve.csi.snapshot_calls import SnapshotCalls
from causeway.serve.csi.spec import csi_pb2 as csi


def run(settings: ControllerSettings) -> None:
    """Run the controller service until SIGTERM or SIGINT; raises ``Problem``."""

    async def begin(cloud: Cloud, ending: AsyncExitStack) -> Controller:
        claims = Claims(await ending.enter_async_context(Client(discover()))) if settings.claims else None
        cinder = Cinder(cloud)
        volumes = Volumes(cinder, Attachments(cloud), settings.cluster)
        snapshots = Snapshots(cinder, settings.cluster)
        backups = Backups(cinder, snapshots, settings.cluster)
        for each in (snapshots, backups, volumes):
            ending.push_async_callback(each.close)
        return Controller(settings.common, cinder, volumes, snapshots, backups, claims=claims)

    controller_service.run("causeway-csi-controller", settings, begin)


class Controller(SnapshotCalls, ControllerService):
    """The Controller service."""

    capabilities = (
        Can.CREATE_DELETE_VOLUME,
        Can.PUBLISH_UNPUBLISH_VOLUME,
        Can.LIST_VOLUMES,
        Can.LIST_VOLUMES_PUBLISHED_NODES,
        Can.GET_VOLUME,
        Can.GET_VOLUME_HEALTH,
        Can.LIST_VOLUME_HEALTH,
        Can.CREATE_DELETE_SNAPSHOT,
        Can.LIST_SNAPSHOTS,
        Can.GET_SNAPSHOT,
        Can.CLONE_VOLUME,
        Can.EXPAND_VOLUME,
        Can.MODIFY_VOLUME,
        Can.SINGLE_NODE_MULTI_WRITER,
    )

    def __init__(
        self,
        settings: Common,
        cinder: Cinder,
        volumes: Volumes,
        snapshots: Snapshots,
        backups: Backups,
        *,
        claims: Claims | None = None,
    ) -> None:
        super().__init__(cinder, snapshots, backups)
        self._settings = settings
        self._volumes = volumes
        self._claims = claims

    async def create_volume(self, request: csi.CreateVolumeRequest) -> csi.CreateVolumeResponse:
        """Have a volume of the name."""
        wish = convert.wish(request, self._settings)
        if self._claims is not None:
            wish = msgspec.structs.replace(wish, near=await self._claims.near(wish.metadata))
        made = await self._volumes.create(wish)
        options = request.parameters.get(convert.MAKING, "")
        context = {convert.MAKING: options} if options else {}
        return csi.CreateVolumeResponse(volume=convert.volume(made, self._settings, context))

    async def delete_volume(self, request: csi.DeleteVolumeRequest) -> csi.DeleteVolumeResponse:
        """Have no volume of the id."""
        required("volume", volume_id=request.volume_id)
        await self._volumes.delete(request.volume_id)
        return csi.DeleteVolumeResponse()

    async def controller_publish_volume(
        self, request: csi.ControllerPublishVolumeRequest
    ) -> csi.ControllerPublishVolumeResponse:
        """Have the volume at the node."""
        required(
            f"volume {request.volume_id}",
            volume_id=request.volume_id,
            node_id=request.node_id,
            volume_capability=request.HasField("volume_capability"),
        )
        capability = requests.capability(request.volume_capability)
        device = await self._volumes.publish(request.volume_id, request.node_id, capability)
        return csi.ControllerPublishVolumeResponse(publish_context={"DevicePath": device})

    async def controller_unpublish_volume(
        self, request: csi.ControllerUnpublishVolumeRequest
    ) -> csi.ControllerUnpublishVolumeResponse:
        """Have the volume away from the node, or from all."""
        required("volume", volume_id=request.volume_id)
        await self._volumes.unpublish(request.volume_id, request.node_id)
        return csi.ControllerUnpublishVolumeResponse()

    async def validate_volume_capabilities(
        self, request: csi.ValidateVolumeCapabilitiesRequest
    ) -> csi.ValidateVolumeCapabilitiesResponse:
        """Say whether the volume can be used in all these ways."""
        place = f"volume {request.volume_id}"
        required(place, volume_id=request.volume_id, volume_capabilities=request.volume_capabilities)
        it = await self._cinder.get_volume(request.volume_id)
        ways = [requests.capability(each) for each in request.volume_capabilities]
        causes = [found.cause for each in ways if (found := hindrance(each, multiattach=it.multiattach))]
        if causes:
            return csi.ValidateVolumeCapabilitiesResponse(message="; ".join(causes))
        return csi.ValidateVolumeCapabilitiesResponse(
            confirmed=csi.ValidateVolumeCapabilitiesResponse.Confirmed(
                volume_context=request.volume_context,
                volume_capabilities=request.volume_capabilities,
                parameters=request.parameters,
            )
        )

    async def list_volumes(self, request: csi.ListVolumesRequest) -> csi.ListVolumesResponse:
        """Return the project's volumes, or a page of them."""
        found, marker = await self._page(request)
        shown = [
            csi.ListVolumesResponse.Entry(
                volume=convert.volume(each, self._settings),
                status=csi.ListVolumesResponse.VolumeStatus(published_node_ids=each.servers),
            )
            for each in found
        ]
        return csi.ListVolumesResponse(entries=shown, next_token=marker)

    async def controller_list_volume_health(
        self, request: csi.ControllerListVolumeHealthRequest
    ) -> csi.ControllerListVolumeHealthResponse:
        """Return those of the project's volumes with which something is wrong, or of a page of them."""
        found, marker = await self._page(request)
        shown = [convert.health(each.id, ills) for each in found if (ills := in_cloud(each))]
        return csi.ControllerListVolumeHealthResponse(entries=shown, next_token=marker)

    async def controller_get_volume_health(
        self, request: csi.ControllerGetVolumeHealthRequest
    ) -> csi.ControllerGetVolumeHealthResponse:
        """Return what is wrong with one volume in the cloud."""
        required("volume", volume_id=request.volume_id)
        it = await self._cinder.get_volume(request.volume_id)
        return csi.ControllerGetVolumeHealthResponse(volume_health=convert.health(it.id, in_cloud(it)))

    async def controller_get_volume(
        self, request: csi.ControllerGetVolumeRequest
    ) -> csi.ControllerGetVolumeResponse:
        """Return one volume and where it is."""
        required("volume", volume_id=request.volume_id)
        it = await self._cinder.get_volume(request.volume_id)
        return csi.ControllerGetVolumeResponse(
            volume=convert.volume(it, self._settings),
            status=csi.ControllerGetVolumeResponse.VolumeStatus(published_node_ids=it.servers),
        )

    async def controller_expand_volume(
        self, request: csi.ControllerExpandVolumeRequest
    ) -> csi.ControllerExpandVolumeResponse:
        """Have the volume at least that large."""
        place = f"volume {request.volume_id}"
        required(place, volume_id=request.volume_id, capacity_range=request.HasField("capacity_range"))
        with to_be_lowered(place):
            it = await self._volumes.expand(request.volume_id, requests.capacity(request.capacity_range))
        block = request.volume_capability.WhichOneof("access_type") == "block"
        return csi.ControllerExpandVolumeResponse(
            capacity_bytes=it.size * GIB, node_expansion_required=not block
        )

    async def controller_modify_volume(
        self, request: csi.ControllerModifyVolumeRequest
    ) -> csi.ControllerModifyVolumeResponse:
        """Have the volume be as its VolumeAttributesClass says."""
        place = f"volume {request.volume_id}"
        required(place, volume_id=request.volume_id)
        await self._volumes.modify(request.volume_id, convert.mutable_type(request.mutable_parameters, place))
        return csi.ControllerModifyVolumeResponse()

    async def _page(
        self, request: csi.ListVolumesRequest | csi.ControllerListVolumeHealthRequest
    ) -> tuple[list[Volume], str]:
        """Return the project's volumes, or as many as are asked for, and the token to go on with."""
        marker = requests.marker(request, "volumes")
        return await pages(self._cinder.page_of_volumes, request.max_entries, marker, "volumes")
