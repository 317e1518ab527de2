"""Snapshots: taken, deleted and found as ``orders`` does it."""

from causeway.cloud.manila import Manila
from causeway.cloud.manila_objects import ShareSnapshot
from causeway.engine.storage.model import Reason, Refused
from causeway.engine.storage.orders import PATIENCE, Calls, Orders
from causeway.engine.storage.steps import Step
from causeway.rooms.shares import creation
from causeway.rooms.shares.model import SnapshotWish, is_our_snapshot, is_snapshot_of_before


class ShareSnapshots(Orders[ShareSnapshot, SnapshotWish]):
    """The snapshots of one cluster's shares."""

    kind = "snapshot"
    deletable_when = "It is deleted when no share is being made of it any more."

    def __init__(self, manila: Manila, cluster: str, *, patience: float = PATIENCE) -> None:
        calls = Calls(
            manila.get_snapshot,
            manila.list_snapshots,
            manila.snapshots_named,
            manila.delete_snapshot,
            manila.messages_about,
        )
        super().__init__(cluster, calls, patience)
        self._manila = manila

    def _is_ours(self, it: ShareSnapshot) -> bool:
        return is_our_snapshot(it, self._cluster)

    async def _ours(self, wish: SnapshotWish) -> list[ShareSnapshot]:
        # Kubernetes has its id already, and asks whether it is ready: a second one would be nobody's.
        named = await self._named.of(wish.name)
        return [each for each in named if self._is_ours(each) or is_snapshot_of_before(each, wish)]

    def _judge(self, wish: SnapshotWish, it: ShareSnapshot) -> Step[ShareSnapshot]:
        return creation.judge_snapshot(wish, it)

    async def _order(self, wish: SnapshotWish) -> ShareSnapshot:
        share = await self._manila.get_share(wish.share_id)
        request = creation.snapshot_request_for(wish, self._cluster, share)
        return await self._manila.create_snapshot(request)

    def _failure(self, place: str, told: str) -> Refused:
        cause = told or "Manila could not take it and gives no reason"
        remedy = "Have the cloud's administrator look at it; it is tried again by itself."
        return Refused(Reason.FAILED, place, cause, remedy)
