"""Backups: snapshots that are brought out of the volumes' storage, where they outlive the volume.

A backup is made of a snapshot that is taken for it and goes when it is there: so what is in it is of one
moment, and the volume can be used meanwhile, however long it takes. The snapshot has the backup's name: who
goes on with what another was killed at finds it, and it is gone before the backup is told to be ready.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Backup
from causeway.engine.storage.orders import PATIENCE, Calls, Orders
from causeway.engine.storage.steps import COMING, Step
from causeway.rooms.volumes import creation
from causeway.rooms.volumes.model import BackupWish, Reason, Refused, is_ours
from causeway.rooms.volumes.snapshots import Snapshots

_FINAL = (errors.BadRequest, errors.Forbidden, errors.MissingService, errors.NotFound, errors.Quota)
"""Refusals of an order after which nothing of it can be there."""


class Backups(Orders[Backup, BackupWish]):
    """The backups of one cluster's volumes; what they are made of are ``snapshots`` of the same cluster."""

    kind = "backup"
    waits = False
    deletable_when = "Delete the backups that build on it first; look at its status."

    def __init__(
        self,
        cinder: Cinder,
        snapshots: Snapshots,
        cluster: str,
        *,
        patience: float = PATIENCE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        async def told(identifier: str) -> list[str]:
            reason = (await cinder.get_backup(identifier)).fail_reason
            return [*([reason] if reason else []), *await cinder.messages_about(identifier)]

        calls = Calls(
            cinder.get_backup, cinder.list_backups, cinder.backups_named, cinder.delete_backup, told
        )
        super().__init__(cluster, calls, patience)
        self._cinder = cinder
        self._snapshots = snapshots
        self._now = now

    async def _create(self, wish: BackupWish) -> Backup:
        """Return the backup, begun if there is none: it may be on its way still."""
        backup = await super()._create(wish)
        if backup.status in COMING:
            begun = datetime.fromisoformat(backup.created_at).replace(tzinfo=UTC)
            creation.require_in_time(wish, backup, (self._now() - begun).total_seconds())
        else:
            await self._forget_snapshot(backup)
        return backup

    def _is_ours(self, it: Backup) -> bool:
        return is_ours(it.metadata, self._cluster)

    def _judge(self, wish: BackupWish, it: Backup) -> Step[Backup]:
        return creation.judge_backup(wish, it)

    async def _order(self, wish: BackupWish) -> Backup:
        snapshot = await self._snapshots.create(wish.snapshot)
        try:
            return await self._cinder.create_backup(
                creation.backup_request_for(wish, self._cluster, snapshot)
            )
        except _FINAL as error:
            # Cinder takes one order at a time for a snapshot: one whose answer was lost may be under way.
            if (await self._cinder.get_snapshot(snapshot.id)).status != "available":
                cause = "a backup of its snapshot is on its way"
                raise Refused(
                    Reason.PENDING, f"backup {wish.name}", cause, "It is gone on with by itself."
                ) from error
            await self._snapshots.delete(snapshot.id)
            raise

    async def _discard(self, it: Backup, place: str, _until: float, *, tell: bool) -> None:
        # Told each time it is asked for, and not made again: Kubernetes has its id and takes no other.
        await self._forget_snapshot(it)
        told = await self._calls.told(it.id) if tell else []
        raise self._failure(place, told[0].rstrip(".") if told else "")

    async def _delete(self, identifier: str) -> None:
        it = await self._found(identifier)
        if it is None:
            return
        if _at_work(it):
            it = await self._wait(identifier, lambda seen: seen is None or not _at_work(seen), self._until())
        if it is not None:
            await self._forget_snapshot(it)  # first: nothing but the backup tells of it
            await super()._delete(identifier)

    async def _forget_snapshot(self, backup: Backup) -> None:
        """Have the snapshot gone that was taken for a backup, and for nothing else."""
        if not backup.snapshot_id:
            return
        snapshot = await self._snapshots.find(backup.snapshot_id)
        if snapshot and snapshot.name == backup.name and is_ours(snapshot.metadata, self._cluster):
            await self._snapshots.delete(snapshot.id)

    def _failure(self, place: str, told: str) -> Refused:
        cause = told or "Cinder could not make it and gives no reason"
        remedy = (
            "Have the cloud's administrator look at cinder-backup; delete the VolumeSnapshot, with which the "
            "backup goes, and take another."
        )
        return Refused(Reason.FAILED, place, cause, remedy)


def _at_work(backup: Backup) -> bool:
    """Return whether Cinder is at work on a backup, and would not delete it."""
    return backup.status in COMING or backup.status == "restoring"
