"""Backups against volumes in memory: repeated, at once, with answers lost, and killed at any call."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.volumes import ModelAttachments, ModelCinder, World
from tests.unit.conftest import run_in_virtual_time
from tests.unit.rooms.lives import Lives, plans, troubles
from tests.unit.rooms.volumes.examples import CLUSTER, OTHER, backup_wish, volume, wish
from tests.unit.rooms.volumes.test_apply import In, put, refusal

from causeway.cloud import errors
from causeway.cloud.cinder_objects import Backup, BackupRequest, Hints, Snapshot, Volume
from causeway.rooms.volumes import creation
from causeway.rooms.volumes.apply import Volumes
from causeway.rooms.volumes.backups import Backups
from causeway.rooms.volumes.health import in_cloud
from causeway.rooms.volumes.model import Near, Reason, Refused, Source, marks
from causeway.rooms.volumes.snapshots import Snapshots
from causeway.serve.csi.codes import Code, final_without_room, status

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class Driver(Lives):
    """The driver on a world, through all its lives; ``late`` is how far its clock is before the world's."""

    def __init__(self, world: World, late: float = 0.0, cinder: ModelCinder | None = None) -> None:
        self.world = world
        self.now = _MOMENT + timedelta(seconds=late)
        self.cinder = cinder or ModelCinder(world)
        super().__init__()

    def start(self) -> None:
        self.volumes = Volumes(self.cinder, ModelAttachments(self.world), CLUSTER, patience=60.0)
        self.snapshots = Snapshots(self.cinder, CLUSTER, patience=60.0)
        self.backups = Backups(self.cinder, self.snapshots, CLUSTER, patience=60.0, now=lambda: self.now)

    async def close(self) -> None:
        for each in (self.volumes, self.backups, self.snapshots):
            await each.close()

    async def ready(self, volume_id: str) -> Backup:
        """Ask for a backup until it is ready, as csi-snapshotter does."""
        while True:
            found: Backup = await self.insist(lambda it: it.backups.create(backup_wish(volume_id)))
            if found.status == "available":
                return found
            await asyncio.sleep(1)


@settings(max_examples=60)
@given(plans, st.integers(1, 3))
def test_a_backup_is_made_once_and_its_snapshot_goes(plan: list[str], at_once: int) -> None:
    async def go() -> World:
        world = World()
        identifier = put(world, volume(status="in-use"))
        driver = Driver(world)
        troubles(world, driver, plan)
        await asyncio.gather(*(driver.ready(identifier) for _ in range(at_once)))
        await driver.ready(identifier)
        return world

    world = run_in_virtual_time(go())
    assert [each.status for each in world.backups.values()] == ["available"]
    assert not world.snapshots


@settings(max_examples=40)
@given(plans)
def test_a_backup_that_is_deleted_on_its_way_leaves_nothing(plan: list[str]) -> None:
    async def go() -> World:
        world = World()
        driver = Driver(world)
        begun = await driver.backups.create(backup_wish(put(world, volume())))
        assert begun.status == "creating"
        troubles(world, driver, plan)
        await driver.insist(lambda it: it.backups.delete(begun.id))
        return world

    world = run_in_virtual_time(go())
    assert (world.backups, world.snapshots) == ({}, {})


@settings(max_examples=60)
@given(plans, st.booleans())
def test_a_volume_of_a_backup_is_made_once_and_carries_its_own_marks(plan: list[str], foreign: bool) -> None:
    async def go() -> World:
        world = World()
        source = volume("pvc-old", metadata=marks(OTHER if foreign else CLUSTER, "pvc-old"))
        driver = Driver(world)
        backup = await driver.ready(put(world, source))
        del world.volumes[source.id]
        troubles(world, driver, plan)
        asked = wish("pvc-new", source=Source(snapshot_id=backup.id))
        made = await driver.insist(lambda it: it.volumes.create(asked))
        assert (await driver.insist(lambda it: it.volumes.create(asked))).id == made.id
        return world

    world = run_in_virtual_time(go())
    (made,) = world.volumes.values()
    (backup,) = world.backups
    assert made.metadata == {**marks(CLUSTER, "pvc-new"), "src_backup_id": backup}


def test_a_volume_of_another_backup_is_refused(in_virtual_time: In) -> None:
    async def go() -> None:
        world = World()
        driver = Driver(world)
        backup = await driver.ready(put(world, volume()))
        await driver.volumes.create(wish("pvc-new", source=Source(snapshot_id=backup.id)))
        await driver.volumes.create(wish("pvc-new", source=Source(snapshot_id=OTHER)))

    assert refusal(in_virtual_time, go()).reason is Reason.EXISTS


