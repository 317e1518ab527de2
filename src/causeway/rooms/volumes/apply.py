"""Decisions as calls to Cinder and Nova: the only place of this room that writes.

Each piece of work looks, decides, acts, waits and looks again, until there is nothing left to do. So it does
not matter whether it is the first that is asked to do it, or goes on with what another was killed at.
"""

import asyncio
from collections.abc import Callable

import structlog

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Volume, VolumeRequest
from causeway.cloud.nova import Attachments
from causeway.rooms.volumes import creation
from causeway.rooms.volumes.access import for_several, require_usable
from causeway.rooms.volumes.attachment import (
    Attach,
    Attached,
    Detach,
    Gone,
    Pass,
    settled,
    to_attach,
    to_detach,
)
from causeway.rooms.volumes.capacity import gigabytes
from causeway.rooms.volumes.creation import Discard, Done, Origin, Wait
from causeway.rooms.volumes.flights import Flights
from causeway.rooms.volumes.model import Capability, Capacity, Reason, Refused, Source, Wish
from causeway.rooms.volumes.poller import NotYet, Poller

log = structlog.get_logger()

PATIENCE = 240.0
"""Seconds a piece of work goes on waiting; whoever asked may have hung up long before."""


class Volumes:
    """The volumes of one cluster, in the project of the cloud's credentials."""

    def __init__(
        self, cinder: Cinder, attachments: Attachments, cluster: str, *, patience: float = PATIENCE
    ) -> None:
        self._cinder = cinder
        self._attachments = attachments
        self._cluster = cluster
        self._patience = patience
        self._poller = Poller(cinder.get_volume, cinder.list_volumes)
        self._flights = Flights()

    async def close(self) -> None:
        """Break off what is under way."""
        await self._flights.close()
        await self._poller.close()

    async def create(self, wish: Wish) -> Volume:
        """Return the volume of the wish's name, made if there is none; raises ``Refused``, ``CloudError``."""
        return await self._flights.run(f"volume {wish.name}", wish, lambda: self._create(wish))

    async def delete(self, identifier: str) -> None:
        """Delete a volume and wait until it is gone; raises ``Refused``, ``CloudError``."""
        await self._flights.run(f"volume {identifier}", "delete", lambda: self._delete(identifier))

    async def expand(self, identifier: str, capacity: Capacity) -> Volume:
        """Return the volume, enlarged if it is too small; raises ``Refused``, ``CloudError``."""
        request = ("expand", capacity)
        return await self._flights.run(
            f"volume {identifier}", request, lambda: self._expand(identifier, capacity)
        )

    async def publish(self, identifier: str, server: str, capability: Capability) -> str:
        """Have a volume at a server, and return what Nova calls the device; raises as ``create`` does."""
        request = ("attach", server, capability)
        return await self._flights.run(
            f"volume {identifier}", request, lambda: self._publish(identifier, server, capability)
        )

    async def unpublish(self, identifier: str, server: str) -> None:
        """Have a volume away from a server ("": all of them); raises as ``create`` does."""
        request = ("detach", server)
        await self._flights.run(f"volume {identifier}", request, lambda: self._unpublish(identifier, server))

    async def _create(self, wish: Wish) -> Volume:
        place = f"volume {wish.name}"
        require_usable(wish.capabilities, place, multiattach=True)
        gigabytes(wish.capacity, place)
        watched: set[str] = set()
        until = _until(self._patience)
        while True:
            named = await self._cinder.volumes_named(wish.name)
            if left := creation.surplus(named, self._cluster):
                log.warning("several volumes have one name", name=wish.name, beside=left)
            volume = creation.chosen(named, self._cluster)
            step = creation.judge(wish, volume) if volume else None
            match step:
                case None:
                    volume = await self._cinder.create_volume(await self._request_for(wish))
                    log.info("volume made", name=wish.name, volume=volume.id, size=volume.size)
                    watched.add(volume.id)
                    await self._wait(volume.id, _has_come, until)
                case Done(it):
                    require_usable(wish.capabilities, place, multiattach=it.multiattach)
                    return it
                case Wait(it):
                    watched.add(it.id)
                    await self._wait(it.id, _has_come if it.status != "deleting" else _is_gone, until)
                case Discard(it):
                    await self._discard(it, place, until, tell=it.id in watched)

    async def _request_for(self, wish: Wish) -> VolumeRequest:
        if for_several(wish.capabilities):
            types = await self._cinder.list_types()
            known = any(each.multiattach for each in types if wish.volume_type in (each.name, each.id))
            require_usable(wish.capabilities, f"volume {wish.name}", multiattach=known)
        return creation.request_for(wish, self._cluster, await self._origin(wish.source))

    async def _origin(self, source: Source) -> Origin | None:
        try:
            if source.snapshot_id:
                snapshot = await self._cinder.get_snapshot(source.snapshot_id)
                _require_ready(f"snapshot {snapshot.id}", snapshot.status, ("available", "backing-up"))
                return Origin(snapshot.size)
            if source.volume_id:
                volume = await self._cinder.get_volume(source.volume_id)
                _require_ready(f"volume {volume.id}", volume.status, ("available", "in-use", "backing-up"))
                return Origin(volume.size, volume.availability_zone or "")
        except errors.NotFound as error:
            identifier = source.snapshot_id or source.volume_id
            cause = "there is no such thing to make a volume of"
            raise Refused(
                Reason.NOT_FOUND, f"source {identifier}", cause, "Name a source that exists."
            ) from error
        return None

    async def _discard(self, volume: Volume, place: str, until: float, *, tell: bool) -> None:
        """Take away a volume that failed; raises ``Refused`` with Cinder's reason when it failed just now."""
        told = await self._cinder.messages_about(volume.id) if tell else []
        await self._cinder.delete_volume(volume.id)
        await self._wait(volume.id, _is_gone, until)
        log.warning("a volume that failed was removed", volume=volume.id, cause=told[:1])
        if tell:
            cause = told[0].rstrip(".") if told else "Cinder could not make it and gives no reason"
            full = "no valid backend" in cause.lower() or "could not find any available" in cause.lower()
            raise Refused(
                Reason.EXHAUSTED if full else Reason.FAILED,
                place,
                cause,
                "Ask for another size, type or zone, or ask the cloud's administrator for room.",
            )

    async def _delete(self, identifier: str) -> None:
        place = f"volume {identifier}"
        volume = await self._found(identifier)
        if volume is None:
            return
        if volume.attachments:
            cause = f"it is attached to {', '.join(volume.servers)}"
            raise Refused(Reason.PRECONDITION, place, cause, "It is deleted when no server has it.")
        if volume.status != "deleting":
            try:
                await self._cinder.delete_volume(identifier)
            except errors.BadRequest as error:
                remedy = "Delete its snapshots first; look at its status."
                raise Refused(Reason.PRECONDITION, place, error.cause, remedy) from error
        last = await self._wait(
            identifier, lambda it: it is None or it.status != "deleting", _until(self._patience)
        )
        if last is not None:
            told = next(iter(await self._cinder.messages_about(identifier)), f"its status is {last.status}")
            raise Refused(Reason.FAILED, place, told, "Have the cloud's administrator reset and delete it.")

    async def _expand(self, identifier: str, capacity: Capacity) -> Volume:
        place = f"volume {identifier}"
        size = gigabytes(capacity, place)
        until = _until(self._patience)
        asked = False
        while True:
            volume = await self._cinder.get_volume(identifier)
            if volume.size >= size and volume.status != "extending":
                gigabytes(capacity, place, at_least=volume.size)
                return volume
            if volume.status == "error_extending" or (asked and settled(volume)):
                told = next(iter(await self._cinder.messages_about(identifier)), "Cinder gives no reason")
                raise Refused(Reason.FAILED, place, told, "Have the cloud's administrator look at it.")
            if settled(volume):
                try:
                    await self._cinder.extend_volume(identifier, size)
                except errors.BadRequest as error:
                    remedy = "If its backend cannot enlarge a volume in use, stop the pod and try again."
                    raise Refused(Reason.PRECONDITION, place, error.cause, remedy) from error
                asked = True
            await self._wait(identifier, settled, until)

    async def _publish(self, identifier: str, server: str, capability: Capability) -> str:
        place = f"volume {identifier}"
        until = _until(self._patience)
        asked = False
        while True:
            volume = await self._cinder.get_volume(identifier)
            if not asked:
                require_usable([capability], place, multiattach=volume.multiattach)
                if not await self._attachments.server_exists(server):
                    cause = "the project has no such server"
                    raise Refused(Reason.NOT_FOUND, f"node {server}", cause, "Delete the node.")
            match to_attach(volume, server, capability):
                case Attached(device):
                    return device
                case Attach() if asked:
                    cause = f"Nova began to attach it to {server} and gave up"
                    raise Refused(Reason.FAILED, place, cause, f"Look: openstack server event list {server}.")
                case Attach():
                    await self._ask_to_attach(identifier, server)
                    asked = True
                case Pass():
                    pass
            await self._wait(identifier, settled, until)

    async def _ask_to_attach(self, identifier: str, server: str) -> None:
        try:
            await self._attachments.attach(server, identifier)
        except errors.BadRequest as error:
            remedy = "It is tried again by itself; look at the volume's status if it lasts."
            raise Refused(Reason.PRECONDITION, f"volume {identifier}", error.cause, remedy) from error
        except errors.Forbidden as error:
            if "disk devices" not in error.cause.lower():
                raise
            remedy = "Let the pod run elsewhere; CAUSEWAY_CSI_VOLUME_LIMIT tells Kubernetes a lower limit."
            raise Refused(Reason.EXHAUSTED, f"node {server}", error.cause, remedy) from error

    async def _unpublish(self, identifier: str, server: str) -> None:
        until = _until(self._patience)
        asked = False
        while True:
            match to_detach(await self._found(identifier), server):
                case Gone():
                    return
                case Detach(attachments) if asked:
                    cause = f"Nova began to detach it from {attachments[0].server_id} and gave up"
                    remedy = "Something in the server may still use it; it is tried again by itself."
                    raise Refused(Reason.FAILED, f"volume {identifier}", cause, remedy)
                case Detach(attachments):
                    for each in attachments:
                        try:
                            await self._attachments.detach(each.server_id, identifier)
                        except errors.NotFound:  # Nova has no such server any more, or knows nothing of it
                            await self._cinder.delete_attachment(each.attachment_id)
                    asked = True
                case Pass():
                    pass
            await self._wait(identifier, settled, until)

    async def _found(self, identifier: str) -> Volume | None:
        try:
            return await self._cinder.get_volume(identifier)
        except errors.NotFound:
            return None

    async def _wait(
        self, identifier: str, condition: Callable[[Volume | None], bool], until: float
    ) -> Volume | None:
        left = until - asyncio.get_running_loop().time()
        try:
            return await self._poller.until(identifier, condition, left)
        except NotYet as error:
            cause = f"it is not finished after {self._patience:g} s"
            if error.trouble:
                cause += f"; {error.trouble}"
            remedy = "It is gone on with by itself; look at the volume's status if it lasts."
            raise Refused(Reason.DEADLINE, f"volume {identifier}", cause, remedy) from error


def _until(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _has_come(volume: Volume | None) -> bool:
    return volume is None or volume.status not in creation.COMING


def _is_gone(volume: Volume | None) -> bool:
    return volume is None or volume.status == "error_deleting"


def _require_ready(place: str, status: str, ready: tuple[str, ...]) -> None:
    if status in ready:
        return
    reason = Reason.PRECONDITION if "error" in status else Reason.PENDING
    raise Refused(reason, place, f"its status is {status}", "A volume is made of it when it is ready.")
