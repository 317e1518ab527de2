"""The room and the nodes' daemons against a model of cloud and API that fails, is slow, and outlives us."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.models.pods import PREPARED, SIZES, World

from causeway.cloud.neutron import Subport
from causeway.kit.errors import Finding
from causeway.kube.objects import LabelSelector, Meta, NetworkPolicy, NetworkPolicySpec
from causeway.rooms.pods.entries import VLANS

Run = Callable[[Coroutine[Any, Any, Any]], Any]
POLICY = NetworkPolicy(Meta("deny", "n", "pol"), NetworkPolicySpec(LabelSelector({"app": "web"})))


async def stop(task: "asyncio.Task[None]") -> None:
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def begin(world: World) -> "asyncio.Task[None]":
    for computer in world.computers.values():
        computer.start()
    return world.controller()


async def end(world: World, task: "asyncio.Task[None]") -> None:
    await stop(task)
    for computer in world.computers.values():
        await computer.kill()
    await asyncio.gather(*world.cloud.effects, return_exceptions=True)


def test_pods_get_ready_ports_with_hardly_a_call(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        await asyncio.sleep(20)
        world.check()
        calls, writes = world.cloud.calls.copy(), world.writes.copy()
        for number in range(2):
            world.add_pod(f"pod{number}", "w1")
        await asyncio.sleep(1)
        assert len(world.cloud.used) == 2
        assert world.cloud.calls == calls
        await asyncio.sleep(20)
        world.check()
        assert (world.cloud.calls - calls)["rename port"] == 2
        assert (world.writes - writes)["PortPool status"] <= 2  # nobody asks what is known of the list
        writes = world.writes.copy()
        for number in range(2):
            world.drop_pod(f"pod{number}")
        await asyncio.sleep(20)
        world.check()
        assert (world.writes - writes).keys() == {"PortPool status"}
        await end(world, task)

    in_virtual_time(main())


def test_a_port_of_a_pods_own_comes_and_goes_with_few_writes(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        world.policies.put(POLICY)
        task = await begin(world)
        await asyncio.sleep(20)
        writes = world.writes.copy()
        world.add_pod("pod", "w1", {"app": "web"})
        await asyncio.sleep(20)
        world.check()
        assert world.writes - writes == {"PortPool spec": 1, "PortPool status": 1}
        world.drop_pod("pod")
        await asyncio.sleep(40)
        world.check()
        # Retired and struck out; given back and confirmed, in one write if the controller was quick.
        assert (world.writes - writes)["PortPool spec"] == 3
        assert (world.writes - writes)["PortPool status"] <= 3
        await end(world, task)

    in_virtual_time(main())


def test_many_pods_take_few_calls_and_reserves_shrink_when_they_are_gone(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        for number in range(40):
            world.add_pod(f"pod{number}", "w1" if number % 2 else "w2")
        await asyncio.sleep(60)
        world.check()
        assert world.cloud.calls["create ports"] <= 16
        assert world.cloud.calls["add subports"] <= 24
        for number in range(40):
            world.drop_pod(f"pod{number}")
        await asyncio.sleep(600)
        world.check()
        assert len(world.cloud.ours()) <= 2 * (SIZES.minimum + SIZES.batch)
        await end(world, task)

    in_virtual_time(main())


def test_a_used_up_quota_is_told_reserves_are_given_up_and_it_heals(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        world.cloud.quota = 8
        task = await begin(world)
        await asyncio.sleep(20)
        for number in range(10):
            world.add_pod(f"pod{number}", "w1")
        await asyncio.sleep(100)
        assert len(world.cloud.used) == 8, "the other node gave up its reserve"
        assert any("Quota: network: Quota exceeded" in event for event in world.events)
        assert any("higher quota" in event for event in world.events)
        (condition,) = world.pools.objects["w1"].status.conditions
        assert (condition.status, condition.reason) == ("False", "Quota")
        world.cloud.quota = 100
        await asyncio.sleep(200)
        world.check()
        await end(world, task)

    in_virtual_time(main())


def test_a_node_without_a_trunk_is_told_and_heals(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        trunk = world.cloud.trunks.pop("t-w2")
        task = await begin(world)
        world.add_pod("lost", "w2")
        await asyncio.sleep(40)
        assert any("it has no trunk" in event for event in world.events)
        assert not world.cloud.used
        world.cloud.trunks["t-w2"] = trunk
        world.add_pod("first", "w2")
        await asyncio.sleep(20)  # a new pod does not have to wait for the next poll
        assert len(world.cloud.used) == 2
        await asyncio.sleep(60)
        world.check()
        await end(world, task)

    in_virtual_time(main())


def test_a_trunk_without_vlans_is_told_and_heals(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        trunk = world.cloud.trunks["t-w1"]
        others = [Subport(f"other-{vlan}", vlan) for vlan in VLANS[10:]]
        full = [*trunk.sub_ports, *others]
        world.cloud.trunks["t-w1"] = msgspec.structs.replace(trunk, sub_ports=full)
        task = await begin(world)
        for number in range(12):
            world.add_pod(f"pod{number}", "w1")
        await asyncio.sleep(60)
        assert len(world.cloud.used) == 9, "one number is somebody else's"
        assert any("TrunkFull: all 4094 VLANs of its trunk are in use" in event for event in world.events)
        assert told(world) == {"Supplied": ("False", "TrunkFull")}
        assert len(world.cloud.ours()) <= 12 + 3 * SIZES.batch, "none are made that there is no place for"
        trunk = world.cloud.trunks["t-w1"]
        left = [each for each in trunk.sub_ports if each not in others]
        world.cloud.trunks["t-w1"] = msgspec.structs.replace(trunk, sub_ports=left)
        await asyncio.sleep(100)
        assert len(world.cloud.used) == 12
        world.check()
        await end(world, task)

    in_virtual_time(main())


def test_groups_that_the_cloud_refuses_are_told_on_pods_and_pool_and_heal(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        world.policies.put(POLICY)
        world.groups.refused = "Quota", Finding("n/deny", "no more groups", "Ask for more.")
        world.add_pod("web", "w1", {"app": "web"})
        world.add_pod("db", "w1")
        await asyncio.sleep(40)
        assert [event for event in world.events if "Quota" in event] == [
            "web: Quota: no more groups. Ask for more."
        ]
        quota = ("False", "Quota")
        assert told(world) == {"Supplied": quota, "PoliciesInEffect": quota}
        assert len(world.cloud.used) == 1
        world.groups.refused = None
        await asyncio.sleep(60)
        assert told(world) == dict.fromkeys(("Supplied", "PoliciesInEffect"), ("True", "Ready"))
        world.check()
        await end(world, task)

    in_virtual_time(main())


def told(world: World) -> dict[str, tuple[str, str]]:
    """Return status and reason of the conditions of a node's pool, by type."""
    return {one.type: (one.status, one.reason) for one in world.pools.objects["w1"].status.conditions}