def test_a_restore_that_failed_is_told_and_made_again(in_virtual_time: In) -> None:
    async def go() -> Volume:
        world = World()
        driver = Driver(world)
        backup = await driver.ready(put(world, volume()))
        asked = wish("pvc-new", source=Source(snapshot_id=backup.id))
        world.failing = {"restore"}
        with pytest.raises(Refused, match="pvc-new"):
            await driver.volumes.create(asked)
        assert [each.name for each in world.volumes.values()] == ["pvc-a"]
        world.failing = set()
        return await driver.volumes.create(asked)

    made: Volume = in_virtual_time(go())
    assert (made.status, made.metadata["causeway-uid"]) == ("available", "pvc-new")


def test_a_backup_that_failed_stays_and_is_told_until_it_is_deleted(in_virtual_time: In) -> None:
    async def go() -> None:
        world = World()
        identifier = put(world, volume())
        world.failing = {"backup"}
        driver = Driver(world)
        begun = await driver.backups.create(backup_wish(identifier))
        await asyncio.sleep(5)
        world.failing = set()
        for life in (driver, driver, Driver(world)):
            assert (await life.backups.create(backup_wish(identifier))).id == begun.id
            with pytest.raises(Refused, match=r"the store is full.*delete the VolumeSnapshot") as refused:
                await life.backups.create(backup_wish(identifier))
            assert refused.value.reason is Reason.PENDING
        assert (list(world.backups), world.snapshots) == ([begun.id], {})
        await driver.backups.delete(begun.id)
        assert not world.backups

    in_virtual_time(go())


def test_a_snapshot_cinder_does_not_let_go_of_is_told_and_goes_when_it_is_reset(in_virtual_time: In) -> None:
    async def go() -> World:
        world = World()
        identifier = put(world, volume())
        world.failing = {"schedule"}
        driver = Driver(world)
        begun = await driver.backups.create(backup_wish(identifier))
        await asyncio.sleep(5)
        (left,) = world.snapshots.values()
        assert (await driver.backups.create(backup_wish(identifier))).id == begun.id
        told = rf"Service not found.*{left.id}.*left in status backing-up.*administrator"
        told += r".*snapshot set --state available.*openstack volume set --state available.*in-use.*Retain"
        with pytest.raises(Refused, match=told):
            await driver.backups.create(backup_wish(identifier))
        (ill,) = in_cloud(world.volumes[identifier])
        assert ill.reason == "StatusLost"
        with pytest.raises(Refused):
            await driver.backups.delete(begun.id)
        assert list(world.backups) == [begun.id]  # by which alone the snapshot is known
        world.snapshots[left.id] = msgspec.structs.replace(left, status="available")
        await driver.backups.delete(begun.id)
        return world

    world: World = in_virtual_time(go())
    assert (world.backups, world.snapshots) == ({}, {})


_ASKED_AGAIN = (Code.ABORTED, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE)


@settings(max_examples=100)
@given(
    plans,
    st.lists(st.booleans(), max_size=6),
    st.sampled_from([set(), {"backup"}, {"snapshot"}, {"room"}]),
)
def test_whoever_gives_a_backup_up_has_its_id_or_nothing_is_there(
    plan: list[str], lost: list[bool], failing: set[str]
) -> None:
    """As csi-snapshotter does for a VolumeSnapshot that is deleted: it goes on until it has an id, which may
    be in an answer it loses, or until a refusal after which it takes it that nothing is there.
    """

    async def ask(it: Driver) -> Backup:
        with final_without_room("snapshot"):
            return await it.backups.create(backup_wish(volume().id))

    async def go() -> World:
        world = World()
        put(world, volume())
        world.failing = failing
        driver = Driver(world, cinder=Full(world) if "room" in failing else None)
        troubles(world, driver, plan)
        losses = iter(lost)
        handle = ""
        while not handle:
            await asyncio.sleep(2)
            try:
                answer = await driver.insist(ask)
            except Refused as refused:
                if status(refused)[0] in _ASKED_AGAIN:
                    continue
                return world
            handle = "" if next(losses, False) else answer.id
        await asyncio.sleep(2)
        await driver.insist(lambda it: it.backups.delete(handle))
        return world

    world = run_in_virtual_time(go())
    assert (world.backups, world.snapshots) == ({}, {})


def test_a_backup_whose_snapshot_cannot_go_yet_is_asked_for_again(in_virtual_time: In) -> None:
    async def go() -> None:
        world = World()
        driver = Driver(world)
        identifier = put(world, volume())
        await driver.backups.create(backup_wish(identifier))
        await asyncio.sleep(5)
        (left,) = world.snapshots.values()
        world.snapshots[left.id] = msgspec.structs.replace(left, status="error_deleting")
        with pytest.raises(Refused) as refused:
            await driver.backups.create(backup_wish(identifier))
        assert refused.value.reason is Reason.PENDING
        world.snapshots[left.id] = left
        assert (await driver.ready(identifier)).status == "available"
        assert not world.snapshots

    in_virtual_time(go())


class Full(ModelCinder):
    """A project without room for another backup."""

    async def create_backup(self, request: BackupRequest) -> Backup:
        raise errors.Quota("block-storage", "Maximum number of backups allowed (10) exceeded", status=413)


