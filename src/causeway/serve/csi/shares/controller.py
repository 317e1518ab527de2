"""The Controller service for shares: requests in, the room's answers out."""

from contextlib import AsyncExitStack
from typing import Any, TypeVar

from causeway.cloud.manila import Manila
from causeway.cloud.manila_objects import Share, ShareSnapshot
from causeway.cloud.nova import Addresses
from causeway.cloud.session import Cloud
from causeway.engine.storage.model import GIB
from causeway.rooms.shares.apply import Shares
from causeway.rooms.shares.snapshots import ShareSnapshots
from causeway.serve.csi import controller_service, requests
from causeway.serve.csi.codes import final_without_room, to_be_lowered
from causeway.serve.csi.controller_service import Can, ControllerService
from causeway.serve.csi.requests import required
from causeway.serve.csi.settings import Common, ControllerSettings
from causeway.serve.csi.shares import convert
from causeway.serve.csi.spec import csi_pb2 as csi

_Listed = TypeVar("_Listed", Share, ShareSnapshot)


def run(settings: ControllerSettings) -> None:
    """Run the controller service until SIGTERM or SIGINT; raises ``Problem``."""

    async def begin(cloud: Cloud, ending: AsyncExitStack) -> Controller:
        manila = Manila(cloud)
        shares = Shares(manila, Addresses(cloud), settings.cluster)
        snapshots = ShareSnapshots(manila, settings.cluster)
        for each in (snapshots, shares):
            ending.push_async_callback(each.close)
        return Controller(settings.common, manila, shares, snapshots)

    controller_service.run("causeway-csi-shares-controller", settings, begin)


