"""What is proven with volumes in memory holds on Cinder and Nova: the same calls, the same observations."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.integration.projects import CLOUD, Project, until
from tests.integration.volumes.conftest import mine, other_type, server
from tests.models.volumes import ModelAttachments, ModelCinder, World

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import BackupRequest, SnapshotRequest, Volume, VolumeRequest
from causeway.cloud.nova import Attachments
from causeway.cloud.session import Cloud
from causeway.rooms.volumes.attachment import settled

__all__ = ["mine", "other_type", "server"]
NOWHERE = "99999999-9999-4999-8999-999999999999"


class Scenario:
    """A walk through everything the driver does with volumes; ``seen`` is what it saw on its way."""

    def __init__(self, cinder: Cinder, attachments: Attachments, server_id: str, other: str) -> None:
        self.cinder = cinder
        self.attachments = attachments
        self.server = server_id
        self.other = other  # a volume type that is not the default one
        self.name = f"contract-{uuid.uuid4().hex[:8]}"
        self.seen: list[object] = []

    async def walk(self) -> list[object]:
        """Walk, and return what was seen."""
        request = VolumeRequest(self.name, 1, {"causeway": "true", "key": "value"})
        made = await self.cinder.create_volume(request)
        self.see("made", made.status, made.size, made.name == self.name, made.metadata, made.attachments)
        await self.become(made.id, settled)
        self.see(
            len(await self.cinder.volumes_named(self.name)), await self.cinder.volumes_named(f"{self.name}x")
        )
        await self.restore(await self.backup(made.id))
        await self.attach(made.id)
        await self.extend(made.id)
        await self.retype(made.id)
        snapshot = await self.snapshots(made.id)
        await self.copy(made.id, snapshot)
        await self.detach(made.id)
        await self.refused(self.cinder.delete_volume(made.id))
        await self.forget(snapshot)
        await self.delete(made.id)
        await self.missing()
        return self.seen

    async def attach(self, volume: str) -> None:
        self.see("server", await self.attachments.server_exists(self.server))
        await self.attachments.attach(self.server, volume)
        begun = await self.cinder.get_volume(volume)
        self.see("passing or done", not settled(begun) or begun.servers == [self.server])
        await self.become(volume, lambda it: settled(it) and bool(it and it.attachments))
        await self.refused(self.attachments.attach(self.server, volume))
        await self.refused(self.cinder.delete_volume(volume))

    async def extend(self, volume: str) -> None:
        await self.cinder.extend_volume(volume, 2)
        await self.become(volume, lambda it: settled(it) and bool(it and it.size == 2))
        await self.refused(self.cinder.extend_volume(volume, 1))

    async def retype(self, volume: str) -> None:
        now = await self.cinder.get_volume(volume)
        names = {each.name for each in await self.cinder.list_types()}
        self.see("types", now.volume_type in names, self.other in names)
        await self.refused(self.cinder.retype_volume(volume, "no-such"))
        await self.refused(self.cinder.retype_volume(volume, str(now.volume_type)))
        await self.cinder.retype_volume(volume, self.other)
        await self.become(volume, lambda it: settled(it) and bool(it and it.volume_type == self.other))

    async def snapshots(self, volume: str) -> str:
        await self.refused(self.cinder.create_snapshot(SnapshotRequest(volume, self.name, {})))
        taken = await self.cinder.create_snapshot(SnapshotRequest(volume, self.name, {"k": "v"}, force=True))
        self.see(taken.status, taken.size, taken.volume_id == volume, taken.metadata)

        async def ready() -> bool:
            return (await self.cinder.get_snapshot(taken.id)).status == "available"

        await self.until(ready)
        self.see(
            [each.id == taken.id for each in await self.cinder.snapshots_named(self.name)],
            [each.id == taken.id for each in await self.cinder.snapshots_of(volume)],
            len((await self.cinder.page_of_snapshots(5, volume_id=volume))[0]),
        )
        return taken.id

    async def copy(self, volume: str, snapshot: str) -> None:
        for more in ({"snapshot_id": snapshot}, {"source_volid": volume}):
            await self.refused(self.cinder.create_volume(VolumeRequest(self.name, 1, {}, **more)))
            made = await self.cinder.create_volume(VolumeRequest(f"{self.name}-copy", 3, {}, **more))
            self.see(made.size, made.snapshot_id == snapshot, made.source_volid == volume)
            await self.become(made.id, settled)
            await self.delete(made.id)

    async def forget(self, snapshot: str) -> None:
        await self.cinder.delete_snapshot(snapshot)
        await self.until(lambda: self.gone(self.cinder.get_snapshot(snapshot)))

    async def backup(self, volume: str) -> str:
        """Make a backup of a volume by a snapshot; return its id."""
        snapshot = (await self.cinder.create_snapshot(SnapshotRequest(volume, self.name, {}))).id

        async def taken() -> bool:
            return (await self.cinder.get_snapshot(snapshot)).status == "available"

        await self.until(taken)
        request = BackupRequest(volume, snapshot, self.name, {"k": "v"})
        made = await self.cinder.create_backup(request)
        self.see(made.status, made.size, made.volume_id == volume, made.snapshot_id == snapshot)
        found = await self.cinder.get_snapshot(snapshot)
        self.see(made.name == self.name, made.metadata, made.data_timestamp == found.created_at)
        self.see(found.status)
        # Beside each other, for what they are refused for lasts a moment.
        self.see(
            *await asyncio.gather(
                self.outcome(self.cinder.create_backup(request)),
                self.outcome(self.cinder.delete_snapshot(snapshot)),
                self.outcome(self.cinder.delete_backup(made.id)),
            )
        )
        await self.until(lambda: self.ready(made.id))
        self.see((await self.cinder.get_snapshot(snapshot)).status)
        self.see(
            [each.id == made.id for each in await self.cinder.backups_named(self.name)],
            await self.cinder.backups_named(f"{self.name}x"),
            [each.id == made.id for each in (await self.cinder.page_of_backups(5, "", volume))[0]],
            (await self.cinder.page_of_backups(5, "", NOWHERE))[0],
        )
        await self.forget(snapshot)
        return made.id

    async def restore(self, backup: str) -> None:
        """Make a volume of a backup: it gets the metadata of the volume that was backed up."""
        request = VolumeRequest(f"{self.name}-restored", 1, {"key": "other"}, backup_id=backup)
        made = await self.cinder.create_volume(request)
        self.see(made.status, made.size, made.metadata)
        await self.become(made.id, settled)
        restored = await self.cinder.get_volume(made.id)
        self.see(restored.metadata.pop("src_backup_id") == backup, restored.metadata)
        marked = await self.cinder.mark_volume(restored, {"key": "mine"})
        self.see(marked.metadata, (await self.cinder.get_volume(made.id)).metadata)
        await self.until(lambda: self.ready(backup))
        await self.delete(made.id)
        await self.cinder.delete_backup(backup)
        await self.until(lambda: self.gone(self.cinder.get_backup(backup)))
        await self.cinder.delete_backup(backup)

    async def ready(self, backup: str) -> bool:
        """Return whether nothing is being done with a backup."""
        return (await self.cinder.get_backup(backup)).status == "available"

    async def detach(self, volume: str) -> None:
        await self.attachments.detach(self.server, volume)
        await self.become(volume, lambda it: settled(it) and bool(it and not it.attachments))
        await self.refused(self.attachments.detach(self.server, volume))

    async def delete(self, volume: str) -> None:
        await self.cinder.delete_volume(volume)
        await self.until(lambda: self.gone(self.cinder.get_volume(volume)))
        await self.cinder.delete_volume(volume)

    async def missing(self) -> None:
        await self.refused(self.cinder.get_volume(NOWHERE))
        await self.refused(self.cinder.get_snapshot(NOWHERE))
        await self.refused(self.cinder.get_backup(NOWHERE))
        await self.refused(self.cinder.page_of_backups(5, NOWHERE))
        await self.refused(self.cinder.create_volume(VolumeRequest(self.name, 1, {}, backup_id=NOWHERE)))
        await self.refused(self.cinder.page_of_volumes(5, NOWHERE))
        await self.refused(self.cinder.page_of_snapshots(5, NOWHERE))
        await self.refused(self.cinder.create_volume(VolumeRequest(self.name, 1, {}, volume_type="no-such")))
        await self.refused(self.attachments.attach(NOWHERE, NOWHERE))
        self.see("server", await self.attachments.server_exists(NOWHERE))

    def see(self, *facts: object) -> None:
        self.seen.append(facts)

    async def become(self, volume: str, condition: Callable[[Volume | None], bool]) -> None:
        async def has() -> bool:
            return condition(await self.cinder.get_volume(volume))

        await self.until(has)
        now = await self.cinder.get_volume(volume)
        self.see(now.status, now.size, [each == self.server for each in now.servers])

    async def refused(self, call: Awaitable[Any]) -> None:
        self.see(await self.outcome(call))

    @staticmethod
    async def outcome(call: Awaitable[Any]) -> str:
        """Return as what a call is refused, or that it is done."""
        try:
            await call
        except errors.CloudError as error:
            return type(error).__name__
        return "done"

    @staticmethod
    async def gone(call: Awaitable[Any]) -> bool:
        try:
            await call
        except errors.NotFound:
            return True
        return False

    @staticmethod
    async def until(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(240):
            while True:
                if await condition():
                    return
                await asyncio.sleep(0.1)


@pytest.fixture
async def of_model() -> list[object]:
    world = World(latency=0.05)
    server_id = str(uuid.uuid4())
    world.servers = {server_id}
    return await Scenario(ModelCinder(world), ModelAttachments(world), server_id, "fast").walk()


async def test_the_model_behaves_as_cinder_and_nova_do(
    mine: Project, server: Any, other_type: str, of_model: list[object]
) -> None:
    until(lambda: mine.cloud.compute.get_server(server.id).status == "ACTIVE")
    async with await Cloud.open(CLOUD, mine.clouds) as cloud:
        real = await Scenario(Cinder(cloud), Attachments(cloud), server.id, other_type).walk()
    assert real == of_model
