"""Cinder and Nova's attachments in memory: what the volume driver is proven with, held to the real ones."""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import (
    Attachment,
    Backup,
    BackupRequest,
    Hints,
    Snapshot,
    SnapshotRequest,
    Volume,
    VolumeRequest,
    VolumeType,
)
from causeway.cloud.identifiers import is_id
from causeway.cloud.nova import Attachments

Thing = TypeVar("Thing", Volume, Snapshot, Backup)
Gate = Callable[[str, bool], Awaitable[None]]
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_DELETABLE = ("available", "error", "error_deleting", "error_extending", "error_restoring")


async def _open(_call: str, _done: bool) -> None:
    """Let every call pass."""


class World:
    """Volumes, snapshots and servers. What is begun ends ``latency`` seconds later, as ``failing`` says.

    ``gate(call, done)`` is awaited before and after each call takes effect, and may raise: a call that is
    refused, one whose answer is lost, or the end of the process.
    """

    def __init__(self, latency: float = 1.0) -> None:
        self.latency = latency
        self.volumes: dict[str, Volume] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.backups: dict[str, Backup] = {}
        self.backed_up: dict[str, dict[str, str]] = {}  # a volume's metadata, by the backup's id
        self.held: list[Callable[[], None]] | None = None  # ends of backups, if the test says when
        self.hints: list[Hints | None] = []  # of each order of a volume
        self.servers: set[str] = set()
        self.types: list[VolumeType] = [VolumeType("t1", "plain", {}), VolumeType("t2", "fast", {})]
        self.shows_specs = True  # of types; users see them since Xena, and where the policy lets them
        self.zone = "nova"
        self.failing: set[str] = (
            set()
        )  # what ends badly: create, attach, detach, extend, delete, snapshot, backup, schedule, restore
        self.calls: list[str] = []
        self.gate: Gate = _open
        self._count = itertools.count()

    async def passed(self, call: str, *, done: bool) -> None:
        """Go through the gate."""
        if not done:
            self.calls.append(call)
        await asyncio.sleep(0)
        await self.gate(call, done)

    def later(self, act: Callable[[], None]) -> None:
        """Do something when what was begun has ended."""
        asyncio.get_running_loop().call_later(self.latency, act)

    def after_copying(self, act: Callable[[], None]) -> None:
        """Do something when the bytes of a backup are in the store: ``latency`` later, or when it is let."""
        if self.held is None:
            self.later(act)
        else:
            self.held.append(act)

    def set(self, volume: Volume, **changes: object) -> Volume:
        """Change a volume."""
        if "status" in changes:
            changes["shown_status"] = changes.pop("status")
        changed = msgspec.structs.replace(self.volumes[volume.id], **changes)
        self.volumes[volume.id] = changed
        return changed

    def stamp(self) -> str:
        """Return the time of the next object, as Cinder writes it."""
        return (_EPOCH + timedelta(seconds=next(self._count))).replace(tzinfo=None).isoformat()


