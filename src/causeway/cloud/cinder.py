"""Cinder for the volume driver: exactly the calls it makes, one HTTP request each.

Nearly every change goes on after its call was answered: only the object's status tells when it has ended,
and how.
"""

from collections.abc import Mapping
from typing import ClassVar, TypeVar

import msgspec
import structlog

from causeway.cloud import errors
from causeway.cloud.cinder_objects import (
    Backup,
    BackupRequest,
    Hints,
    Message,
    Snapshot,
    SnapshotRequest,
    Volume,
    VolumeRequest,
    VolumeType,
)
from causeway.cloud.identifiers import is_id
from causeway.cloud.ownership import DRIVER_CLUSTER
from causeway.cloud.session import Params
from causeway.cloud.storage import Storage
from causeway.kit.turns import in_turns

_log = structlog.get_logger(__name__)
_Shape = TypeVar("_Shape")


class _Link(msgspec.Struct):
    rel: str


class _Identified(msgspec.Struct):
    id: str


class Cinder(Storage):
    """The volume service of a cloud."""

    service = "block-storage"
    version = "v3"
    # 3.51 is of 2018: it extends volumes in use (3.42), makes them of backups (3.47), and backups in a zone.
    headers: ClassVar[Mapping[str, str]] = {"OpenStack-API-Version": "volume 3.51"}

    async def list_volumes(self) -> list[Volume]:
        """Return every volume of the project, in as many calls as there are pages."""
        return await self._list("volumes/detail", "volumes", Volume, {})

    async def volumes_named(self, name: str) -> list[Volume]:
        """Return the volumes of exactly that name; there may be several."""
        return await self._list("volumes/detail", "volumes", Volume, {"name": name})

    async def page_of_volumes(self, limit: int, marker: str = "") -> tuple[list[Volume], str]:
        """Return at most ``limit`` volumes that follow the one ``marker``, and the next marker ("": no more).

        Raises ``NotFound`` when the volume ``marker`` is gone.
        """
        return await self._page("volumes", Volume, _behind(limit, marker))

    async def get_volume(self, identifier: str) -> Volume:
        """Return one volume; raises ``NotFound``, or ``ServerError`` when its description cannot be read."""
        try:
            return await self._get("volumes", "volume", identifier, Volume)
        except msgspec.ValidationError as error:
            raise self._unreadable(f"volume {identifier}", error) from error

    async def create_volume(self, request: VolumeRequest, hints: Hints | None = None) -> Volume:
        """Begin to make a volume; whether ``hints`` are heeded is the cloud's administrators' choice."""
        beside = {"OS-SCH-HNT:scheduler_hints": hints} if hints else {}
        return await self._create("volumes", "volume", request, Volume, **beside)

    async def delete_volume(self, identifier: str) -> None:
        """Begin to delete a volume; one that is gone is no error."""
        await self._delete("volumes", identifier)

    async def extend_volume(self, identifier: str, size: int) -> None:
        """Begin to enlarge a volume to ``size`` GiB, also one in use."""
        await self._call("POST", f"volumes/{identifier}/action", {"os-extend": {"new_size": size}})

    async def retype_volume(self, identifier: str, volume_type: str) -> None:
        """Begin to give a volume another type, by name, where it is: its bytes are never moved for it."""
        words = {"new_type": volume_type, "migration_policy": "never"}
        await self._call("POST", f"volumes/{identifier}/action", {"os-retype": words})

    async def mark_volume(self, volume: Volume, metadata: dict[str, str]) -> Volume:
        """Give a volume these metadata instead of those it has; return it as it is then."""
        await self._call("PUT", f"volumes/{volume.id}/metadata", {"metadata": metadata})
        return msgspec.structs.replace(volume, metadata=metadata)

    async def delete_attachment(self, identifier: str) -> None:
        """Forget that a volume is at a server; Cinder refuses while Nova has that server."""
        await self._delete("attachments", identifier)

    async def list_snapshots(self) -> list[Snapshot]:
        """Return every snapshot of the project, in as many calls as there are pages."""
        return await self._list("snapshots/detail", "snapshots", Snapshot, {})

    async def snapshots_named(self, name: str) -> list[Snapshot]:
        """Return the snapshots of exactly that name; there may be several."""
        return await self._list("snapshots/detail", "snapshots", Snapshot, {"name": name})

    async def page_of_snapshots(
        self, limit: int, marker: str = "", volume_id: str = ""
    ) -> tuple[list[Snapshot], str]:
        """Return at most ``limit`` snapshots (of one volume) as ``page_of_volumes`` does volumes."""
        return await self._page("snapshots", Snapshot, _behind(limit, marker, volume_id))

    async def snapshots_of(self, volume_id: str) -> list[Snapshot]:
        """Return all snapshots of one volume."""
        return await self._list("snapshots/detail", "snapshots", Snapshot, {"volume_id": volume_id})

    async def get_snapshot(self, identifier: str) -> Snapshot:
        """Return one snapshot; raises ``NotFound``."""
        return await self._get("snapshots", "snapshot", identifier, Snapshot)

    async def create_snapshot(self, request: SnapshotRequest) -> Snapshot:
        """Begin to take a snapshot."""
        return await self._create("snapshots", "snapshot", request, Snapshot)

    async def delete_snapshot(self, identifier: str) -> None:
        """Begin to delete a snapshot; one that is gone is no error."""
        await self._delete("snapshots", identifier)

    async def list_backups(self) -> list[Backup]:
        """Return every backup of the project, in as many calls as there are pages."""
        return await self._list("backups/detail", "backups", Backup, {})

    async def backups_named(self, name: str) -> list[Backup]:
        """Return the backups of exactly that name; there may be several."""
        return await self._list("backups/detail", "backups", Backup, {"name": name})

    async def page_of_backups(
        self, limit: int, marker: str = "", volume_id: str = ""
    ) -> tuple[list[Backup], str]:
        """Return at most ``limit`` backups (of one volume) as ``page_of_volumes`` does volumes."""
        return await self._page("backups", Backup, _behind(limit, marker, volume_id))

    async def get_backup(self, identifier: str) -> Backup:
        """Return one backup; raises ``NotFound``."""
        return await self._get("backups", "backup", identifier, Backup)

    async def create_backup(self, request: BackupRequest) -> Backup:
        """Begin to make a backup, and return it as it is then."""
        begun = await self._create("backups", "backup", request, _Identified)
        return await self.get_backup(begun.id)  # the first answer has nothing but id and name

    async def delete_backup(self, identifier: str) -> None:
        """Begin to delete a backup; one that is gone is no error.

        Raises ``BadRequest`` when no service in its zone could do it, which Cinder says as if it were gone.
        """
        if not is_id(identifier):
            return
        try:
            await self._call("DELETE", f"backups/{identifier}")
        except errors.NotFound as error:
            if "cinder-backup" in error.cause:
                raise errors.BadRequest(self.service, error.cause, status=404) from error

    async def list_types(self) -> list[VolumeType]:
        """Return the volume types the project may use."""
        return await self._list("types", "volume_types", VolumeType, {})

    async def messages_about(self, identifier: str) -> list[str]:
        """Return what Cinder tells about an object, the newest first."""
        found = await self._list("messages", "messages", Message, {"resource_uuid": identifier})
        return [each.user_message for each in sorted(found, key=lambda it: it.created_at, reverse=True)]

    async def _list(self, path: str, key: str, shape: type[_Shape], params: Params) -> list[_Shape]:
        whole = await self._path(path)
        raw = await self._cloud.get_all(self.service, whole, key, params=params, headers=self.headers)
        return await self._readable(raw, shape)

    async def _page(self, key: str, shape: type[_Shape], params: Params) -> tuple[list[_Shape], str]:
        answer = await self._call("GET", f"{key}/detail", params=params)
        document = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
        raw = msgspec.json.decode(document[key], type=list[msgspec.Raw])
        links = msgspec.json.decode(document.get(f"{key}_links", b"[]"), type=list[_Link])
        more = bool(raw) and any(link.rel == "next" for link in links)
        marker = msgspec.json.decode(raw[-1], type=_Identified).id if more else ""
        return await self._readable(raw, shape), marker

    async def _readable(self, items: list[msgspec.Raw], shape: type[_Shape]) -> list[_Shape]:
        """Return listed objects without those that cannot be read: one must not hide all the others.

        One that a driver marked is not left out, for whoever looks for it by name would make it again: raises
        ``ServerError``, after which the question is asked again.
        """
        decoder = msgspec.json.Decoder(shape)
        found = []
        async for item in in_turns(items):
            try:
                found.append(decoder.decode(item))
            except msgspec.ValidationError as error:
                which = f"{shape.__name__.lower()} {msgspec.json.decode(item, type=_Identified).id}"
                if DRIVER_CLUSTER.encode() in bytes(item):
                    raise self._unreadable(which, error) from error
                _log.warning("left out of a list", what=which, cause=str(error))
        return found

    def _unreadable(self, what: str, error: msgspec.ValidationError) -> errors.ServerError:
        return errors.ServerError(self.service, f"what it says of {what} is not understood: {error}")


def _behind(limit: int, marker: str, volume_id: str = "") -> dict[str, str | int]:
    return {"limit": limit, **{key: it for key, it in (("marker", marker), ("volume_id", volume_id)) if it}}
