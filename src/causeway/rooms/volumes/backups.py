"""Backups: snapshots that are brought out of the volumes' storage, where they outlive the volume.

A backup is made of a snapshot that is taken for it and goes when it is there: so what is in it is of one
moment, and the volume can be used meanwhile, however long it takes. The snapshot has the backup's name: who
goes on with what another was killed at finds it, and it is gone before the backup is told to be ready.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Backup, Snapshot
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
    deletable_when = (
        "Delete the backups that build on it first; where no cinder-backup is in its zone, have one started."
    )

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
        self._given: set[str] = set()  # ids of failed ones that the answer before gave

    async def _create(self, wish: BackupWish) -> Backup:
        """Return the backup, begun if there is none: it may be on its way still.

        Kubernetes deletes only what it has the id of, takes an id from an answer and never from a refusal,
        and takes no other. So one that failed is not made again; it is answered and refused by turns, the
        id first. While there is one no refusal is final, or who lost the answer might ask no more.
        """
        backup = await super()._create(wish)
        if backup.status in COMING:
            begun = datetime.fromisoformat(backup.created_at).replace(tzinfo=UTC)
            creation.require_in_time(wish, backup, (self._now() - begun).total_seconds())
            return backup
        failed = backup.status.startswith("error")
        if failed and backup.id not in self._given:
            self._given.add(backup.id)
            return backup
        self._given.discard(backup.id)
        try:
            if failed:
                raise await self._failed(backup)
            await self._forget_snapshot(backup)
        except (Refused, errors.BadRequest, errors.Forbidden, errors.NotFound) as error:
            raise _pending(f"backup {backup.name}", error) from error
        return backup

    async def _failed(self, backup: Backup) -> Refused:
        """Return why a backup could not be made; its snapshot goes if Cinder lets go of it."""
        told = next(iter(await self._calls.told(backup.id)), "").rstrip(".")
        snapshot = await self._snapshot_of(backup)
        if snapshot is not None and snapshot.status == "backing-up":
            # Cinder's scheduler leaves it so when it finds no cinder-backup in the zone.
            told += f"; snapshot {snapshot.id}, which it was made of, is left in status backing-up"
        elif snapshot is not None:
            await self._snapshots.delete(snapshot.id)
        return self._failure(f"backup {backup.name}", told)

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
        except _FINAL:
            try:
                await self._snapshots.delete(snapshot.id)
            except Refused as refused:
                # Cinder takes one order at a time for a snapshot, and lets go of none that is backed up: one
                # whose answer was lost may be under way.
                raise _pending(f"backup {wish.name}", refused) from refused
            raise

    async def _delete(self, identifier: str) -> None:
        self._given.discard(identifier)
        it = await self._found(identifier)
        if it is None:
            return
        if _at_work(it):
            it = await self._wait(identifier, lambda seen: seen is None or not _at_work(seen), self._until())
        if it is not None:
            await self._forget_snapshot(it)  # first: nothing but the backup tells of it
            await super()._delete(identifier)

    async def _forget_snapshot(self, backup: Backup) -> None:
        """Have the snapshot gone that was taken for a backup."""
        if snapshot := await self._snapshot_of(backup):
            await self._snapshots.delete(snapshot.id)

    async def _snapshot_of(self, backup: Backup) -> Snapshot | None:
        """Return the snapshot that was taken for a backup, and for nothing else."""
        snapshot = await self._snapshots.find(backup.snapshot_id) if backup.snapshot_id else None
        mine = snapshot and snapshot.name == backup.name and is_ours(snapshot.metadata, self._cluster)
        return snapshot if mine else None

    def _failure(self, place: str, told: str) -> Refused:
        cause = told or "Cinder could not make it and gives no reason"
        remedy = (
            "Have the cloud's administrator look at cinder-backup, and reset what is left in a wrong status, "
            "for which it takes an administrator: openstack volume snapshot set --state available ID; of the "
            "volume, which may have lost its own, openstack volume set --state available ID (in-use, if a "
            "server has it). Then delete the VolumeSnapshot, with which the backup goes unless its class "
            "says deletionPolicy: Retain."
        )
        return Refused(Reason.FAILED, place, cause, remedy)


def _pending(place: str, error: Refused | errors.CloudError) -> Refused:
    """Return a refusal after which the same is asked for again."""
    if isinstance(error, Refused):
        cause, remedy = error.findings[0].cause, error.findings[0].remedy
    else:
        cause, remedy = error.cause, error.remedy
    return Refused(Reason.PENDING, place, cause, remedy)


def _at_work(backup: Backup) -> bool:
    """Return whether Cinder is at work on a backup, and would not delete it."""
    return backup.status in COMING or backup.status == "restoring"