class ModelCinder(Cinder):
    """The volume service."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def list_volumes(self) -> list[Volume]:
        await self.world.passed("list volumes", done=False)
        return list(reversed(self.world.volumes.values()))

    async def volumes_named(self, name: str) -> list[Volume]:
        await self.world.passed("list volumes", done=False)
        return [each for each in reversed(self.world.volumes.values()) if each.name == name]

    async def page_of_volumes(self, limit: int, marker: str = "") -> tuple[list[Volume], str]:
        return _page(await self.list_volumes(), limit, marker)

    async def get_volume(self, identifier: str) -> Volume:
        await self.world.passed("get volume", done=False)
        return _known(self.world.volumes, identifier, "volume")

    async def create_volume(self, request: VolumeRequest, hints: Hints | None = None) -> Volume:
        world = self.world
        await world.passed("create volume", done=False)
        world.hints.append(hints)
        backup = _known(world.backups, request.backup_id, "backup") if request.backup_id else None
        if backup and backup.status != "available":
            raise errors.BadRequest("block-storage", "Invalid backup: it must be available", status=400)
        source = _known(world.volumes, request.source_volid, "volume") if request.source_volid else None
        snapshot = _known(world.snapshots, request.snapshot_id, "snapshot") if request.snapshot_id else None
        least = max(each.size for each in (source, snapshot, backup, VolumeRequest("", 1, {})) if each)
        if request.size < least:
            raise errors.BadRequest("block-storage", f"Size must be at least {least}", status=400)
        known = {each.name: each for each in world.types}
        if request.volume_type and request.volume_type not in known:
            cause = f"Volume type with name {request.volume_type} could not be found."
            raise errors.NotFound("block-storage", cause, status=404)
        volume = Volume(
            str(uuid.uuid4()),
            "creating",
            request.size,
            name=request.name,
            availability_zone=request.availability_zone or world.zone,
            volume_type=request.volume_type or "plain",
            snapshot_id=request.snapshot_id or None,
            source_volid=request.source_volid or None,
            multiattach=bool(known[request.volume_type or "plain"].multiattach),
            created_at=world.stamp(),
            metadata=request.metadata,
        )
        world.volumes[volume.id] = volume
        ending = "error" if "create" in world.failing else "available"
        if backup:
            world.backups[backup.id] = msgspec.structs.replace(backup, status="restoring")
            world.later(lambda: _restored(world, volume, backup))
        else:
            world.later(lambda: _end(world, volume.id, "creating", ending))
        await world.passed("create volume", done=True)
        return volume

    async def mark_volume(self, volume: Volume, metadata: dict[str, str]) -> Volume:
        await self.world.passed("mark volume", done=False)
        marked = self.world.set(_known(self.world.volumes, volume.id, "volume"), metadata=metadata)
        await self.world.passed("mark volume", done=True)
        return marked

    async def delete_volume(self, identifier: str) -> None:
        world = self.world
        await world.passed("delete volume", done=False)
        volume = world.volumes.get(identifier)
        if volume is None:
            return
        kept = any(each.volume_id == identifier for each in world.snapshots.values())
        if volume.status not in _DELETABLE or kept:
            cause = "Invalid volume: Volume status must be available or error and must not have snapshots."
            raise errors.BadRequest("block-storage", cause, status=400)
        world.set(volume, status="deleting")
        world.later(lambda: _remove(world, identifier))
        await world.passed("delete volume", done=True)

    async def extend_volume(self, identifier: str, size: int) -> None:
        world = self.world
        await world.passed("extend volume", done=False)
        volume = _known(world.volumes, identifier, "volume")
        if volume.status not in ("available", "in-use") or size <= volume.size:
            raise errors.BadRequest("block-storage", "Invalid volume: it cannot be extended", status=400)
        before = volume.status
        world.set(volume, status="extending")

        def end() -> None:
            failed = "extend" in world.failing
            changes = {"status": "error_extending"} if failed else {"status": before, "size": size}
            world.set(volume, **changes)

        world.later(end)
        await world.passed("extend volume", done=True)

    async def retype_volume(self, identifier: str, volume_type: str) -> None:
        world = self.world
        await world.passed("retype volume", done=False)
        volume = _known(world.volumes, identifier, "volume")
        if volume_type not in {each.name for each in world.types}:
            cause = f"Volume type with name {volume_type} could not be found."
            raise errors.NotFound("block-storage", cause, status=404)
        if volume.status not in ("available", "in-use") or volume.volume_type == volume_type:
            raise errors.BadRequest("block-storage", "Invalid volume: it cannot be retyped", status=400)
        before = volume.status
        world.set(volume, status="retyping")

        def end() -> None:
            changes = {} if "retype" in world.failing else {"volume_type": volume_type}
            world.set(volume, status=before, **changes)

        world.later(end)
        await world.passed("retype volume", done=True)

    async def delete_attachment(self, identifier: str) -> None:
        world = self.world
        await world.passed("delete attachment", done=False)
        for volume in list(world.volumes.values()):
            left = [each for each in volume.attachments if each.attachment_id != identifier]
            if len(left) < len(volume.attachments):
                world.set(volume, attachments=left, status="in-use" if left else "available")
        await world.passed("delete attachment", done=True)

    async def list_snapshots(self) -> list[Snapshot]:
        await self.world.passed("list snapshots", done=False)
        return list(reversed(self.world.snapshots.values()))

    async def snapshots_named(self, name: str) -> list[Snapshot]:
        return [each for each in await self.list_snapshots() if each.name == name]

    async def snapshots_of(self, volume_id: str) -> list[Snapshot]:
        return [each for each in await self.list_snapshots() if each.volume_id == volume_id]

    async def page_of_snapshots(
        self, limit: int, marker: str = "", volume_id: str = ""
    ) -> tuple[list[Snapshot], str]:
        found = [each for each in await self.list_snapshots() if volume_id in ("", each.volume_id)]
        return _page(found, limit, marker)

    async def get_snapshot(self, identifier: str) -> Snapshot:
        await self.world.passed("get snapshot", done=False)
        return _known(self.world.snapshots, identifier, "snapshot")

    async def create_snapshot(self, request: SnapshotRequest) -> Snapshot:
        world = self.world
        await world.passed("create snapshot", done=False)
        volume = _known(world.volumes, request.volume_id, "volume")
        if volume.status != "available" and not (request.force and volume.status == "in-use"):
            raise errors.BadRequest("block-storage", "Invalid volume: it must be available", status=400)
        snapshot = Snapshot(
            str(uuid.uuid4()),
            "creating",
            volume.id,
            volume.size,
            world.stamp(),
            request.name,
            request.metadata,
        )
        world.snapshots[snapshot.id] = snapshot
        ending = "error" if "snapshot" in world.failing else "available"
        world.later(lambda: _end_snapshot(world, snapshot.id, ending))
        await world.passed("create snapshot", done=True)
        return snapshot

    async def delete_snapshot(self, identifier: str) -> None:
        world = self.world
        await world.passed("delete snapshot", done=False)
        snapshot = world.snapshots.get(identifier)
        if snapshot is None:
            return
        if snapshot.status not in ("available", "error"):
            raise errors.BadRequest("block-storage", "Invalid snapshot: it must be available", status=400)
        world.snapshots[identifier] = msgspec.structs.replace(snapshot, status="deleting")
        world.later(lambda: _forget(world, identifier))
        await world.passed("delete snapshot", done=True)

    async def list_backups(self) -> list[Backup]:
        await self.world.passed("list backups", done=False)
        return list(reversed(self.world.backups.values()))

    async def backups_named(self, name: str) -> list[Backup]:
        return [each for each in await self.list_backups() if each.name == name]

    async def page_of_backups(
        self, limit: int, marker: str = "", volume_id: str = ""
    ) -> tuple[list[Backup], str]:
        found = [each for each in await self.list_backups() if volume_id in ("", each.volume_id)]
        return _page(found, limit, marker)

    async def get_backup(self, identifier: str) -> Backup:
        await self.world.passed("get backup", done=False)
        return _known(self.world.backups, identifier, "backup")

    async def create_backup(self, request: BackupRequest) -> Backup:
        world = self.world
        await world.passed("create backup", done=False)
        snapshot = _known(world.snapshots, request.snapshot_id, "snapshot")
        if snapshot.status != "available":
            raise errors.BadRequest("block-storage", "Invalid snapshot: it must be available", status=400)
        world.snapshots[snapshot.id] = msgspec.structs.replace(snapshot, status="backing-up")
        backup = Backup(
            str(uuid.uuid4()),
            "creating",
            request.volume_id,
            snapshot.size,
            world.stamp(),
            request.name,
            snapshot.id,
            snapshot.created_at,
            metadata=request.metadata,
        )
        world.backups[backup.id] = backup
        world.backed_up[backup.id] = world.volumes[request.volume_id].metadata
        world.after_copying(lambda: _end_backup(world, backup))
        await world.passed("create backup", done=True)
        return backup

    async def delete_backup(self, identifier: str) -> None:
        world = self.world
        await world.passed("delete backup", done=False)
        backup = world.backups.get(identifier)
        if backup is None:
            return
        if backup.status not in ("available", "error"):
            raise errors.BadRequest("block-storage", "Invalid backup: it must be available", status=400)
        world.backups[identifier] = msgspec.structs.replace(backup, status="deleting")
        world.later(lambda: _forget_backup(world, identifier))
        await world.passed("delete backup", done=True)

    async def list_types(self) -> list[VolumeType]:
        await self.world.passed("list types", done=False)
        if self.world.shows_specs:
            return self.world.types
        return [msgspec.structs.replace(each, extra_specs=None) for each in self.world.types]

    async def messages_about(self, identifier: str) -> list[str]:
        await self.world.passed("list messages", done=False)
        return ["schedule allocate volume:Could not find any available weighted backend."]


class ModelAttachments(Attachments):
    """Nova, as far as volumes go."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def server_exists(self, server_id: str) -> bool:
        await self.world.passed("get server", done=False)
        return server_id in self.world.servers

    async def attach(self, server_id: str, volume_id: str) -> None:
        world = self.world
        await world.passed("attach", done=False)
        if server_id not in world.servers:
            raise errors.NotFound("compute", f"Instance {server_id} could not be found.", status=404)
        volume = _known(world.volumes, volume_id, "volume")
        shared = volume.multiattach and volume.status == "in-use"
        if volume.status != "available" and not shared:
            cause = f"Invalid volume: volume {volume_id} status must be 'available'. Current: {volume.status}"
            raise errors.BadRequest("compute", cause, status=400)
        if server_id in volume.servers:
            raise errors.BadRequest("compute", "Invalid volume: already attached", status=400)
        world.set(volume, status="reserved")

        def end() -> None:
            now = world.volumes[volume_id]
            if "attach" in world.failing:
                world.set(now, status="in-use" if now.attachments else "available")
                return
            made = Attachment(server_id, str(uuid.uuid4()), "/dev/vdb")
            world.set(now, status="in-use", attachments=[*now.attachments, made])

        world.later(end)
        await world.passed("attach", done=True)

    async def detach(self, server_id: str, volume_id: str) -> None:
        world = self.world
        await world.passed("detach", done=False)
        volume = _known(world.volumes, volume_id, "volume")
        if server_id not in world.servers or server_id not in volume.servers:
            raise errors.NotFound("compute", "Instance or attachment could not be found.", status=404)
        if volume.status != "in-use":
            raise errors.BadRequest("compute", "Invalid volume: not attached", status=400)
        world.set(volume, status="detaching")

        def end() -> None:
            now = world.volumes[volume_id]
            left = [each for each in now.attachments if each.server_id != server_id]
            if "detach" in world.failing:
                left = now.attachments
            world.set(now, status="in-use" if left else "available", attachments=left)

        world.later(end)
        await world.passed("detach", done=True)


