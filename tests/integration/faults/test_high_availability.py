"""Of two controllers one leads; whatever becomes of it, the other goes on with nothing missed or doubled."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.faults.doors import KUBERNETES, Doors
from tests.faults.weather import Fault, Kind, Request, Weather
from tests.integration.faults.conftest import Stage
from tests.integration.faults.objects import endpoints, pod, service
from tests.integration.faults.site import Instance
from tests.stalls import StandStill

from causeway.kube.resource import ENDPOINT_SLICES, LEASES, PODS, SERVICES
from causeway.serve.controller import LEASE

Say = Callable[[str], None]


async def two(stage: Stage) -> tuple[Instance, Instance, Doors, Weather]:
    """Return one that leads, one that stands by, and the doors of the first with the weather there."""
    weather = Weather()
    way = await stage.doors("first", weather)
    first = stage.instance("first", way)
    second = stage.instance("second", await stage.doors("second", Weather()))
    first.start()
    await stage.leading(first)
    second.start()
    return first, second, way, weather


async def test_a_killed_leader_is_replaced_and_what_went_in_the_gap_is_missed_by_nobody(
    stage: Stage, say: Say
) -> None:
    world = stage.world
    kube, where = world.kube, world.namespace
    before = await world.inventory()
    first, second, _, _ = await two(stage)
    for number in range(4):
        await kube.create(PODS, pod(f"pod-{number}", "w1"), where)
    for name in ("stays", "goes"):
        await kube.apply(service(name, where, external=True), manager="user")
        await kube.apply(endpoints(name, where), manager="user")
    await world.like()

    with StandStill() as stood:
        killed, began = datetime.now(UTC), time.monotonic()
        first.kill()
        await kube.delete(PODS, "pod-0", where, grace_seconds=0)
        await kube.delete(PODS, "pod-1", where, grace_seconds=0)
        await kube.create(PODS, pod("pod-1", "w2"), where)  # another pod of the old name
        await kube.create(PODS, pod("pod-4", "w2"), where)
        await kube.delete(SERVICES, "goes", where)
        await kube.delete(ENDPOINT_SLICES, "goes-1", where)
        await kube.apply(endpoints("stays", where, ready=(True, True)), manager="user")
        assert (await kube.get(SERVICES, "goes", where))["metadata"]["deletionTimestamp"]  # nobody acts
        await stage.leading(second)
    # By the lease: what the cloud takes to be reached, and we to look, is nobody's promise.
    lease = (await kube.get(LEASES, LEASE, "kube-system"))["spec"]
    gap = (datetime.fromisoformat(lease["acquireTime"]) - killed).total_seconds()
    await world.like()
    say(
        f"replaced {gap:.1f} s after kill -9, of which the machine stood still {stood.seconds:.1f} s;"
        f" all made good after {time.monotonic() - began:.1f} s"
    )
    assert lease["holderIdentity"] == second.name
    assert gap - stood.seconds <= 15, "what is promised to users"

    for number in range(1, 5):
        await kube.delete(PODS, f"pod-{number}", where, grace_seconds=0)
    await kube.delete(SERVICES, "stays", where)
    await kube.delete(ENDPOINT_SLICES, "stays-1", where)
    await world.like()
    await world.restored(before)


async def test_a_leader_that_was_paused_does_nothing_more_when_another_leads(stage: Stage, say: Say) -> None:
    """It stands still while the cloud takes a floating IP for it: its very next call would tag that."""
    world = stage.world
    kube, where = world.kube, world.namespace
    before = await world.inventory()
    first, second, way, weather = await two(stage)

    def takes(request: Request) -> bool:
        return request.verb == "POST /v2.0/floatingips"

    weather.once(takes, Fault(Kind.DELAY, seconds=5.0))  # long enough to be paused in
    await kube.apply(service("web", where, external=True), manager="user")
    await kube.apply(endpoints("web", where), manager="user")
    await kube.create(PODS, pod("pod", "w1"), where)

    async with asyncio.timeout(240):
        while not any(map(takes, weather.history)):  # noqa: ASYNC110  # it is not long: looked at often
            await asyncio.sleep(0.05)
    first.pause()
    paused = time.monotonic()
    await stage.leading(second)
    say(f"replaced {time.monotonic() - paused:.1f} s after it stood still")
    done = len(weather.history)
    # Only its own clock can tell it that it leads no more: the lease would be faster than the cloud's answer.
    way.proxies[KUBERNETES].freeze()
    first.go_on()  # now: it must not have waited too long for the answer to want to go on with it

    async def held_back() -> bool:
        return "was not sent: no longer the leader" in first.log

    await world.until("its next call is held back", held_back)
    way.proxies[KUBERNETES].thaw()

    async def has_ended() -> bool:
        return first.ended() is not None

    await world.until("the paused leader has ended", has_ended)
    late = [
        request.verb
        for request in weather.history[done:]
        if request.method != "GET" and "/leases/" not in request.path
    ]
    assert late == []
    await world.like()  # one floating IP: the one that the cloud has given meanwhile
    await kube.delete(PODS, "pod", where, grace_seconds=0)
    await kube.delete(SERVICES, "web", where)
    await kube.delete(ENDPOINT_SLICES, "web-1", where)
    await world.like()
    await world.restored(before)


async def test_when_the_api_was_away_for_longer_than_a_lease_all_is_made_good(stage: Stage, say: Say) -> None:
    """Nobody leads then, and nobody acts: what Kubernetes says is not known."""
    world = stage.world
    kube, where = world.kube, world.namespace
    before = await world.inventory()
    weather = Weather()
    through = [await stage.doors(name, weather) for name in ("first", "second")]
    instances = [stage.instance(f"number-{number}", way) for number, way in enumerate(through)]
    for one in instances:
        one.start()
    for number in range(4):
        await kube.create(PODS, pod(f"pod-{number}", "w1"), where)
    await world.like()
    for way in through:
        await way.proxies[KUBERNETES].down()
    await kube.delete(PODS, "pod-0", where, grace_seconds=0)
    await kube.create(PODS, pod("pod-4", "w2"), where)

    async def given_up() -> bool:
        return any(one.ended() is not None for one in instances)

    await world.until("the leader gives up", given_up)
    quiet = len(weather.history)
    ended = [one for one in instances if one.ended() is not None]
    for one in ended:
        one.start()  # as the kubelet does

    async def in_vain() -> bool:
        lives = [one.log.split("controller started") for one in ended]
        return all(
            len(life) > one.starts and "lease cannot be asked" in life[-1]
            for one, life in zip(ended, lives, strict=True)
        )

    await world.until("it has tried to lead again", in_vain)
    assert not [each for each in weather.history[quiet:] if each.method != "GET"]
    for way in through:
        await way.proxies[KUBERNETES].up()
    back = time.monotonic()
    await world.like()
    say(f"made good {time.monotonic() - back:.1f} s after the API was back")
    for number in range(1, 5):
        await kube.delete(PODS, f"pod-{number}", where, grace_seconds=0)
    await world.like()
    await world.restored(before)
