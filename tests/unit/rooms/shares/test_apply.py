"""The acting files against shares in memory: repeated, at once, with answers lost, and killed at any call."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.shares import ModelAddresses, ModelManila, World
from tests.unit.conftest import run_in_virtual_time
from tests.unit.rooms.lives import Lives, plans, troubles
from tests.unit.rooms.shares.examples import (
    CLUSTER,
    NODE,
    OTHER,
    SHARE,
    rule,
    share,
    snapshot,
    snapshot_wish,
    wish,
)

from causeway.cloud import errors
from causeway.cloud.manila_objects import Share, ShareRequest, ShareSnapshot, ShareSnapshotRequest
from causeway.engine.storage.model import GIB, Capacity, Reason, Refused
from causeway.rooms.shares.apply import Shares
from causeway.rooms.shares.model import CEPHFS, Clients, node_of
from causeway.rooms.shares.snapshots import ShareSnapshots

In = Callable[[Any], Any]
NOBODY = Clients()
SOMEWHERE = "77777777-7777-4777-8777-777777777777"
GOLD = "aaaaaaaa-6666-4666-8666-666666666666"
ADDRESSES = {NODE: ["10.0.1.1", "fd00::1"], OTHER: ["10.0.1.2"]}


class Driver(Lives):
    """The driver on a world, through all its lives."""

    def __init__(self, world: World, patience: float = 60.0) -> None:
        self.world = world
        self.patience = patience
        super().__init__()

    def start(self) -> None:
        manila = ModelManila(self.world)
        self.shares = Shares(manila, ModelAddresses(self.world), CLUSTER, patience=self.patience)
        self.snapshots = ShareSnapshots(manila, CLUSTER, patience=self.patience)

    async def close(self) -> None:
        await self.shares.close()
        await self.snapshots.close()


def here(*rules: Any, **more: Any) -> World:
    """Return a world with one share."""
    world = World()
    world.servers = {key: list(value) for key, value in ADDRESSES.items()}
    world.shares[SHARE] = share(**more)
    world.rules[SHARE] = {each.id: each for each in rules}
    return world


def let_in(world: World) -> dict[str, str | None]:
    return {each.access_to: node_of(each.metadata, CLUSTER) for each in world.rules.get(SHARE, {}).values()}


ACTS: dict[str, Callable[[Driver], Coroutine[Any, Any, Any]]] = {
    "create": lambda driver: driver.shares.create(wish("pvc-new")),
    "snapshot": lambda driver: driver.snapshots.create(snapshot_wish()),
    "publish": lambda driver: driver.shares.publish(SHARE, NODE, NOBODY),
    "handle": lambda driver: driver.shares.publish("chosen", NODE, NOBODY, share=SHARE),
    "expand": lambda driver: driver.shares.expand(SHARE, Capacity(3 * GIB)),
    "delete": lambda driver: driver.shares.delete(SHARE),
}


@settings(max_examples=60)
@given(plans, st.sampled_from(sorted(ACTS)), st.integers(1, 3))
def test_repeated_concurrent_lost_and_killed_calls_do_it_once(
    plan: list[str], act: str, at_once: int
) -> None:
    async def go() -> World:
        world = here()
        driver = Driver(world)
        troubles(world, driver, plan)
        await asyncio.gather(*(driver.insist(ACTS[act]) for _ in range(at_once)))
        await driver.insist(ACTS[act])  # once more: nothing is left to do
        return world

    world = run_in_virtual_time(go())
    names = [each.name for each in world.shares.values()]
    assert names.count("pvc-new") == (act == "create")
    assert names.count("pvc-a") == (act != "delete")
    assert len(world.snapshots) == (act == "snapshot")
    assert let_in(world) == ({"10.0.1.1": NODE} if act in ("publish", "handle") else {})
    if SHARE in world.shares:
        assert world.shares[SHARE].size == (3 if act == "expand" else 1)
        assert world.shares[SHARE].status == "available"


def opening(node: str) -> Callable[[Driver], Coroutine[Any, Any, Any]]:
    return lambda it: it.shares.publish(SHARE, node, NOBODY)


def closing(node: str) -> Callable[[Driver], Coroutine[Any, Any, Any]]:
    return lambda it: it.shares.unpublish(SHARE, node)


@settings(max_examples=60)
@given(plans, st.lists(st.tuples(st.sampled_from([NODE, OTHER]), st.booleans()), max_size=5), st.booleans())
def test_whatever_happened_a_share_is_open_to_exactly_the_nodes_asked_for_last(
    plan: list[str], asked: list[tuple[str, bool]], ceph: bool
) -> None:
    async def go() -> World:
        theirs = rule("192.0.2.0/24", None)
        world = here(theirs, share_proto=CEPHFS if ceph else "NFS")
        driver = Driver(world)
        troubles(world, driver, plan)
        for node, opened in asked:
            await driver.alive.wait()
            with contextlib.suppress(asyncio.CancelledError, errors.CloudError):
                await (opening(node) if opened else closing(node))(driver)
        await driver.alive.wait()
        last = dict(asked)
        for node, opened in last.items():
            await driver.insist(opening(node) if opened else closing(node))
        return world

    world = run_in_virtual_time(go())
    wanted = {node for node, opened in dict(asked).items() if opened}
    found = let_in(world)
    assert found.pop("192.0.2.0/24") is None
    assert sorted(str(each) for each in found.values()) == sorted(wanted)
    assert all(each.state == "active" for each in world.rules[SHARE].values())


def test_both_nodes_at_once(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here()
        driver = Driver(world)
        given = await asyncio.gather(*(driver.shares.publish(SHARE, each, NOBODY) for each in (NODE, OTHER)))
        assert given == [given[0]] * 2
        assert given[0].location == f"10.0.0.10:/{SHARE}"  # the preferred one
        return world

    assert let_in(in_virtual_time(go())) == {"10.0.1.1": NODE, "10.0.1.2": OTHER}


def test_each_node_has_a_user_of_its_own_and_no_key_is_told(in_virtual_time: In) -> None:
    async def go() -> None:
        driver = Driver(here(share_proto=CEPHFS))
        mine = await driver.shares.publish(SHARE, NODE, NOBODY)
        theirs = await driver.shares.publish(SHARE, OTHER, NOBODY)
        assert mine.user != theirs.user
        assert mine.key == f"key-of-{mine.user}"
        told = f"{mine!r} {driver.world.rules}"
        assert mine.key not in told

    in_virtual_time(go())


def test_a_node_is_told_the_file_system_and_nobody_is_let_in_where_none_can_be_meant(
    in_virtual_time: In,
) -> None:
    async def go(options: str) -> World:
        world = here(share_proto=CEPHFS, metadata={"__mount_options": options})
        entry = await Driver(world).shares.publish(SHARE, NODE, NOBODY)
        assert entry.filesystem == "slow"
        return world

    assert in_virtual_time(go("fs=slow")).rules[SHARE]
    world = here(share_proto=CEPHFS, metadata={"__mount_options": "fs=-slow"})
    refused = refusal(in_virtual_time, Driver(world).shares.publish(SHARE, NODE, NOBODY))
    assert (refused.reason, world.rules[SHARE]) == (Reason.PRECONDITION, {})


def test_a_node_with_the_address_of_one_that_is_gone_takes_over_its_rule(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here(rule("10.0.1.1", "gone"))
        driver = Driver(world)
        await driver.shares.publish(SHARE, NODE, NOBODY)
        await driver.shares.unpublish(SHARE, "gone")
        return world

    assert let_in(in_virtual_time(go())) == {"10.0.1.1": NODE}


def test_a_class_that_names_its_clients_is_followed(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here()
        driver = Driver(world)
        await driver.shares.publish(SHARE, NODE, Clients(("192.0.2.7", "198.51.100.0/24")))
        await driver.shares.unpublish(SHARE, NODE)
        await driver.shares.unpublish(SHARE, "")
        return world

    assert let_in(in_virtual_time(go())) == {"192.0.2.7": "", "198.51.100.0/24": ""}


def refusal(in_virtual_time: In, work: Coroutine[Any, Any, Any]) -> Refused:
    async def go() -> Refused:
        with pytest.raises(Refused) as refused:
            await work
        return refused.value

    refused: Refused = in_virtual_time(go())
    return refused


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (lambda it: it.shares.publish(SHARE, "gone", NOBODY), Reason.NOT_FOUND),
        (lambda it: it.shares.expand(SHARE, Capacity(1, 1)), Reason.OUT_OF_RANGE),
        (lambda it: it.shares.delete(SHARE), Reason.PRECONDITION),
        (lambda it: it.shares.create(wish(gib=5)), Reason.EXISTS),
        (lambda it: it.shares.create(wish("b", snapshot_id="none")), Reason.NOT_FOUND),
    ],
)
def test_what_is_refused_of_a_share_that_is_open(in_virtual_time: In, work: Any, reason: Reason) -> None:
    assert refusal(in_virtual_time, work(Driver(here(rule("10.0.1.2", OTHER))))).reason is reason


def test_what_fails_at_the_end_of_the_way_is_told_and_what_is_half_made_goes(in_virtual_time: In) -> None:
    world = here()
    world.failing = {"create", "extend", "snapshot", "allow"}
    driver = Driver(world)
    refused = refusal(in_virtual_time, driver.shares.create(wish("pvc-new")))
    assert refused.reason is Reason.EXHAUSTED
    assert "No storage could be allocated" in str(refused)
    refused = refusal(in_virtual_time, driver.snapshots.create(snapshot_wish()))
    assert refused.reason is Reason.FAILED
    refused = refusal(in_virtual_time, driver.shares.publish(SHARE, NODE, NOBODY))
    assert refused.reason is Reason.FAILED
    assert (list(world.shares), world.snapshots, let_in(world)) == ([SHARE], {}, {})
    refused = refusal(in_virtual_time, driver.shares.expand(SHARE, Capacity(2 * GIB)))
    assert refused.reason is Reason.FAILED


def test_a_rule_that_had_failed_is_made_again_and_one_that_cannot_go_is_told(in_virtual_time: In) -> None:
    world = here(rule("10.0.1.1", state="error"), access_rules_status="error")
    in_virtual_time(Driver(world).shares.publish(SHARE, NODE, NOBODY))
    assert [each.state for each in world.rules[SHARE].values()] == ["active"]
    world.failing = {"deny"}
    assert refusal(in_virtual_time, Driver(world).shares.unpublish(SHARE, NODE)).reason is Reason.FAILED


def test_a_share_in_a_group_and_one_of_a_snapshot(in_virtual_time: In) -> None:
    world = here(share_group_id="group")
    world.snapshots["s"] = snapshot(id="s", size=4)
    driver = Driver(world)
    made = in_virtual_time(driver.shares.create(wish("pvc-b", snapshot_id="s")))
    assert (made.size, made.snapshot_id) == (4, "s")
    world.snapshots.clear()
    in_virtual_time(driver.shares.delete(SHARE))
    assert list(world.shares) == [made.id]


class Named(ModelManila):
    """Manila where type and zone are called otherwise than they were asked for."""

    async def create_share(self, request: ShareRequest) -> Share:
        made = await super().create_share(request)
        self.world.set(made.id, share_type=GOLD, share_type_name="gold")
        self.world.later(lambda: self.world.set(made.id, availability_zone="nova"))
        return self.world.shares[made.id]


@pytest.mark.parametrize(
    "asked",
    [
        *({"share_type": each} for each in ("gold", "Gold", "gold ", GOLD, GOLD.upper())),
        *({"zone": each} for each in ("nova", "Nova", SOMEWHERE)),
    ],
)
def test_a_type_or_zone_by_its_id_or_in_other_capitals_is_the_same_when_asked_again(
    in_virtual_time: In, asked: dict[str, Any]
) -> None:
    async def go() -> None:
        world = here()
        driver = Driver(world)
        driver.shares = Shares(Named(world), ModelAddresses(world), CLUSTER)
        made = [await driver.shares.create(wish("pvc-b", **asked)) for _ in range(2)]
        assert {each.id for each in made} | {SHARE} == set(world.shares)

    in_virtual_time(go())


class LastRoom(ModelManila):
    """The order before, whose answer was lost, takes the last room between the look and the next order."""

    async def create_snapshot(self, request: ShareSnapshotRequest) -> ShareSnapshot:
        await super().create_snapshot(request)
        raise errors.Quota("shared-file-system", "Maximum number of snapshots exceeded", status=413)


def test_an_order_that_took_the_last_room_is_gone_on_with(in_virtual_time: In) -> None:
    world = here()
    taken: ShareSnapshot = in_virtual_time(ShareSnapshots(LastRoom(world), CLUSTER).create(snapshot_wish()))
    assert (taken.status, list(world.snapshots)) == ("available", [taken.id])


def test_a_snapshot_the_driver_before_was_taking_is_gone_on_with(in_virtual_time: In) -> None:
    async def taken(**more: Any) -> list[str]:
        world = here()
        facts = {"id": "before", "description": "snapshotted-by=manila.csi.openstack.org"} | more
        world.snapshots["before"] = snapshot(**facts)
        await Driver(world).snapshots.create(snapshot_wish())
        return list(world.snapshots)

    assert in_virtual_time(taken()) == ["before"]
    for other in ({"share_id": "another"}, {"description": "mine"}, {"name": "another"}):
        assert len(in_virtual_time(taken(**other))) == 2


def test_a_handle_that_people_chose_is_known_again(in_virtual_time: In) -> None:
    async def go() -> None:
        world = here(name="media")
        driver = Driver(world)
        for handle, named in (("first", SHARE), ("second", "media")):
            await driver.shares.publish(handle, NODE, NOBODY, share=named)
            assert let_in(world) == {"10.0.1.1": NODE}
            await Driver(world).shares.unpublish(handle, NODE)
            assert let_in(world) == {}
        await driver.shares.unpublish("never-heard-of", NODE)

    in_virtual_time(go())


def test_two_of_one_name_are_not_guessed_between(in_virtual_time: In) -> None:
    world = here(name="media")
    world.shares["other"] = share(id="other", name="media")
    refused = refusal(in_virtual_time, Driver(world).shares.publish("x", NODE, NOBODY, share="media"))
    assert refused.reason is Reason.PRECONDITION


def test_fifty_shares_at_once_are_waited_for_by_few_calls(in_virtual_time: In) -> None:
    async def go() -> World:
        world = here()
        world.latency = 20.0
        driver = Driver(world)
        await asyncio.gather(*(driver.shares.create(wish(f"pvc-{each}")) for each in range(50)))
        return world

    calls = in_virtual_time(go()).calls
    assert calls.count("get share") == 0
    assert calls.count("list shares") < 4 + 30
