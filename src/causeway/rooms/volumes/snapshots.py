"""Snapshots: taken, deleted and found, in the same way as volumes."""

import asyncio
from collections.abc import Callable

import structlog

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Snapshot
from causeway.rooms.volumes import creation
from causeway.rooms.volumes.apply import PATIENCE
from causeway.rooms.volumes.creation import Discard, Done, Wait
from causeway.rooms.volumes.flights import Flights
from causeway.rooms.volumes.model import Reason, Refused, SnapshotWish
from causeway.rooms.volumes.poller import NotYet, Poller

log = structlog.get_logger()


class Snapshots:
    """The snapshots of one cluster's volumes."""

    def __init__(self, cinder: Cinder, cluster: str, *, patience: float = PATIENCE) -> None:
        self._cinder = cinder
        self._cluster = cluster
        self._patience = patience
        self._poller = Poller(cinder.get_snapshot, cinder.list_snapshots)
        self._flights = Flights()

    async def close(self) -> None:
        """Break off what is under way."""
        await self._flights.close()
        await self._poller.close()

    async def create(self, wish: SnapshotWish) -> Snapshot:
        """Return the snapshot of the wish's name, taken if there is none; raises as ``delete`` does."""
        return await self._flights.run(f"snapshot {wish.name}", wish, lambda: self._create(wish))

    async def delete(self, identifier: str) -> None:
        """Delete a snapshot and wait until it is gone; raises ``Refused``, ``CloudError``."""
        await self._flights.run(f"snapshot {identifier}", "delete", lambda: self._delete(identifier))

    async def _create(self, wish: SnapshotWish) -> Snapshot:
        watched: set[str] = set()
        until = asyncio.get_running_loop().time() + self._patience
        while True:
            named = await self._cinder.snapshots_named(wish.name)
            snapshot = creation.chosen(named, self._cluster)
            step = creation.judge_snapshot(wish, snapshot) if snapshot else None
            match step:
                case None:
                    volume = await self._cinder.get_volume(wish.volume_id)
                    request = creation.snapshot_request_for(wish, self._cluster, volume)
                    snapshot = await self._cinder.create_snapshot(request)
                    log.info("snapshot taken", name=wish.name, snapshot=snapshot.id, volume=wish.volume_id)
                    watched.add(snapshot.id)
                    await self._wait(snapshot.id, _has_come, until)
                case Done(it):
                    return it
                case Wait(it):
                    watched.add(it.id)
                    await self._wait(it.id, _has_come if it.status != "deleting" else _is_gone, until)
                case Discard(it):
                    await self._discard(it, wish, until, tell=it.id in watched)

    async def _discard(self, it: Snapshot, wish: SnapshotWish, until: float, *, tell: bool) -> None:
        told = await self._cinder.messages_about(it.id) if tell else []
        await self._cinder.delete_snapshot(it.id)
        await self._wait(it.id, _is_gone, until)
        log.warning("a snapshot that failed was removed", snapshot=it.id, cause=told[:1])
        if tell:
            cause = told[0].rstrip(".") if told else "Cinder could not take it and gives no reason"
            remedy = "Have the cloud's administrator look at it; it is tried again by itself."
            raise Refused(Reason.FAILED, f"snapshot {wish.name}", cause, remedy)

    async def _delete(self, identifier: str) -> None:
        place = f"snapshot {identifier}"
        try:
            if (await self._cinder.get_snapshot(identifier)).status != "deleting":
                await self._cinder.delete_snapshot(identifier)
        except errors.NotFound:
            return
        except errors.BadRequest as error:
            remedy = "It is deleted when nothing is made of it any more."
            raise Refused(Reason.PRECONDITION, place, error.cause, remedy) from error
        until = asyncio.get_running_loop().time() + self._patience
        last = await self._wait(identifier, lambda it: it is None or it.status != "deleting", until)
        if last is not None:
            cause = f"its status is {last.status}"
            raise Refused(Reason.FAILED, place, cause, "Have the cloud's administrator reset and delete it.")

    async def _wait(
        self, identifier: str, condition: Callable[[Snapshot | None], bool], until: float
    ) -> Snapshot | None:
        left = until - asyncio.get_running_loop().time()
        try:
            return await self._poller.until(identifier, condition, left)
        except NotYet as error:
            cause = f"it is not finished after {self._patience:g} s"
            if error.trouble:
                cause += f"; {error.trouble}"
            remedy = "It is gone on with by itself; look at the snapshot's status if it lasts."
            raise Refused(Reason.DEADLINE, f"snapshot {identifier}", cause, remedy) from error


def _has_come(snapshot: Snapshot | None) -> bool:
    return snapshot is None or snapshot.status not in creation.COMING


def _is_gone(snapshot: Snapshot | None) -> bool:
    return snapshot is None or snapshot.status == "error_deleting"