def test_an_order_that_is_refused_leaves_no_snapshot(in_virtual_time: In) -> None:
    async def go() -> None:
        with pytest.raises(errors.Quota):
            await Driver(world, cinder=Full(world)).backups.create(backup_wish(put(world, volume())))

    world = World()
    in_virtual_time(go())
    assert not world.snapshots


class Late(ModelCinder):
    """The order before, whose answer was lost, takes effect between the look and the next order."""

    async def create_backup(self, request: BackupRequest) -> Backup:
        await super().create_backup(request)
        return await super().create_backup(request)


def test_an_order_that_took_effect_after_the_look_is_gone_on_with(in_virtual_time: In) -> None:
    world = World()
    work = Driver(world, cinder=Late(world)).backups.create(backup_wish(put(world, volume())))
    assert in_virtual_time(work).id in world.backups
    assert (len(world.backups), len(world.snapshots)) == (1, 1)


class Unseen(ModelCinder):
    """The order before, whose answer was lost, is under way: only its snapshot shows it."""

    async def create_backup(self, request: BackupRequest) -> Backup:
        taken = self.world.snapshots[request.snapshot_id]
        self.world.snapshots[taken.id] = msgspec.structs.replace(taken, status="backing-up")
        raise errors.Quota("block-storage", "Maximum number of backups allowed (10) exceeded", status=413)


def test_an_order_that_is_under_way_is_not_given_up(in_virtual_time: In) -> None:
    world = World()
    work = Driver(world, cinder=Unseen(world)).backups.create(backup_wish(put(world, volume())))
    assert refusal(in_virtual_time, work).reason is Reason.PENDING
    assert len(world.snapshots) == 1


@pytest.mark.parametrize(("late", "pace", "told"), [(40, 20, False), (60, 20, True), (60, 60, False)])
def test_a_backup_that_takes_too_long_is_told_and_goes_on(
    in_virtual_time: In, late: float, pace: int, told: bool
) -> None:
    async def go() -> str:
        driver = Driver(World(latency=30.0), late)
        asked = backup_wish(put(driver.world, volume()), seconds_per_gib=pace)
        try:
            return (await driver.backups.create(asked)).status
        except Refused as refused:
            assert refused.reason is Reason.DEADLINE
            return "late"

    assert in_virtual_time(go()) == ("late" if told else "creating")


def test_a_backup_of_another_volume_is_refused() -> None:
    found = Backup("b", "creating", OTHER, 1, "2026-01-01T00:00:00", "snapshot-a")
    with pytest.raises(Refused) as refused:
        creation.judge_backup(backup_wish(volume().id), found)
    assert refused.value.reason is Reason.EXISTS


def test_a_snapshot_that_was_not_taken_for_the_backup_stays(in_virtual_time: In) -> None:
    async def go() -> World:
        world = World()
        driver = Driver(world)
        backup = await driver.ready(put(world, volume()))
        other = Snapshot(OTHER, "available", volume().id, 1, "2026-01-01T00:00:00", "by hand")
        world.snapshots[OTHER] = other
        world.backups[backup.id] = msgspec.structs.replace(backup, snapshot_id=OTHER)
        await driver.backups.delete(backup.id)
        return world

    assert list(in_virtual_time(go()).snapshots) == [OTHER]


def near(world: World, *with_these: str, without: tuple[str, ...] = ()) -> Any:
    return Driver(world).volumes.create(wish("pvc-new", near=Near(with_these, without)))


def test_volumes_a_claim_names_are_handed_on_by_their_ids(in_virtual_time: In) -> None:
    world = World()
    first = put(world, volume("pvc-first", metadata={}))
    second = put(world, volume("pvc-second", id=OTHER))
    made: Volume = in_virtual_time(near(world, "pvc-first", second, first, without=(second, "pvc-second")))
    assert world.hints == [Hints((first, second), (second,))]
    assert made.status == "available"


@pytest.mark.parametrize("write", [str.upper, lambda it: it.replace("-", ""), lambda it: f"urn:uuid:{it}"])
def test_an_id_may_be_written_in_any_way(in_virtual_time: In, write: Callable[[str], str]) -> None:
    world = World()
    first = put(world, volume("pvc-first", id="abcdefab-4444-4444-8444-444444444444"))
    in_virtual_time(near(world, write(first), first))
    assert world.hints == [Hints((first,))]


@pytest.mark.parametrize("count", [0, 2])
def test_a_name_that_is_not_one_volumes_is_refused(in_virtual_time: In, count: int) -> None:
    world = World()
    for number in range(count):
        put(world, volume("pvc-first", id=f"{number:08}-4444-4444-8444-444444444444"))
    told = refusal(in_virtual_time, near(world, "pvc-first"))
    assert told.reason is Reason.INVALID
    assert "pvc-first" in str(told)
