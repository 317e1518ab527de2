"""Snapshots: taken, deleted and found as ``orders`` does it."""

from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Snapshot
from causeway.engine.storage.orders import PATIENCE, Calls, Orders
from causeway.engine.storage.steps import Step
from causeway.rooms.volumes import creation
from causeway.rooms.volumes.model import Reason, Refused, SnapshotWish, is_ours


class Snapshots(Orders[Snapshot, SnapshotWish]):
    """The snapshots of one cluster's volumes."""

    kind = "snapshot"
    deletable_when = "It is deleted when nothing is made of it any more."

    def __init__(self, cinder: Cinder, cluster: str, *, patience: float = PATIENCE) -> None:
        calls = Calls(
            cinder.get_snapshot,
            cinder.list_snapshots,
            cinder.snapshots_named,
            cinder.delete_snapshot,
            cinder.messages_about,
        )
        super().__init__(cluster, calls, patience)
        self._cinder = cinder

    def _is_ours(self, it: Snapshot) -> bool:
        return is_ours(it.metadata, self._cluster)

    def _judge(self, wish: SnapshotWish, it: Snapshot) -> Step[Snapshot]:
        return creation.judge_snapshot(wish, it)

    async def _order(self, wish: SnapshotWish) -> Snapshot:
        volume = await self._cinder.get_volume(wish.volume_id)
        return await self._cinder.create_snapshot(creation.snapshot_request_for(wish, self._cluster, volume))

    def _failure(self, place: str, told: str) -> Refused:
        cause = told or "Cinder could not take it and gives no reason"
        remedy = "Have the cloud's administrator look at it; it is tried again by itself."
        return Refused(Reason.FAILED, place, cause, remedy)
