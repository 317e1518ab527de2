"""The acting file against volumes in memory: repeated, at once, with answers lost, and killed at any call."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.volumes import ModelAttachments, ModelCinder, World
from tests.unit.conftest import run_in_virtual_time
from tests.unit.rooms.lives import Lives, plans, troubles
from tests.unit.rooms.volumes.examples import (
    BLOCKS,
    CLUSTER,
    ONE,
    OTHER,
    SERVER,
    attached,
    snapshot_wish,
    volume,
    wish,
)

from causeway.cloud import errors
from causeway.cloud.cinder_objects import (
    Attachment,
    Backup,
    Hints,
    Snapshot,
    SnapshotRequest,
    Volume,
    VolumeRequest,
    VolumeType,
)
from causeway.rooms.volumes.apply import Volumes
from causeway.rooms.volumes.model import GIB, Capacity, Reason, Refused, Source
from causeway.rooms.volumes.snapshots import Snapshots

In = Callable[[Any], Any]


class Driver(Lives):
    """The driver on a world, through all its lives."""

    def __init__(self, world: World, patience: float = 60.0, cinder: type[ModelCinder] = ModelCinder) -> None:
        self.world = world
        self.cinder = cinder
        self.patience = patience
        super().__init__()

    def start(self) -> None:
        cinder = self.cinder(self.world)
        self.volumes = Volumes(cinder, ModelAttachments(self.world), CLUSTER, patience=self.patience)
        self.snapshots = Snapshots(cinder, CLUSTER, patience=self.patience)

    async def close(self) -> None:
        await self.volumes.close()
        await self.snapshots.close()


def here(*servers: str) -> World:
    world = World()
    world.servers = set(servers or (SERVER, OTHER))
    return world


def put(world: World, found: Any) -> str:
    world.volumes[found.id] = found
    return str(found.id)


ACTS: dict[str, Callable[[Driver, str], Coroutine[Any, Any, Any]]] = {
    "create": lambda driver, _: driver.volumes.create(wish("pvc-new")),
    "snapshot": lambda driver, it: driver.snapshots.create(snapshot_wish(it)),
    "publish": lambda driver, it: driver.volumes.publish(it, SERVER, ONE),
    "expand": lambda driver, it: driver.volumes.expand(it, Capacity(3 * GIB)),
    "modify": lambda driver, it: driver.volumes.modify(it, "fast"),
    "delete": lambda driver, it: driver.volumes.delete(it),
}


@settings(max_examples=60)
@given(plans, st.sampled_from(sorted(ACTS)), st.integers(1, 3))
def test_repeated_concurrent_lost_and_killed_calls_do_it_once(
    plan: list[str], act: str, at_once: int
) -> None:
    async def go() -> World:
        world = here()
        identifier = put(world, volume())
        driver = Driver(world)
        troubles(world, driver, plan)
        asks = (driver.insist(lambda it: ACTS[act](it, identifier)) for _ in range(at_once))
        await asyncio.gather(*asks)
        await driver.insist(lambda it: ACTS[act](it, identifier))  # once more: nothing is left to do
        return world

    world = run_in_virtual_time(go())
    by_name = [each.name for each in world.volumes.values()]
    kept = next((each for each in world.volumes.values() if each.name == "pvc-a"), None)
    assert by_name.count("pvc-new") == (act == "create")
    assert len(world.snapshots) == (act == "snapshot")
    assert (kept is None) == (act == "delete")
    if kept is not None:
        assert kept.servers == ([SERVER] if act == "publish" else [])
        assert kept.size == (3 if act == "expand" else 1)
        assert kept.volume_type == ("fast" if act == "modify" else "plain")
        assert kept.status == ("in-use" if act == "publish" else "available")


@settings(max_examples=40)
@given(plans)
def test_a_volume_is_away_whatever_happened_on_its_way(plan: list[str]) -> None:
    async def go() -> World:
        world = here()
        identifier = put(world, volume())
        driver = Driver(world)
        troubles(world, driver, plan)
        with contextlib.suppress(asyncio.CancelledError, errors.CloudError):
            await driver.volumes.publish(identifier, SERVER, ONE)
        await driver.insist(lambda it: it.volumes.unpublish(identifier, SERVER))
        await asyncio.sleep(30)
        return world

    world = run_in_virtual_time(go())
    assert [each.servers for each in world.volumes.values()] == [[]]
    assert [each.status for each in world.volumes.values()] == ["available"]


def refusal(in_virtual_time: In, work: Coroutine[Any, Any, Any]) -> Refused:
    async def go() -> Refused:
        with pytest.raises(Refused) as refused:
            await work
        return refused.value

    refused: Refused = in_virtual_time(go())
    return refused


def test_a_volume_that_fails_is_taken_away_and_the_reason_told(in_virtual_time: In) -> None:
    world = here()
    world.failing = {"create"}
    refused = refusal(in_virtual_time, Driver(world).volumes.create(wish()))
    assert refused.reason is Reason.EXHAUSTED
    assert "available weighted backend" in str(refused)
    assert not world.volumes


def test_a_failed_volume_of_an_earlier_life_is_made_again(in_virtual_time: In) -> None:
    world = here()
    old = put(world, volume(status="error"))
    made = in_virtual_time(Driver(world).volumes.create(wish()))
    assert made.status == "available"
    assert made.id != old
    assert list(world.volumes) == [made.id]


def test_a_snapshot_that_fails_is_taken_away(in_virtual_time: In) -> None:
    world = here()
    world.failing = {"snapshot"}
    refused = refusal(in_virtual_time, Driver(world).snapshots.create(snapshot_wish(put(world, volume()))))
    assert refused.reason is Reason.FAILED
    assert not world.snapshots


def test_a_copy_waits_for_its_source_and_refuses_a_missing_one(in_virtual_time: In) -> None:
    world = here()
    source = put(world, volume(name="source", status="creating", metadata={}, size=2))
    driver = Driver(world)
    copy = wish(source=Source(volume_id=source))
    assert refusal(in_virtual_time, driver.volumes.create(copy)).reason is Reason.PENDING
    world.set(world.volumes[source], status="available")
    made = in_virtual_time(Driver(world).volumes.create(copy))
    assert (made.size, made.source_volid) == (2, source)
    missing = wish("pvc-b", source=Source(snapshot_id="none"))
    assert refusal(in_virtual_time, Driver(world).volumes.create(missing)).reason is Reason.NOT_FOUND


def test_a_volume_for_several_nodes_needs_a_type_for_it(in_virtual_time: In) -> None:
    world = here()
    ordinary = wish(capabilities=(BLOCKS,), volume_type="fast")
    assert refusal(in_virtual_time, Driver(world).volumes.create(ordinary)).reason is Reason.INVALID
    assert "create volume" not in world.calls
    world.types.append(VolumeType("t3", "shared", {"multiattach": "<is> True"}))
    shared = wish(capabilities=(BLOCKS,), volume_type="shared")
    made = in_virtual_time(Driver(world).volumes.create(shared))
    assert made.multiattach
    for server in (SERVER, OTHER):
        in_virtual_time(Driver(world).volumes.publish(made.id, server, BLOCKS))
    assert world.volumes[made.id].servers == [SERVER, OTHER]


FOR_SEVERAL = VolumeType("t1", "plain", {"multiattach": "<is> True"})


@settings(max_examples=60)
@given(plans, st.booleans(), st.booleans())
def test_whether_a_type_is_for_several_nodes_is_told_by_its_volume_and_nothing_is_left(
    plan: list[str], named: bool, able: bool
) -> None:
    """The class names no type, or one whose extra specifications are not shown."""

    async def go() -> World:
        world = here()
        world.shows_specs = not named
        world.types[0] = FOR_SEVERAL if able else world.types[0]
        driver = Driver(world)
        troubles(world, driver, plan)
        asked = wish(capabilities=(BLOCKS,), volume_type="plain" if named else "")
        try:
            made = await driver.insist(lambda it: it.volumes.create(asked))
            assert able
            assert made.multiattach
        except Refused as refused:
            assert refused.reason is Reason.INVALID
            assert not able
        await asyncio.sleep(5)
        return world

    assert len(run_in_virtual_time(go()).volumes) == able


def test_a_copy_of_a_backup_that_is_for_one_server_is_taken_away_as_well(in_virtual_time: In) -> None:
    world = here()
    world.backups["b"] = Backup("b", "available", OTHER, 1, "2026-01-01T00:00:00")
    world.backed_up["b"] = {}
    asked = wish(capabilities=(BLOCKS,), source=Source(snapshot_id="b"))
    assert refusal(in_virtual_time, Driver(world).volumes.create(asked)).reason is Reason.INVALID
    assert not world.volumes


def test_a_volume_that_cannot_even_be_deleted_is_told_of(in_virtual_time: In) -> None:
    world = here()
    world.failing = {"delete"}
    asked = wish(capabilities=(BLOCKS,))
    assert refusal(in_virtual_time, Driver(world).volumes.create(asked)).reason is Reason.FAILED


class Free(ModelCinder):
    """Cinder takes a type in any capitals, as MySQL does, and falls back from a zone it does not have."""

    async def create_volume(self, request: VolumeRequest, hints: Hints | None = None) -> Volume:
        shown = request.volume_type.strip().casefold()
        taken = msgspec.structs.replace(request, volume_type=shown, availability_zone="")
        return await super().create_volume(taken, hints)


@settings(max_examples=60)
@given(
    plans,
    st.sampled_from(["FAST", "fast ", "Fast"]),
    st.sampled_from([{"zone": "az1"}, {"zones": ("az1",)}, {}]),
    st.sampled_from([{"zone": "az1"}, {"zones": ("az2", "az1")}, {}]),
)
def test_what_cinder_makes_in_its_own_way_is_made_once_and_never_refused(
    plan: list[str], word: str, first: dict[str, Any], then: dict[str, Any]
) -> None:
    """Also when the pod's place changes between two calls: the zone that is told is the volume's."""

    async def go() -> World:
        world = here()
        driver = Driver(world, cinder=Free)
        troubles(world, driver, plan)
        for place in (first, then):
            asked = wish(volume_type=word, **place)
            made = await driver.insist(lambda it: it.volumes.create(asked))  # noqa: B023 - awaited here
            assert (made.availability_zone, made.volume_type) == ("nova", "fast")
        return world

    world = run_in_virtual_time(go())
    assert len(world.volumes) == 1
    assert "list types" not in world.calls


def test_nova_giving_up_is_told(in_virtual_time: In) -> None:
    world = here()
    world.failing = {"attach"}
    identifier = put(world, volume())
    refused = refusal(in_virtual_time, Driver(world).volumes.publish(identifier, SERVER, ONE))
    assert refused.reason is Reason.FAILED
    world.failing = {"detach"}
    in_use = put(world, attached(SERVER))
    assert refusal(in_virtual_time, Driver(world).volumes.unpublish(in_use, SERVER)).reason is Reason.FAILED


def test_a_volume_of_a_server_that_is_gone_is_let_go(in_virtual_time: In) -> None:
    world = here(OTHER)
    identifier = put(world, attached(SERVER))
    in_virtual_time(Driver(world).volumes.unpublish(identifier, SERVER))
    assert world.volumes[identifier].status == "available"


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (lambda driver, it: driver.volumes.publish(it, "gone", ONE), Reason.NOT_FOUND),
        (lambda driver, it: driver.volumes.publish(it, OTHER, ONE), Reason.PRECONDITION),
        (lambda driver, it: driver.volumes.delete(it), Reason.PRECONDITION),
        (lambda driver, it: driver.volumes.expand(it, Capacity(1, 1)), Reason.OUT_OF_RANGE),
        (lambda driver, it: driver.snapshots.create(snapshot_wish(it)), Reason.PRECONDITION),
    ],
)
def test_what_is_refused_of_a_volume_in_use(in_virtual_time: In, work: Any, reason: Reason) -> None:
    world = here()
    identifier = put(world, attached(SERVER))
    assert refusal(in_virtual_time, work(Driver(world), identifier)).reason is reason


@pytest.mark.parametrize(("wanted", "calls"), [("fast", 1), ("t2", 1), ("plain", 0), ("t1", 0), ("", 0)])
def test_a_type_is_changed_by_name_or_id_and_only_to_another(
    in_virtual_time: In, wanted: str, calls: int
) -> None:
    world = here()
    identifier = put(world, attached(SERVER))
    in_virtual_time(Driver(world).volumes.modify(identifier, wanted))
    assert world.calls.count("retype volume") == calls
    assert (world.volumes[identifier].volume_type == "fast") is bool(calls)
    assert world.volumes[identifier].status == "in-use"


@pytest.mark.parametrize(("wanted", "becomes"), [("FAST ", "fast"), ("fast", "fast"), ("Fast", "Fast")])
def test_a_type_is_meant_to_the_letter_before_it_is_meant_nearly(
    in_virtual_time: In, wanted: str, becomes: str
) -> None:
    world = here()
    if wanted == "Fast":
        world.types.append(VolumeType("t3", "Fast", {}))
    identifier = put(world, volume())
    in_virtual_time(Driver(world).volumes.modify(identifier, wanted))
    assert world.volumes[identifier].volume_type == becomes


def test_a_type_that_two_are_nearly_is_refused(in_virtual_time: In) -> None:
    world = here()
    world.types.append(VolumeType("t3", "Fast", {}))
    modify = Driver(world).volumes.modify(put(world, volume()), "FAST")
    assert refusal(in_virtual_time, modify).reason is Reason.INVALID


def test_a_volume_that_a_host_has_is_not_deleted(in_virtual_time: In) -> None:
    world = here()
    identifier = put(world, volume(status="in-use", attachments=[Attachment(None, "at-host")]))
    told = refusal(in_virtual_time, Driver(world).volumes.delete(identifier))
    assert told.reason is Reason.PRECONDITION
    assert "a host that is no server" in str(told)
    in_virtual_time(Driver(world).volumes.unpublish(identifier, ""))
    assert world.volumes[identifier].attachments


def test_a_type_that_a_class_names_by_its_id_is_the_same_when_asked_again(in_virtual_time: In) -> None:
    world = here()
    fast = str(UUID(int=2))
    world.types.append(VolumeType(fast, "faster"))
    driver = Driver(world)
    asked = wish(volume_type=fast)
    made = in_virtual_time(driver.volumes.create(asked))
    assert made.volume_type == "faster"
    assert in_virtual_time(driver.volumes.create(asked)).id == made.id
    told = refusal(in_virtual_time, driver.volumes.create(wish("pvc-b", volume_type=str(UUID(int=3)))))
    assert told.reason is Reason.INVALID
    assert [made.id] == list(world.volumes)


def test_a_type_that_is_not_there_is_refused_with_those_that_are(in_virtual_time: In) -> None:
    world = here()
    told = refusal(in_virtual_time, Driver(world).volumes.modify(put(world, volume()), "gold"))
    assert told.reason is Reason.INVALID
    assert "plain, fast" in str(told)


def test_failures_at_the_end_of_the_way_are_told(in_virtual_time: In) -> None:
    world = here()
    world.failing = {"extend", "delete", "retype"}
    identifier = put(world, volume())
    modify = Driver(world).volumes.modify(identifier, "fast")
    assert refusal(in_virtual_time, modify).reason is Reason.FAILED
    expand = Driver(world).volumes.expand(identifier, Capacity(2 * GIB))
    assert refusal(in_virtual_time, expand).reason is Reason.FAILED
    assert refusal(in_virtual_time, Driver(world).volumes.delete(identifier)).reason is Reason.FAILED


def test_patience_ends_and_the_next_call_goes_on(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here()
        world.latency = 100.0
        driver = Driver(world)
        with pytest.raises(Refused) as refused:
            await driver.volumes.create(wish())
        assert refused.value.reason is Reason.DEADLINE
        await driver.volumes.create(wish())
        return world

    assert len(in_virtual_time(go()).volumes) == 1


def test_fifty_volumes_at_once_are_waited_for_by_few_calls(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here()
        world.latency = 20.0
        driver = Driver(world)
        await asyncio.gather(*(driver.volumes.create(wish(f"pvc-{each}")) for each in range(50)))
        return world

    calls = in_virtual_time(go()).calls
    # What has their names is asked for all at once, before and after, and one poll waits for all.
    assert calls.count("get volume") == 0
    assert calls.count("list volumes") < 4 + 30


class LastRoom(ModelCinder):
    """The order before, whose answer was lost, takes the last room between the look and the next order."""

    async def create_volume(self, request: VolumeRequest, hints: Hints | None = None) -> Volume:
        await super().create_volume(request, hints)
        raise errors.Quota("block-storage", "Maximum number of volumes allowed (10) exceeded", status=413)

    async def create_snapshot(self, request: SnapshotRequest) -> Snapshot:
        await super().create_snapshot(request)
        raise errors.Quota("block-storage", "Maximum number of snapshots allowed (10) exceeded", status=413)


def test_an_order_that_took_the_last_room_is_gone_on_with(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here()
        cinder = LastRoom(world)
        made = await Volumes(cinder, ModelAttachments(world), CLUSTER).create(wish())
        taken = await Snapshots(cinder, CLUSTER).create(snapshot_wish(made.id))
        assert (made.status, taken.status) == ("available", "available")
        return world

    world = in_virtual_time(go())
    assert (len(world.volumes), len(world.snapshots)) == (1, 1)


class Repeating(ModelCinder):
    """The HTTP client repeats what is idempotent when an answer was lost; then the order is there already."""

    async def delete_volume(self, identifier: str) -> None:
        await super().delete_volume(identifier)
        await super().delete_volume(identifier)

    async def delete_snapshot(self, identifier: str) -> None:
        await super().delete_snapshot(identifier)
        await super().delete_snapshot(identifier)


class RepeatingNova(ModelAttachments):
    """Nova asked in the same way."""

    async def detach(self, server_id: str, volume_id: str) -> None:
        await super().detach(server_id, volume_id)
        await super().detach(server_id, volume_id)


def test_an_order_that_the_http_client_repeats_is_gone_on_with(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here()
        failed = put(world, volume("pvc-b", id=OTHER, status="error"))
        identifier = put(world, attached(SERVER))
        cinder = Repeating(world)
        volumes = Volumes(cinder, RepeatingNova(world), CLUSTER)
        snapshots = Snapshots(cinder, CLUSTER)
        taken = await snapshots.create(snapshot_wish(identifier, force=True))
        await snapshots.delete(taken.id)
        await volumes.unpublish(identifier, SERVER)
        await volumes.delete(identifier)
        assert (await volumes.create(wish("pvc-b"))).id != failed
        return world

    world = in_virtual_time(go())
    assert [each.name for each in world.volumes.values()] == ["pvc-b"]
    assert not world.snapshots


def test_what_nova_says_against_detaching_is_told(in_virtual_time: In) -> None:
    class Unwilling(ModelAttachments):
        async def detach(self, server_id: str, volume_id: str) -> None:
            raise errors.BadRequest("compute", "the server's root disk", status=400)

    world = here()
    volumes = Volumes(ModelCinder(world), Unwilling(world), CLUSTER)
    told = refusal(in_virtual_time, volumes.unpublish(put(world, attached(SERVER)), SERVER))
    assert (told.reason, "root disk" in str(told)) == (Reason.FAILED, True)


def test_fifty_attachments_at_once_take_one_order_each_and_few_looks(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here()
        world.latency = 20.0
        for number in range(50):
            put(world, volume(f"pvc-{number}", id=f"{number:08}-4444-4444-8444-444444444444"))
        driver = Driver(world)
        for ask in (driver.volumes.publish, lambda it, at, _: driver.volumes.unpublish(it, at)):
            await asyncio.gather(*(ask(each, SERVER, ONE) for each in [*world.volumes]))
        return world

    world = in_virtual_time(go())
    assert (world.calls.count("attach"), world.calls.count("detach")) == (50, 50)
    assert world.calls.count("get volume") == 0
    assert world.calls.count("list volumes") < 2 * 30


def test_deleting_what_is_not_there_is_done(in_virtual_time: In) -> None:
    driver = Driver(here())
    in_virtual_time(driver.volumes.delete("no-such"))
    in_virtual_time(driver.snapshots.delete("no-such"))
    in_virtual_time(driver.volumes.unpublish("no-such", SERVER))
