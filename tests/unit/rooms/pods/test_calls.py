"""A trace goes from a pod to the calls that were made for it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from tests.collector import Collector, Seen, collecting
from tests.models.pods import World

from causeway.kit import trace
from causeway.kube.objects import LabelSelector, Meta, NetworkPolicy, NetworkPolicySpec

Run = Callable[[Coroutine[Any, Any, Any]], Any]
POLICY = NetworkPolicy(Meta("deny", "n", "pol"), NetworkPolicySpec(LabelSelector({"app": "web"})))


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)  # read by the library itself
        trace.configure("causeway-test", {"OTEL_EXPORTER_OTLP_ENDPOINT": running.url})
        yield running
        trace.close()


async def live(world: World, seconds: float) -> None:
    """Let the platform work for a while, and end it."""
    tasks = [world.controller()]
    for computer in world.computers.values():
        computer.start()
    await asyncio.sleep(seconds)
    tasks[0].cancel()
    await asyncio.gather(*tasks, *world.cloud.effects, return_exceptions=True)
    for computer in world.computers.values():
        await computer.kill()


def calls_of(collector: Collector, step: Seen) -> list[str]:
    """Return the calls to the cloud below a step, or in a batch it is a part of."""
    batches = [each for each in collector.named("batch") if step.span_id in (*each.links, each.parent_id)]
    over = {step.span_id, *(batch.span_id for batch in batches)}
    return [each.name for each in collector.named("network") if each.parent_id in over]


def test_a_pods_port_is_traced_from_its_node_to_the_cloud(collector: Collector, in_virtual_time: Run) -> None:
    world = World(0)
    world.policies.put(POLICY)
    world.add_pod("isolated", "w1", {"app": "web"})
    in_virtual_time(live(world, 30))
    trace.close()
    steps = [each for each in collector.named("step") if each.attributes["causeway.pods"] == ["n/isolated"]]
    assert [each.name for each in steps] == ["step Create", "step Attach"]
    assert [calls_of(collector, each) for each in steps] == [
        ["network create ports"],
        ["network add subports"],
    ]
    for step in steps:
        root = collector.parent(step)
        assert root is not None
        assert (root.name, root.attributes["causeway.key"]) == ("reconcile pods", "w1")


def test_what_is_done_with_the_port_of_a_plain_pod_names_it(
    collector: Collector, in_virtual_time: Run
) -> None:
    async def main() -> None:
        world = World(0)
        world.add_pod("plain", "w1", {"app": "web"})
        asyncio.get_running_loop().call_later(30, world.policies.put, POLICY)
        await live(world, 60)

    in_virtual_time(main())
    trace.close()
    (step,) = collector.named("step SetGroups")
    assert step.attributes["causeway.pods"] == ["n/plain"]
    assert calls_of(collector, step) == ["network set groups"]
    named = [each for each in collector.named("name port") if each.attributes["causeway.key"] == "n/plain"]
    assert [calls_of(collector, each) for each in named] == [["network rename port"]]
