"""The snapshot: what a listing and our own writes together say, and whom they wake."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.models.cloud import ModelNeutron, ModelOctavia

from causeway.cloud.octavia import ListenerRequest, LoadBalancerRequest, PoolRequest
from causeway.cloud.ownership import Owner
from causeway.rooms.services.actual import SLOW, STUCK_AFTER, Snapshot, of_tree
from causeway.rooms.services.model import KIND, Front, front_in, listener_name, pool_name, sticky_in

Run = Callable[[Coroutine[Any, Any, None]], None]
OWNER = Owner("c1", KIND, "u1")


def request() -> LoadBalancerRequest:
    pool = PoolRequest("default/web:80/TCP", "TCP", "SOURCE_IP_PORT")
    listener = ListenerRequest("default/web:80/TCP", "TCP", 80, pool)
    return LoadBalancerRequest("default/web", "172.30.0.9", "s", "ovn", OWNER.tags(), [listener])


class Listening:
    def __init__(self) -> None:
        self.octavia, self.neutron = ModelOctavia(), ModelNeutron()
        self.woken: list[str] = []
        self.snapshot = Snapshot(self.octavia, self.neutron, "c1", self.woken.append)


async def test_a_load_balancer_made_while_a_listing_was_under_way_is_kept() -> None:
    here = Listening()
    listing = here.octavia.list_load_balancers

    async def slow(tags: Any) -> Any:
        found = await listing(tags)
        here.snapshot.created(await here.octavia.create_load_balancer(request()))
        return found

    here.octavia.list_load_balancers = slow  # type: ignore[method-assign]  # the race, made certain
    await here.snapshot.refresh()
    assert len(here.snapshot.balancers("u1")) == 1


async def test_our_change_is_busy_until_a_later_listing_says_otherwise() -> None:
    here = Listening()
    made = await here.octavia.create_load_balancer(request())
    here.octavia.settle()
    await here.snapshot.refresh()
    here.snapshot.changed(made.id)
    assert here.snapshot.balancers("u1")[0].pending
    here.woken.clear()
    await here.snapshot.refresh()
    assert not here.snapshot.balancers("u1")[0].pending
    assert here.woken == ["u1"]


async def test_those_that_appear_change_and_go_wake_their_service() -> None:
    here = Listening()
    made = await here.octavia.create_load_balancer(request())
    await here.snapshot.refresh()
    here.octavia.settle()
    await here.snapshot.refresh()
    await here.octavia.delete_load_balancer(made.id)
    here.octavia.settle()
    await here.snapshot.refresh()
    assert here.woken == ["u1"] * 3
    await here.snapshot.refresh()
    assert len(here.woken) == 3
    assert not here.snapshot.uids()


async def test_floating_ips_wake_their_service() -> None:
    here = Listening()
    address = await here.neutron.create_floating_ip("ext", None, OWNER)
    await here.snapshot.refresh()
    assert here.snapshot.addresses("u1") == [address]
    await here.neutron.delete_floating_ip(address.id)
    await here.snapshot.refresh()
    assert here.woken == ["u1", "u1"]


def test_polls_are_quick_while_something_is_pending_and_slow_else(in_virtual_time: Run) -> None:
    async def run() -> None:
        import asyncio  # noqa: PLC0415  # only here

        here = Listening()
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(SLOW * 4 + 1)
        assert here.snapshot.polls == 5
        here.snapshot.created(await here.octavia.create_load_balancer(request()))
        await asyncio.sleep(10)
        assert 10 <= here.snapshot.polls <= 13
        here.octavia.settle()
        await asyncio.sleep(SLOW)
        assert here.snapshot.polls <= 16
        task.cancel()

    in_virtual_time(run())


def test_one_that_stays_pending_is_told_and_polled_no_longer_in_haste(in_virtual_time: Run) -> None:
    async def run() -> None:
        import asyncio  # noqa: PLC0415  # only here

        here = Listening()
        here.snapshot.created(await here.octavia.create_load_balancer(request()))
        task = asyncio.create_task(here.snapshot.run())
        await asyncio.sleep(STUCK_AFTER - 5)
        assert here.snapshot.stuck("u1") is None
        await asyncio.sleep(SLOW + 10)
        assert (here.snapshot.stuck("u1") or 0) > STUCK_AFTER
        assert "u1" in here.woken
        polls = here.snapshot.polls
        await asyncio.sleep(SLOW * 3)
        assert here.snapshot.polls - polls <= 4
        task.cancel()

    in_virtual_time(run())


async def test_a_child_that_is_pending_makes_its_load_balancer_busy() -> None:
    here = Listening()
    made = await here.octavia.create_load_balancer(request())
    here.octavia.settle()
    (balancer,) = here.octavia.balancers.values()
    next(iter(balancer.pools.values())).state = "PENDING_UPDATE"
    await here.snapshot.refresh()
    found = of_tree(here.snapshot.balancers("u1")[0], await here.octavia.status_tree(made.id))
    assert found.busy
    assert not found.stray_pools


@pytest.mark.parametrize("sticky", [True, False])
def test_names_say_what_the_status_tree_leaves_out(sticky: bool) -> None:
    front = Front("UDP", 65535)
    assert front_in(listener_name("a/b", front)) == front
    assert front_in(pool_name("a/b", front, sticky=sticky)) == front
    assert sticky_in(pool_name("a/b", front, sticky=sticky)) is sticky
    assert front_in("made by hand") is None
