"""Ports that people prepared, in the room's rehearsal: whom they serve, when they are free, what is told."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.models.pods import World
from tests.unit.rooms.pods.test_room import POLICY, begin, end, stop

Run = Callable[[Coroutine[Any, Any, Any]], Any]
PORT = "prepared-1"


def told(world: World, pod: str, reason: str) -> list[str]:
    start = f"{pod}: {reason}: "
    return [event.removeprefix(start) for event in world.events if event.startswith(start)]


@pytest.mark.parametrize("node", ["w1", "m1"])
def test_a_pod_gets_its_port_and_leaves_it_as_it_was(in_virtual_time: Run, node: str) -> None:
    async def main() -> None:
        world = World(0, native=True)
        task = await begin(world)
        await asyncio.sleep(20)
        calls = world.cloud.calls.copy()
        world.add_pod("db", node, port="name-of-prepared-1")
        await asyncio.sleep(20)
        assert PORT in world.cloud.used
        assert world.cloud.places()[PORT][0] == node
        assert (world.cloud.calls - calls)["create ports"] == 0
        assert not world.events
        world.drop_pod("db")
        await asyncio.sleep(20)
        assert PORT not in world.cloud.places()
        world.check()
        await end(world, task)

    in_virtual_time(main())


def test_it_follows_its_pod_to_another_node_of_another_kind(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0, native=True)
        task = await begin(world)
        for node in ("w1", "w2", "m1", "w1"):
            world.add_pod("db", node, port=PORT)
            await asyncio.sleep(20)
            assert world.cloud.places()[PORT][0] == node
            world.drop_pod("db")
        assert not world.events
        await asyncio.sleep(40)
        world.check()
        await end(world, task)

    in_virtual_time(main())


def test_of_two_pods_the_first_gets_it_and_the_other_when_that_is_gone(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        world.add_pod("first", "w1", port=PORT)
        world.add_pod("second", "w2", port=PORT)
        await asyncio.sleep(40)
        assert world.cloud.places()[PORT][0] == "w1"
        assert told(world, "second", "PortInUse")[0].startswith("port prepared-1 serves pod n/first.")
        assert not told(world, "first", "PortInUse")
        world.drop_pod("first")
        await asyncio.sleep(20)
        assert world.cloud.places()[PORT][0] == "w2"
        await asyncio.sleep(20)
        await end(world, task)

    in_virtual_time(main())


@pytest.mark.parametrize("port", ["nothing", "prepared-elsewhere", "prepared-for-others", "foreign-pod", ""])
def test_what_was_not_given_to_the_namespace_cannot_even_be_told_from_nothing(
    in_virtual_time: Run, port: str
) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        world.add_pod("db", "w1", port=port or " ")
        await asyncio.sleep(40)
        assert not world.cloud.used
        (note,) = told(world, "db", "PortNotFound")
        assert note.startswith(f"no port {port!r} is given to namespace n. ")
        assert "--tag causeway-for=c --tag causeway-namespace=n PORT" in note
        await end(world, task)

    in_virtual_time(main())


def test_what_is_refused_is_had_once_the_cause_is_gone(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        world.cloud.occupy("prepared-1")
        world.cloud.consent("prepared-2")
        world.policies.put(POLICY)
        for name in ("prepared-1", "prepared-2"):
            world.add_pod(name, "w1", port=name)
        world.drop_pod("prepared-2")
        world.add_pod("prepared-2", "w1", {"app": "web"}, port="prepared-2")
        await asyncio.sleep(60)
        assert not world.cloud.used
        assert "it belongs to compute:nova" in told(world, "prepared-1", "PortInUse")[0]
        assert told(world, "prepared-2", "PortNotFound")
        world.cloud.occupy("prepared-1")
        world.cloud.consent("prepared-2")
        await asyncio.sleep(60)
        assert [*world.cloud.used] == ["prepared-1"]
        assert "NetworkPolicies could not be kept" in told(world, "prepared-2", "PortAndPolicy")[0]
        world.policies.drop("n/deny")
        await asyncio.sleep(20)
        assert sorted(world.cloud.used) == ["prepared-1", "prepared-2"]
        await asyncio.sleep(20)
        world.check()
        world.policies.put(POLICY)
        await asyncio.sleep(20)
        assert sorted(world.cloud.used) == ["prepared-1", "prepared-2"], "it is never taken from a pod"
        assert "NetworkPolicies do not apply" in told(world, "prepared-2", "PolicyNotApplied")[0]
        await end(world, task)

    in_virtual_time(main())


@pytest.mark.parametrize("node", ["w1", "m1"])
def test_what_a_controller_began_and_no_pod_wants_any_more_is_let_go(in_virtual_time: Run, node: str) -> None:
    async def main() -> None:
        world = World(0, native=True)
        task = await begin(world)
        await asyncio.sleep(20)
        world.add_pod("db", node, port=PORT)
        calls = world.cloud.calls.copy()
        await asyncio.sleep(0.5)
        assert (world.cloud.calls - calls).keys() & {"add subports", "bind port"}, "it was begun"
        assert PORT not in world.cloud.places(), "and not answered"
        await stop(task)
        world.drop_pod("db")
        await asyncio.sleep(10)
        assert PORT in world.cloud.places(), "the call took effect"
        task = world.controller()
        await asyncio.sleep(40)
        assert PORT not in world.cloud.places()
        world.check()
        await end(world, task)

    in_virtual_time(main())


@pytest.mark.parametrize("node", ["w1", "m1"])
def test_it_is_let_go_when_its_node_or_pool_is_lost(in_virtual_time: Run, node: str) -> None:
    async def main() -> None:
        world = World(0, native=True)
        task = await begin(world)
        world.add_pod("db", node, port=PORT)
        await asyncio.sleep(40)
        world.lose_pool(node)
        await asyncio.sleep(40)
        world.check()
        assert PORT in world.cloud.used, "a lost pool is made again with it"
        await world.computers[node].reboot()
        del world.computers[node]
        world.nodes.drop(node)
        world.collect_garbage()
        world.drop_pod("db")
        await asyncio.sleep(100)
        world.collect_garbage()
        await asyncio.sleep(100)
        assert PORT not in world.cloud.places()
        world.check()
        await end(world, task)

    in_virtual_time(main())


def test_one_that_cannot_be_attached_keeps_nobody_else_waiting(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        await asyncio.sleep(31)
        world.cloud.occupy(PORT)  # just after the list: the plan does not know
        world.add_pod("db", "w1", port=PORT)
        for number in range(6):
            world.add_pod(f"pod{number}", "w1")
        await asyncio.sleep(12)
        assert len(world.cloud.used) == 6
        (condition,) = world.pools.objects["w1"].status.conditions
        assert condition.reason == "Ready"
        await asyncio.sleep(60)
        assert told(world, "db", "PortInUse")
        await end(world, task)

    in_virtual_time(main())
