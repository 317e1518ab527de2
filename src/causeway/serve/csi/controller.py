"""The Controller service: requests in, the room's answers out."""

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Snapshot, Volume
from causeway.cloud.identifiers import is_id
from causeway.cloud.nova import Attachments
from causeway.cloud.session import Cloud
from causeway.rooms.volumes.access import why_not
from causeway.rooms.volumes.apply import Volumes
from causeway.rooms.volumes.model import GIB
from causeway.rooms.volumes.snapshots import Snapshots
from causeway.serve.csi import controller_service, convert, requests
from causeway.serve.csi.controller_service import Can, ControllerService, Working
from causeway.serve.csi.requests import required
from causeway.serve.csi.settings import Common, ControllerSettings
from causeway.serve.csi.spec import csi_pb2 as csi

_PAGE = 1000  # what Cinder gives at most, unless its administrators chose less


def run(settings: ControllerSettings) -> None:
    """Run the controller service until SIGTERM or SIGINT; raises ``Problem``."""

    def begin(cloud: Cloud) -> Working:
        cinder = Cinder(cloud)
        volumes = Volumes(cinder, Attachments(cloud), settings.cluster)
        snapshots = Snapshots(cinder, settings.cluster)
        return Working(Controller(settings.common, cinder, volumes, snapshots), (volumes, snapshots))

    controller_service.run("causeway-csi-controller", settings, begin)


class Controller(ControllerService):
    """The Controller service."""

    capabilities = (
        Can.CREATE_DELETE_VOLUME,
        Can.PUBLISH_UNPUBLISH_VOLUME,
        Can.LIST_VOLUMES,
        Can.LIST_VOLUMES_PUBLISHED_NODES,
        Can.GET_VOLUME,
        Can.CREATE_DELETE_SNAPSHOT,
        Can.LIST_SNAPSHOTS,
        Can.GET_SNAPSHOT,
        Can.CLONE_VOLUME,
        Can.EXPAND_VOLUME,
        Can.MODIFY_VOLUME,
        Can.SINGLE_NODE_MULTI_WRITER,
    )

    def __init__(self, settings: Common, cinder: Cinder, volumes: Volumes, snapshots: Snapshots) -> None:
        self._settings = settings
        self._cinder = cinder
        self._volumes = volumes
        self._snapshots = snapshots

    async def create_volume(self, request: csi.CreateVolumeRequest) -> csi.CreateVolumeResponse:
        """Have a volume of the name."""
        made = await self._volumes.create(convert.wish(request, self._settings))
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
        causes = [cause for each in ways if (cause := why_not(each, multiattach=it.multiattach))]
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
        marker = requests.marker(request, "volumes")
        found: list[Volume] = []
        while True:
            try:
                page, marker = await self._cinder.page_of_volumes(request.max_entries or _PAGE, marker)
            except errors.NotFound as error:
                raise requests.stale("volumes") from error
            found += page
            if request.max_entries or not marker:
                break
        shown = [
            csi.ListVolumesResponse.Entry(
                volume=convert.volume(each, self._settings),
                status=csi.ListVolumesResponse.VolumeStatus(published_node_ids=each.servers),
            )
            for each in found
        ]
        return csi.ListVolumesResponse(entries=shown, next_token=marker)

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

    async def create_snapshot(self, request: csi.CreateSnapshotRequest) -> csi.CreateSnapshotResponse:
        """Have a snapshot of the name."""
        taken = await self._snapshots.create(convert.snapshot_wish(request))
        return csi.CreateSnapshotResponse(snapshot=convert.snapshot(taken))

    async def delete_snapshot(self, request: csi.DeleteSnapshotRequest) -> csi.DeleteSnapshotResponse:
        """Have no snapshot of the id."""
        required("snapshot", snapshot_id=request.snapshot_id)
        await self._snapshots.delete(request.snapshot_id)
        return csi.DeleteSnapshotResponse()

    async def get_snapshot(self, request: csi.GetSnapshotRequest) -> csi.GetSnapshotResponse:
        """Return one snapshot."""
        required("snapshot", snapshot_id=request.snapshot_id)
        it = await self._cinder.get_snapshot(request.snapshot_id)
        return csi.GetSnapshotResponse(snapshot=convert.snapshot(it))

    async def list_snapshots(self, request: csi.ListSnapshotsRequest) -> csi.ListSnapshotsResponse:
        """Return the project's snapshots, those of one volume, one alone, or a page of them."""
        marker = requests.marker(request, "snapshots")
        found: list[Snapshot] = []
        if request.snapshot_id:
            try:
                found = [await self._cinder.get_snapshot(request.snapshot_id)]
            except errors.NotFound:
                found = []
            if request.source_volume_id:
                found = [each for each in found if each.volume_id == request.source_volume_id]
            marker = ""
        elif is_id(request.source_volume_id) or not request.source_volume_id:
            while True:
                try:
                    page, marker = await self._cinder.page_of_snapshots(
                        request.max_entries or _PAGE, marker, request.source_volume_id
                    )
                except errors.NotFound as error:
                    raise requests.stale("snapshots") from error
                found += page
                if request.max_entries or not marker:
                    break
        shown = [csi.ListSnapshotsResponse.Entry(snapshot=convert.snapshot(each)) for each in found]
        return csi.ListSnapshotsResponse(entries=shown, next_token=marker)