def _known(things: dict[str, Thing], identifier: str, what: str) -> Thing:
    if identifier not in things:
        raise errors.NotFound("block-storage", f"{what} {identifier} could not be found.", status=404)
    return things[identifier]


def _page(things: list[Thing], limit: int, marker: str) -> tuple[list[Thing], str]:
    ids = [each.id for each in things]
    if marker and (not is_id(marker) or marker not in ids):
        raise errors.NotFound("block-storage", f"{marker} could not be found.", status=404)
    begin = ids.index(marker) + 1 if marker else 0
    page = things[begin : begin + limit]
    return page, page[-1].id if len(page) == limit and begin + limit < len(things) else ""


def _end(world: World, identifier: str, of: str, status: str) -> None:
    volume = world.volumes.get(identifier)
    if volume is not None and volume.status == of:
        world.set(volume, status=status)


def _end_snapshot(world: World, identifier: str, status: str) -> None:
    snapshot = world.snapshots[identifier]
    if snapshot.status == "creating":
        world.snapshots[identifier] = msgspec.structs.replace(snapshot, status=status)


def _end_backup(world: World, backup: Backup) -> None:
    """End a backup: its snapshot is free again, however it ended, unless nobody was found who makes it."""
    if "schedule" in world.failing:
        reason = "Service not found for creating backup."
        ended = msgspec.structs.replace(world.backups[backup.id], status="error", fail_reason=reason)
        world.backups[backup.id] = ended
        world.set(world.volumes[backup.volume_id], status=None)
        return
    failed = "backup" in world.failing
    changes = {"status": "error", "fail_reason": "the store is full"} if failed else {"status": "available"}
    world.backups[backup.id] = msgspec.structs.replace(world.backups[backup.id], **changes)
    snapshot = world.snapshots[str(backup.snapshot_id)]
    world.snapshots[snapshot.id] = msgspec.structs.replace(snapshot, status="available")


def _restored(world: World, volume: Volume, backup: Backup) -> None:
    """End a volume made of a backup: Cinder gives it the metadata of the volume that was backed up."""
    world.backups[backup.id] = msgspec.structs.replace(backup, status="available")
    if "restore" in world.failing:
        world.set(volume, status="error_restoring")
        return
    metadata = {**world.backed_up[backup.id], "src_backup_id": backup.id}
    world.set(volume, status="available", metadata=metadata)


def _remove(world: World, identifier: str) -> None:
    if "delete" in world.failing:
        world.set(world.volumes[identifier], status="error_deleting")
    else:
        del world.volumes[identifier]


def _forget(world: World, identifier: str) -> None:
    world.snapshots.pop(identifier, None)


def _forget_backup(world: World, identifier: str) -> None:
    world.backups.pop(identifier, None)