class Controller(ControllerService):
    """The Controller service."""

    capabilities = (
        Can.CREATE_DELETE_VOLUME,
        Can.PUBLISH_UNPUBLISH_VOLUME,
        Can.LIST_VOLUMES,
        Can.GET_VOLUME,
        Can.CREATE_DELETE_SNAPSHOT,
        Can.LIST_SNAPSHOTS,
        Can.GET_SNAPSHOT,
        Can.EXPAND_VOLUME,
        Can.SINGLE_NODE_MULTI_WRITER,
    )

    def __init__(self, settings: Common, manila: Manila, shares: Shares, snapshots: ShareSnapshots) -> None:
        self._settings = settings
        self._manila = manila
        self._shares = shares
        self._snapshots = snapshots

    async def create_volume(self, request: csi.CreateVolumeRequest) -> csi.CreateVolumeResponse:
        """Have a share of the name."""
        made = await self._shares.create(convert.wish(request, self._settings))
        context = convert.volume_context(made, request.parameters)
        reached = convert.topology(request, made, self._settings)
        return csi.CreateVolumeResponse(volume=convert.volume(made, context, reached))

    async def delete_volume(self, request: csi.DeleteVolumeRequest) -> csi.DeleteVolumeResponse:
        """Have no share of the id."""
        required("share", volume_id=request.volume_id)
        await self._shares.delete(request.volume_id)
        return csi.DeleteVolumeResponse()

    async def controller_publish_volume(
        self, request: csi.ControllerPublishVolumeRequest
    ) -> csi.ControllerPublishVolumeResponse:
        """Have the share open to the node."""
        place = f"share {request.volume_id}"
        required(
            place,
            volume_id=request.volume_id,
            node_id=request.node_id,
            volume_capability=request.HasField("volume_capability"),
        )
        convert.require_usable([requests.capability(request.volume_capability)], place)
        context = request.volume_context
        entry = await self._shares.publish(
            request.volume_id, request.node_id, convert.clients(context), share=convert.named(context)
        )
        return csi.ControllerPublishVolumeResponse(publish_context=convert.entry(entry))

    async def controller_unpublish_volume(
        self, request: csi.ControllerUnpublishVolumeRequest
    ) -> csi.ControllerUnpublishVolumeResponse:
        """Have the share closed to the node, or to all."""
        required("share", volume_id=request.volume_id)
        await self._shares.unpublish(request.volume_id, request.node_id)
        return csi.ControllerUnpublishVolumeResponse()

    async def validate_volume_capabilities(
        self, request: csi.ValidateVolumeCapabilitiesRequest
    ) -> csi.ValidateVolumeCapabilitiesResponse:
        """Say whether the share can be used in all these ways."""
        place = f"share {request.volume_id}"
        required(place, volume_id=request.volume_id, volume_capabilities=request.volume_capabilities)
        await self._shares.find(convert.named(request.volume_context) or request.volume_id)
        ways = [requests.capability(each) for each in request.volume_capabilities]
        if causes := [cause for each in ways if (cause := convert.why_not(each))]:
            return csi.ValidateVolumeCapabilitiesResponse(message="; ".join(causes))
        return csi.ValidateVolumeCapabilitiesResponse(
            confirmed=csi.ValidateVolumeCapabilitiesResponse.Confirmed(
                volume_context=request.volume_context,
                volume_capabilities=request.volume_capabilities,
                parameters=request.parameters,
            )
        )

    async def list_volumes(self, request: csi.ListVolumesRequest) -> csi.ListVolumesResponse:
        """Return the project's shares, or a page of them."""
        page, token = _page(request, "shares", await self._manila.list_shares())
        shown = [csi.ListVolumesResponse.Entry(volume=convert.volume(each, {})) for each in page]
        return csi.ListVolumesResponse(entries=shown, next_token=token)

    async def controller_get_volume(
        self, request: csi.ControllerGetVolumeRequest
    ) -> csi.ControllerGetVolumeResponse:
        """Return one share."""
        required("share", volume_id=request.volume_id)
        it = await self._shares.find(request.volume_id)
        status = csi.ControllerGetVolumeResponse.VolumeStatus()
        return csi.ControllerGetVolumeResponse(volume=convert.volume(it, {}), status=status)

    async def controller_expand_volume(
        self, request: csi.ControllerExpandVolumeRequest
    ) -> csi.ControllerExpandVolumeResponse:
        """Have the share at least that large; nodes have nothing to do for it."""
        place = f"share {request.volume_id}"
        required(place, volume_id=request.volume_id, capacity_range=request.HasField("capacity_range"))
        with to_be_lowered(place):
            it = await self._shares.expand(request.volume_id, requests.capacity(request.capacity_range))
        return csi.ControllerExpandVolumeResponse(capacity_bytes=it.size * GIB)

    async def create_snapshot(self, request: csi.CreateSnapshotRequest) -> csi.CreateSnapshotResponse:
        """Have a snapshot of the name."""
        wish = convert.snapshot_wish(request)
        with final_without_room(f"snapshot {wish.name}"):
            taken = await self._snapshots.create(wish)
        return csi.CreateSnapshotResponse(snapshot=convert.snapshot(taken))

    async def delete_snapshot(self, request: csi.DeleteSnapshotRequest) -> csi.DeleteSnapshotResponse:
        """Have no snapshot of the id."""
        required("snapshot", snapshot_id=request.snapshot_id)
        await self._snapshots.delete(request.snapshot_id)
        return csi.DeleteSnapshotResponse()

    async def get_snapshot(self, request: csi.GetSnapshotRequest) -> csi.GetSnapshotResponse:
        """Return one snapshot."""
        required("snapshot", snapshot_id=request.snapshot_id)
        it = await self._manila.get_snapshot(request.snapshot_id)
        return csi.GetSnapshotResponse(snapshot=convert.snapshot(it))

    async def list_snapshots(self, request: csi.ListSnapshotsRequest) -> csi.ListSnapshotsResponse:
        """Return the project's snapshots, those of one share, one alone, or a page of them."""
        found = [
            each
            for each in await self._manila.list_snapshots()
            if request.snapshot_id in ("", each.id) and request.source_volume_id in ("", each.share_id)
        ]
        page, token = _page(request, "snapshots", found)
        shown = [csi.ListSnapshotsResponse.Entry(snapshot=convert.snapshot(each)) for each in page]
        return csi.ListSnapshotsResponse(entries=shown, next_token=token)


def _page(request: Any, what: str, found: list[_Listed]) -> tuple[list[_Listed], str]:
    """Return what is asked for of a list, and the token to go on with; raises ``Refused``.

    Manila's own pages are counted from the beginning, so that one may be left out when another goes. In the
    order of ids the page after the last one that was seen is always the right one.
    """
    behind = requests.marker(request, what)
    rest = sorted((each for each in found if each.id > behind), key=lambda it: it.id)
    page = rest[: request.max_entries or len(rest)]
    return page, page[-1].id if len(page) < len(rest) else ""
