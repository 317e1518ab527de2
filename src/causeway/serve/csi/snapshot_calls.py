"""What the Controller service answers about snapshots: some are backups, as their class says.

Kubernetes knows one kind. An id is a snapshot's where Cinder has such a snapshot, else a backup's.
"""

from functools import partial

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.identifiers import is_id
from causeway.rooms.volumes.backups import Backups
from causeway.rooms.volumes.model import BackupWish
from causeway.rooms.volumes.snapshots import Snapshots
from causeway.serve.csi import convert, requests
from causeway.serve.csi.codes import final_without_room
from causeway.serve.csi.paging import pages
from causeway.serve.csi.requests import required
from causeway.serve.csi.spec import csi_pb2 as csi

BACKUPS = "backups"
"""A token of a list that goes on with the first backup, or behind the one whose id follows a slash."""


class SnapshotCalls:
    """The part of the Controller service that is about snapshots and backups."""

    def __init__(self, cinder: Cinder, snapshots: Snapshots, backups: Backups) -> None:
        self._cinder = cinder
        self._snapshots = snapshots
        self._backups = backups

    async def create_snapshot(self, request: csi.CreateSnapshotRequest) -> csi.CreateSnapshotResponse:
        """Have a snapshot of the name, or a backup, which may not be ready yet."""
        wish = convert.snapshot_wish(request)
        with final_without_room(f"snapshot {wish.name}"):
            if isinstance(wish, BackupWish):
                return csi.CreateSnapshotResponse(snapshot=convert.backup(await self._backups.create(wish)))
            return csi.CreateSnapshotResponse(snapshot=convert.snapshot(await self._snapshots.create(wish)))

    async def delete_snapshot(self, request: csi.DeleteSnapshotRequest) -> csi.DeleteSnapshotResponse:
        """Have no snapshot and no backup of the id."""
        required("snapshot", snapshot_id=request.snapshot_id)
        if await self._snapshots.find(request.snapshot_id):
            await self._snapshots.delete(request.snapshot_id)
        else:
            await self._backups.delete(request.snapshot_id)
        return csi.DeleteSnapshotResponse()

    async def get_snapshot(self, request: csi.GetSnapshotRequest) -> csi.GetSnapshotResponse:
        """Return one snapshot or backup."""
        required("snapshot", snapshot_id=request.snapshot_id)
        return csi.GetSnapshotResponse(snapshot=await self._one(request.snapshot_id))

    async def list_snapshots(self, request: csi.ListSnapshotsRequest) -> csi.ListSnapshotsResponse:
        """Return the project's snapshots and backups, those of one volume, one alone, or a page of them."""
        marker = self._marker(request)
        if request.snapshot_id:
            found, marker = await self._alone(request), ""
        elif is_id(request.source_volume_id) or not request.source_volume_id:
            found, marker = await self._taken(request, marker)
        else:
            found, marker = [], ""
        shown = [csi.ListSnapshotsResponse.Entry(snapshot=each) for each in found]
        return csi.ListSnapshotsResponse(entries=shown, next_token=marker)

    async def _one(self, identifier: str) -> csi.Snapshot:
        try:
            return convert.snapshot(await self._cinder.get_snapshot(identifier))
        except errors.NotFound:
            return convert.backup(await self._cinder.get_backup(identifier))

    async def _alone(self, request: csi.ListSnapshotsRequest) -> list[csi.Snapshot]:
        try:
            found = await self._one(request.snapshot_id)
        except errors.NotFound:
            return []
        return [found] if request.source_volume_id in ("", found.source_volume_id) else []

    def _marker(self, request: csi.ListSnapshotsRequest) -> str:
        kind, _, behind = request.starting_token.partition("/")
        if kind != BACKUPS:
            return requests.marker(request, "snapshots")
        if behind and not is_id(behind):
            raise requests.stale("snapshots")
        return request.starting_token

    async def _taken(self, request: csi.ListSnapshotsRequest, marker: str) -> tuple[list[csi.Snapshot], str]:
        """Return snapshots and then backups, as many as are asked for, and the token to go on with."""
        most, volume = request.max_entries, request.source_volume_id
        found: list[csi.Snapshot] = []
        kind, _, behind = marker.partition("/")
        if kind != BACKUPS:
            ask = partial(self._cinder.page_of_snapshots, volume_id=volume)
            taken, marker = await pages(ask, most, marker, "snapshots")
            found += map(convert.snapshot, taken)
            if marker or len(found) == most > 0:
                return found, marker or BACKUPS
        left = most and most - len(found)
        behind_it = partial(self._cinder.page_of_backups, volume_id=volume)
        made, marker = await pages(behind_it, left, behind, "snapshots")
        return found + [convert.backup(each) for each in made], f"{BACKUPS}/{marker}" if marker else ""
