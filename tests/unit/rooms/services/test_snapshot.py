"""The snapshot: what lists, looks and our own writes together say, and whom they wake."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from tests.models.cloud import ModelNeutron, ModelOctavia

from causeway.cloud.octavia_objects import ListenerRequest, LoadBalancerRequest, PoolRequest
from causeway.cloud.ownership import Owner
from causeway.rooms.services.known import SLOW, STUCK_AFTER
from causeway.rooms.services.model import KIND
from causeway.rooms.services.pace import LOST_AFTER, STILL, Size
from causeway.rooms.services.seen import Seen
from causeway.rooms.services.snapshot import Snapshot

Run = Callable[[Coroutine[Any, Any, None]], None]
OWNER = Owner("c1", KIND, "u1")
SIZE = Size(1, 0)


def request() -> LoadBalancerRequest:
    pool = PoolRequest("default/web:80/TCP", "TCP", "SOURCE_IP_PORT", tags=OWNER.tags())
    listener = ListenerRequest("default/web:80/TCP", "TCP", 80, pool, tags=OWNER.tags())
    return LoadBalancerRequest(
        "default/web", "ovn", OWNER.tags(), "172.30.0.9", vip_subnet_id="s", listeners=[listener]
    )


class Listening:
    def __init__(self) -> None:
        self.octavia, self.neutron = ModelOctavia(), ModelNeutron()
        self.woken: list[str] = []
        self.snapshot = Snapshot(self.octavia, self.neutron, "c1", self.woken.append)

    async def make(self) -> Seen:
        self.snapshot.created(await self.octavia.create_load_balancer(request()), SIZE)
        (seen,) = self.snapshot.of("u1")
        return seen


async def test_a_load_balancer_made_while_a_listing_was_under_way_is_kept() -> None:
    here = Listening()
    listing = here.octavia.list_load_balancers

    async def slow(tags: Any) -> Any:
        found = await listing(tags)
        here.snapshot.created(await here.octavia.create_load_balancer(request()), SIZE)
        return found

    here.octavia.list_load_balancers = slow  # type: ignore[method-assign]  # the race, made certain
    await here.snapshot.refresh()
    assert len(here.snapshot.of("u1")) == 1


async def test_what_is_being_deleted_stays_so_whatever_else_is_asked_of_it() -> None:
    here = Listening()
    seen = await here.make()
    here.snapshot.changed(seen.balancer.id, SIZE, going=True)
    here.snapshot.changed(seen.balancer.id)
    assert seen.going


def test_our_change_is_busy_until_a_look_says_otherwise(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Listening()
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(1)
        seen = await here.make()
        assert seen.balancer.pending
        assert await here.snapshot.settled(seen) is None
        here.octavia.settle()
        here.woken.clear()
        await asyncio.sleep(2)
        assert here.woken == ["u1"]
        reads = here.octavia.reads
        assert await here.snapshot.settled(seen)
        assert here.octavia.reads == reads  # the look has told everything
        task.cancel()

    in_virtual_time(run())


async def test_those_that_appear_change_and_go_wake_their_service() -> None:
    here = Listening()
    made = await here.octavia.create_load_balancer(request())
    await here.snapshot.refresh()
    assert here.woken == ["u1"]
    here.octavia.settle()
    await here.octavia.delete_load_balancer(made.balancer.id)
    here.octavia.settle()
    await here.snapshot.refresh()
    assert here.woken == ["u1"] * 2
    await here.snapshot.refresh()
    assert len(here.woken) == 2
    assert not here.snapshot.uids()


async def test_floating_ips_wake_their_service() -> None:
    here = Listening()
    address = await here.neutron.create_floating_ip("ext", None, OWNER)
    await here.snapshot.refresh()
    assert [one.id for one in here.snapshot.addresses.of("u1")] == [address.id]
    await here.neutron.delete_floating_ip(address.id)
    await here.snapshot.refresh()
    assert here.woken == ["u1", "u1"]


def test_nothing_is_read_but_slow_lists_while_nothing_changes(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Listening()
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(1)
        await here.make()
        here.octavia.settle()
        await asyncio.sleep(SLOW)
        reads = here.octavia.reads
        await asyncio.sleep(SLOW * 4)
        assert here.octavia.reads - reads == 4
        task.cancel()

    in_virtual_time(run())


def test_a_cloud_that_does_much_at_once_is_not_thought_to_be_slow(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Listening()
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(1)
        made = await here.octavia.create_load_balancer(request())
        here.snapshot.created(made, Size(1, 10_000))
        here.octavia.settle()
        await asyncio.sleep(2 * SLOW)
        (seen,) = here.snapshot.of("u1")
        assert await here.snapshot.settled(seen)
        task.cancel()

    in_virtual_time(run())


def test_where_active_means_all_a_list_that_says_so_is_enough(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Listening()
        made = await here.octavia.create_load_balancer(msgspec.structs.replace(request(), provider="amphora"))
        here.snapshot.created(made, Size(1, 10_000))
        here.octavia.settle()
        await asyncio.sleep(1)
        await here.snapshot.refresh()
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(1)
        (seen,) = here.snapshot.of("u1")
        assert await here.snapshot.settled(seen)
        task.cancel()

    in_virtual_time(run())


def test_one_that_stays_pending_is_told_and_looked_at_no_longer_in_haste(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Listening()
        await here.make()
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(STUCK_AFTER - 5)
        assert here.snapshot.stuck("u1") is None
        assert here.snapshot.looks < 60
        await asyncio.sleep(SLOW + 15)
        assert here.snapshot.stuck("u1")
        assert "u1" in here.woken
        reads = here.octavia.reads
        await asyncio.sleep(SLOW * 3)
        assert here.octavia.reads - reads <= 4
        here.octavia.settle()
        await asyncio.sleep(SLOW + 1)
        assert here.snapshot.stuck("u1") is None
        task.cancel()

    in_virtual_time(run())


def test_a_part_that_stays_pending_below_one_that_is_active_is_broken(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Listening()
        seen = await here.make()
        here.octavia.settle()
        (listener,) = here.octavia.balancers[seen.balancer.id].listeners.values()
        listener.state = "PENDING_CREATE"
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(LOST_AFTER - 5)
        assert await here.snapshot.settled(seen) is None
        here.woken.clear()
        await asyncio.sleep(STILL)
        tree = await here.snapshot.settled(seen)
        assert tree is not None
        assert [one.provisioning_status for one in tree.listeners] == ["ERROR"]
        assert here.woken == ["u1"]

        # Whatever else is changed meanwhile, it is not waited for again.
        (pool,) = here.octavia.balancers[seen.balancer.id].pools
        await here.octavia.delete_pool(pool)
        here.snapshot.changed(seen.balancer.id, SIZE)
        assert await here.snapshot.settled(seen) is None
        here.octavia.settle()
        listener.state = "PENDING_CREATE"
        await asyncio.sleep(15)
        tree = await here.snapshot.settled(seen)
        assert tree is not None
        assert [(one.provisioning_status, one.pools) for one in tree.listeners] == [("ERROR", [])]
        task.cancel()

    in_virtual_time(run())


def test_what_was_lost_together_is_given_up_together(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Listening()
        second = msgspec.structs.replace(request(), vip_address="172.30.0.10")
        for each in (request(), second):
            here.snapshot.created(await here.octavia.create_load_balancer(each), SIZE)
        here.octavia.settle()
        for balancer in here.octavia.balancers.values():
            for listener in balancer.listeners.values():
                listener.state = "PENDING_CREATE"
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(LOST_AFTER + 15)
        assert all([await here.snapshot.settled(seen) for seen in here.snapshot.of("u1")])
        task.cancel()

    in_virtual_time(run())
