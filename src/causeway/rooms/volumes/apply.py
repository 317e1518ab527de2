"""Volumes: made, deleted and found as ``orders`` does it; enlarged, attached and detached in the same way."""

import msgspec

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Hints, Volume, VolumeRequest
from causeway.cloud.identifiers import id_in, is_id
from causeway.cloud.nova import Attachments
from causeway.engine.storage.capacity import gigabytes
from causeway.engine.storage.orders import PATIENCE, Calls, Orders
from causeway.engine.storage.steps import COMING, Step
from causeway.rooms.volumes import creation, growth, volume_types
from causeway.rooms.volumes.access import for_several, require_usable
from causeway.rooms.volumes.attachment import (
    Attach,
    Attached,
    Detach,
    Gone,
    Pass,
    holders,
    settled,
    to_attach,
    to_detach,
)
from causeway.rooms.volumes.creation import Origin
from causeway.rooms.volumes.model import (
    Capability,
    Capacity,
    Near,
    Reason,
    Refused,
    Source,
    Wish,
    is_ours,
    is_restored,
)


class Volumes(Orders[Volume, Wish]):
    """The volumes of one cluster, in the project of the cloud's credentials."""

    kind = "volume"
    deletable_when = "Delete its snapshots first; look at its status."

    def __init__(
        self, cinder: Cinder, attachments: Attachments, cluster: str, *, patience: float = PATIENCE
    ) -> None:
        calls = Calls(
            cinder.get_volume,
            cinder.list_volumes,
            cinder.volumes_named,
            cinder.delete_volume,
            cinder.messages_about,
        )
        super().__init__(cluster, calls, patience)
        self._cinder = cinder
        self._attachments = attachments

    async def expand(self, identifier: str, capacity: Capacity) -> Volume:
        """Return the volume, enlarged if it is too small; raises ``Refused``, ``CloudError``."""
        request = ("expand", capacity)
        return await self._run(identifier, request, lambda: self._expand(identifier, capacity))

    async def modify(self, identifier: str, volume_type: str) -> None:
        """Have a volume of a type, by name or id ("": as it is); raises ``Refused``, ``CloudError``."""
        request = ("modify", volume_type)
        await self._run(identifier, request, lambda: self._modify(identifier, volume_type))

    async def publish(self, identifier: str, server: str, capability: Capability) -> str:
        """Have a volume at a server, and return what Nova calls the device; raises as ``create`` does."""
        request = ("attach", server, capability)
        return await self._run(identifier, request, lambda: self._publish(identifier, server, capability))

    async def unpublish(self, identifier: str, server: str) -> None:
        """Have a volume away from a server ("": all of them); raises as ``create`` does."""
        request = ("detach", server)
        await self._run(identifier, request, lambda: self._unpublish(identifier, server))

    async def _create(self, wish: Wish) -> Volume:
        place = f"volume {wish.name}"
        require_usable(wish.capabilities, place, multiattach=True)
        gigabytes(wish.capacity, place)
        if is_id(wish.volume_type):  # Cinder takes it, and shows the name
            name = await self._type_named(wish.volume_type, place, volume_types.OF_A_CLASS)
            wish = msgspec.structs.replace(wish, volume_type=name)
        volume = await super()._create(wish)
        if is_restored(volume):
            metadata = creation.metadata_of(wish, self._cluster, wish.source.snapshot_id)
            volume = await self._cinder.mark_volume(volume, metadata)
        require_usable(wish.capabilities, place, multiattach=volume.multiattach)
        return volume

    def _is_ours(self, it: Volume) -> bool:
        # What is made of a backup loses its marks for a moment: it is known by name and backup until then.
        return is_ours(it.metadata, self._cluster) or it.status in COMING or is_restored(it)

    def _judge(self, wish: Wish, it: Volume) -> Step[Volume]:
        return creation.judge(wish, it)

    async def _order(self, wish: Wish) -> Volume:
        request = await self._request_for(wish)
        hints = await self._hints(wish.near)
        try:
            return await self._cinder.create_volume(request, hints)
        except errors.NotFound:
            if wish.volume_type:  # which is looked at only now: nearly always it is there
                await self._type_named(wish.volume_type, f"volume {wish.name}", volume_types.OF_A_CLASS)
            raise
        except errors.BadRequest as error:
            if refused := creation.zone_refusal(wish, error.cause):
                raise refused from error
            raise

    def _failure(self, place: str, told: str) -> Refused:
        return Refused(
            Reason.EXHAUSTED if creation.tells_of_no_room(told) else Reason.FAILED,
            place,
            told or "Cinder could not make it and gives no reason",
            "Ask for another size, type or zone, or ask the cloud's administrator for room.",
        )

    def _require_deletable(self, it: Volume) -> None:
        if it.attachments:
            cause = f"it is attached to {holders(it)}"
            remedy = "It is deleted when nothing has it any more."
            raise Refused(Reason.PRECONDITION, f"volume {it.id}", cause, remedy)

    async def _request_for(self, wish: Wish) -> VolumeRequest:
        if for_several(wish.capabilities) and wish.volume_type:
            found = volume_types.meant(wish.volume_type, await self._cinder.list_types())
            if found is not None and found.multiattach is False:  # else the volume will tell
                require_usable(wish.capabilities, f"volume {wish.name}", multiattach=False)
        return creation.request_for(wish, self._cluster, await self._origin(wish.source))

    async def _origin(self, source: Source) -> Origin | None:
        try:
            if source.snapshot_id:
                return await self._snapshot_or_backup(source.snapshot_id)
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

    async def _snapshot_or_backup(self, identifier: str) -> Origin:
        try:
            snapshot = await self._cinder.get_snapshot(identifier)
        except errors.NotFound:
            backup = await self._cinder.get_backup(identifier)
            _require_ready(f"backup {backup.id}", backup.status, ("available",))
            return Origin(backup.size, backup=True)
        _require_ready(f"snapshot {snapshot.id}", snapshot.status, ("available", "backing-up"))
        return Origin(snapshot.size)

    async def _hints(self, near: Near) -> Hints | None:
        if near == Near():
            return None
        with_these = [await self._meant(each) for each in near.with_these]
        without_these = [await self._meant(each) for each in near.without_these]
        # Each once: a claim may name one volume by its name and by its id.
        return Hints(tuple(dict.fromkeys(with_these)), tuple(dict.fromkeys(without_these)))

    async def _meant(self, word: str) -> str:
        """Return the id of the volume of a name or an id; raises ``Refused``."""
        if (identifier := id_in(word)) and await self._found(identifier):
            return identifier  # as Cinder writes it
        found = [each.id for each in await self._named.of(word)]
        if len(found) != 1:
            cause = f"{len(found)} volumes of the project are called so" if found else "there is none"
            remedy = "Name a volume by its id in the claim's annotations, and make the claim anew."
            raise Refused(Reason.INVALID, f"volume {word}, which a claim names", cause, remedy)
        return found[0]

    async def _expand(self, identifier: str, capacity: Capacity) -> Volume:
        place = f"volume {identifier}"
        size = gigabytes(capacity, place)
        until = self._until()
        asked = False
        volume = await self._there(identifier)
        while True:
            if volume.size >= size and volume.status != "extending":
                gigabytes(capacity, place, at_least=volume.size)
                return volume
            if volume.status == "error_extending" or (asked and settled(volume)):
                told = next(iter(await self._cinder.messages_about(identifier)), "")
                raise growth.failure(volume, told)
            if settled(volume):
                growth.require_ready(volume)
                try:
                    await self._cinder.extend_volume(identifier, size)
                except errors.BadRequest as error:
                    raise growth.not_taken(volume, error.cause) from error
                asked = True
            volume = await self._settled(identifier, until)

    async def _modify(self, identifier: str, wanted: str) -> None:
        place = f"volume {identifier}"
        volume = await self._there(identifier)
        of = volume_types.OF_ATTRIBUTES
        name = await self._type_named(wanted, place, of) if wanted else volume.volume_type
        until = self._until()
        asked = False
        while not settled(volume) or volume.volume_type != name:
            if asked and settled(volume):
                told = next(iter(await self._cinder.messages_about(identifier)), "Cinder gives no reason")
                remedy = f"Its backend may not be able to make it {name} where it is; it is never moved."
                raise Refused(Reason.FAILED, place, told, remedy)
            if settled(volume):
                try:
                    await self._cinder.retype_volume(identifier, str(name))
                except errors.BadRequest as error:
                    remedy = "Some types can be changed only while no pod has the volume."
                    raise Refused(Reason.PRECONDITION, place, error.cause, remedy) from error
                asked = True
            volume = await self._settled(identifier, until)

    async def _type_named(self, wanted: str, place: str, of: str) -> str:
        listed = await self._cinder.list_types()
        found = volume_types.meant(wanted, listed)
        if found is None:
            raise volume_types.unknown(wanted, listed, place, of)
        return found.name

    async def _publish(self, identifier: str, server: str, capability: Capability) -> str:
        place = f"volume {identifier}"
        until = self._until()
        asked = False
        volume = await self._there(identifier)
        require_usable([capability], place, multiattach=volume.multiattach, there=True)
        while True:
            try:
                step = to_attach(volume, server, capability)
            except Refused:
                await self._require_server(server)  # who asks in vain learns first that there is no such node
                raise
            match step:
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
            volume = await self._settled(identifier, until)

    async def _ask_to_attach(self, identifier: str, server: str) -> None:
        try:
            await self._attachments.attach(server, identifier)
        except errors.NotFound:
            await self._require_server(server)
            raise
        except errors.BadRequest as error:
            remedy = "It is tried again by itself; look at the volume's status if it lasts."
            raise Refused(Reason.PRECONDITION, f"volume {identifier}", error.cause, remedy) from error
        except errors.Forbidden as error:
            if "disk devices" not in error.cause.lower():
                raise
            remedy = "Let the pod run elsewhere; CAUSEWAY_CSI_VOLUME_LIMIT tells Kubernetes a lower limit."
            raise Refused(Reason.EXHAUSTED, f"node {server}", error.cause, remedy) from error

    async def _require_server(self, server: str) -> None:
        if not await self._attachments.server_exists(server):
            cause = "the project has no such server"
            raise Refused(Reason.NOT_FOUND, f"node {server}", cause, "Delete the node.")

    async def _unpublish(self, identifier: str, server: str) -> None:
        until = self._until()
        asked, told = False, "Nova gave up"
        volume = await self._found(identifier)
        while True:
            match to_detach(volume, server):
                case Gone():
                    return
                case Detach(attachments) if asked:
                    cause = f"it is still at {attachments[0].server_id}: {told}"
                    remedy = "Something in the server may still use it; it is tried again by itself."
                    raise Refused(Reason.FAILED, f"volume {identifier}", cause, remedy)
                case Detach(attachments):
                    for each in attachments:
                        try:
                            await self._attachments.detach(str(each.server_id), identifier)
                        except errors.NotFound:  # Nova has no such server any more, or knows nothing of it
                            await self._cinder.delete_attachment(each.attachment_id)
                        except errors.BadRequest as error:  # as when it is being detached already
                            told = error.cause
                    asked = True
                case Pass():
                    pass
            volume = await self._wait(identifier, settled, until)

    async def _settled(self, identifier: str, until: float) -> Volume:
        """Wait until nothing more happens to a volume by itself, and return it as it was seen then."""
        seen = await self._wait(identifier, settled, until)
        return seen if seen is not None else await self._cinder.get_volume(identifier)  # raises: it is gone


def _require_ready(place: str, status: str, ready: tuple[str, ...]) -> None:
    if status in ready:
        return
    reason = Reason.PRECONDITION if "error" in status else Reason.PENDING
    raise Refused(reason, place, f"its status is {status}", "A volume is made of it when it is ready.")