def test_a_policy_changes_the_groups_of_running_pods_and_of_new_ones(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        await asyncio.sleep(20)
        world.add_pod("web", "w1", {"app": "web"})
        world.add_pod("db", "w1", {"app": "db"})
        await asyncio.sleep(10)
        world.policies.put(POLICY)
        await asyncio.sleep(10)
        world.add_pod("web2", "w1", {"app": "web"})
        await asyncio.sleep(30)
        world.check()
        world.policies.drop("n/deny")
        await asyncio.sleep(40)
        world.check()
        for name in ("web", "web2", "db"):
            world.drop_pod(name)
        await asyncio.sleep(60)
        world.check()
        await end(world, task)

    in_virtual_time(main())


def test_a_node_that_is_removed_leaves_nothing(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = await begin(world)
        for number in range(6):
            world.add_pod(f"pod{number}", "w2")
        await asyncio.sleep(30)
        await world.computers["w2"].reboot()
        del world.computers["w2"]
        world.nodes.drop("w2")
        world.collect_garbage()
        for number in range(6):
            world.drop_pod(f"pod{number}")
        await asyncio.sleep(10)
        world.collect_garbage()
        await asyncio.sleep(100)
        world.check()
        await end(world, task)

    in_virtual_time(main())


def test_a_native_node_is_served_without_a_trunk_and_leaves_nothing(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0, native=True)
        task = await begin(world)
        for number in range(6):
            world.add_pod(f"pod{number}", "m1")
        await asyncio.sleep(40)
        world.check()
        assert len(world.cloud.used) == 6
        assert {world.cloud.bound[port] for port in world.cloud.used} == {"m1.example"}
        await world.computers["m1"].reboot()
        del world.computers["m1"]
        world.nodes.drop("m1")
        world.collect_garbage()
        for number in range(6):
            world.drop_pod(f"pod{number}")
        await asyncio.sleep(100)
        world.collect_garbage()
        await asyncio.sleep(100)
        assert not world.cloud.bound
        world.check()
        await end(world, task)

    in_virtual_time(main())


@pytest.mark.parametrize("seed", range(5))
def test_calls_that_fail_after_taking_effect_leave_nothing(in_virtual_time: Run, seed: int) -> None:
    async def main() -> None:
        world = World(seed)
        world.cloud.faults = 0.3
        task = await begin(world)
        for number in range(10):
            world.add_pod(f"pod{number}", "w1")
            await asyncio.sleep(5)
        world.cloud.faults = 0.0
        await asyncio.sleep(400)
        world.check()
        await end(world, task)

    in_virtual_time(main())


names = st.sampled_from([f"pod{number}" for number in range(6)])
nodes = st.sampled_from(["w1", "w2", "m1"])
labels = st.sampled_from([{}, {"app": "web"}])
prepared = st.sampled_from(PREPARED)
actions = st.one_of(
    st.tuples(st.just("add"), names, nodes, labels),
    st.tuples(st.just("add"), names, nodes, labels, prepared),
    st.tuples(st.just("drop"), names),
    st.tuples(st.just("end"), names),
    st.tuples(st.just("policy")),
    st.tuples(st.just("occupy"), prepared),
    st.tuples(st.just("consent"), prepared),
    st.tuples(st.just("kill controller"), st.floats(0, 3)),
    st.tuples(st.just("kill daemon"), nodes),
    st.tuples(st.just("reboot"), nodes),
    st.tuples(st.just("lose pool"), nodes),
    st.tuples(st.just("wait"), st.floats(0, 5) | st.floats(30, 90)),
    st.tuples(st.just("quota"), st.sampled_from([3, 6, 9, 10_000])),
    st.tuples(st.just("faults"), st.sampled_from([0.0, 0.1, 0.5])),
)


ONE_AFTER_THE_OTHER: list[tuple[Any, ...]] = [
    ("add", "pod2", "w1", {}, "prepared-2"),
    ("wait", 37.8),
    ("drop", "pod2"),
    ("add", "pod0", "w1", {}, "prepared-2"),
]
"""A prepared port is asked for by another pod of its node before it is let go by the one that had it."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(st.lists(actions, max_size=30), st.integers(0, 1000), st.sampled_from([0.05, 3.0]))
@example(ONE_AFTER_THE_OTHER, 691, 0.05)
def test_whatever_happens_no_port_is_doubled_lost_or_taken_from_a_pod(
    in_virtual_time: Run, history: list[tuple[Any, ...]], seed: int, lag: float
) -> None:
    async def main() -> None:
        world = World(seed, lag=lag, native=True)
        task = await begin(world)
        for action, *what in history:
            match action:
                case "add":
                    world.add_pod(*what)
                case "drop":
                    world.drop_pod(*what)
                case "end":
                    world.end_pod(*what)
                case "policy":
                    if "n/deny" in world.policies.objects:
                        world.policies.drop("n/deny")
                    else:
                        world.policies.put(POLICY)
                case "occupy":
                    world.cloud.occupy(*what)
                case "consent":
                    world.cloud.consent(*what)
                case "kill controller":
                    await stop(task)
                    await asyncio.sleep(what[0])
                    task = world.controller()
                case "kill daemon":
                    await world.computers[what[0]].kill()
                    world.computers[what[0]].start()
                case "reboot":
                    await world.computers[what[0]].reboot()
                    world.computers[what[0]].start()
                case "lose pool":
                    world.lose_pool(what[0])
                case "wait":
                    await asyncio.sleep(what[0])
                case "quota":
                    world.cloud.quota = what[0]
                case "faults":
                    world.cloud.faults = what[0]
        world.cloud.quota = 10_000
        world.cloud.faults = 0.0
        world.cloud.restore()
        await asyncio.sleep(400)
        world.check()
        calls = world.cloud.calls.total()
        await asyncio.sleep(60)
        assert world.cloud.calls.total() - calls <= 9  # at rest only the three lists are made
        await end(world, task)

    in_virtual_time(main())
