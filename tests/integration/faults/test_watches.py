"""A reflector behind the fault proxy ends up with what the real API has, and tells each change once."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from tests.faults import refusals
from tests.faults.doors import KUBERNETES, token_of
from tests.faults.proxy import FaultProxy, Server
from tests.faults.weather import STORMY, Fault, Kind, Weather
from tests.integration.deployment import deploy
from tests.integration.faults.objects import pod
from tests.integration.kube_api import KubeApi

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.objects import Pod
from causeway.kube.reflector import ApiSource, Reflector
from causeway.kube.resource import NAMESPACES, PODS
from causeway.kube.store import Change, Store

_SILENCE = 1.5  # seconds; bookmarks are a minute apart, so a watch is taken for dead often


class Behind:
    """A reflector of one namespace's pods behind a proxy, and the test's own way past it."""

    def __init__(self, kube: Client, proxy: FaultProxy, client: Client, namespace: str) -> None:
        self.kube = kube
        self.proxy = proxy
        self.namespace = namespace
        self.changes: list[Change[Pod]] = []
        source = ApiSource(client, PODS, Pod, namespace=namespace)
        self.reflector = Reflector(source, Store[Pod](), silence=_SILENCE)
        self.reflector.handlers.append(self.changes.append)

    async def alike(self) -> list[Pod]:
        """Return what there is, once the store holds exactly that."""
        deadline = time.monotonic() + 120
        while True:
            there = (await self.kube.list(PODS, self.namespace, of=Pod)).items
            held = self.reflector.store.all()
            if sorted(map(_version, held)) == sorted(map(_version, there)):
                return there
            assert time.monotonic() < deadline, f"holds {held}, there are {there}"
            await asyncio.sleep(0.05)

    def check(self, there: list[Pod]) -> None:
        """Assert that the changes of each pod began once, ended once if it is gone, and came in order."""
        told = Counter[tuple[str, str]]()
        alive: dict[str, int] = {}
        for change in self.changes:
            thing = change.new or change.old
            assert thing is not None
            uid = thing.metadata.uid
            if change.old is None:
                told[uid, "came"] += 1
                assert uid not in alive
            else:
                assert uid in alive
            if change.new is None:
                told[uid, "went"] += 1
                del alive[uid]
            else:
                version = int(thing.metadata.resource_version)
                assert version > alive.get(uid, 0)
                alive[uid] = version
        assert set(told.values()) <= {1}
        assert alive.keys() == {one.metadata.uid for one in there}


def _version(thing: Pod) -> tuple[str, str]:
    return thing.metadata.uid, thing.metadata.resource_version


@pytest.fixture
async def behind(kube_api: KubeApi) -> AsyncIterator[Callable[[Weather], Behind]]:
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(Client(from_kubeconfig(kube_api.kubeconfig)))
        await deploy(kube)
        user = {"token": await token_of(kube, "causeway-controller")}
        namespace = f"ns-{uuid4().hex[:6]}"
        await kube.create(NAMESPACES, {"metadata": {"name": namespace}})
        weather = Weather()
        server = Server("127.0.0.1", kube_api.port, kube_api.trusting())
        proxy = FaultProxy(KUBERNETES, server, weather, tls=kube_api.serving(), refusal=refusals.kubernetes)
        await stack.enter_async_context(proxy)
        access = from_kubeconfig(kube_api.config(proxy.url, user))
        made = Behind(kube, proxy, await stack.enter_async_context(Client(access)), namespace)

        def under(chosen: Weather) -> Behind:
            proxy.weather = chosen
            return made

        running = asyncio.create_task(made.reflector.run())
        stack.push_async_callback(_end, running)
        yield under


async def _end(task: "asyncio.Task[None]") -> None:
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def change_pods(behind: Behind, dice: random.Random, count: int) -> None:
    """Make, change and delete pods of few names, so that names are used again."""
    kube, where = behind.kube, behind.namespace
    names: set[str] = set()
    for number in range(count):
        name = f"pod-{dice.randrange(6)}"
        if name not in names:
            await kube.create(PODS, pod(name, "w1"), where)
            names.add(name)
        elif dice.random() < 0.5:
            await kube.patch(PODS, name, {"metadata": {"labels": {"turn": str(number)}}}, where)
        else:
            await kube.delete(PODS, name, where, grace_seconds=0)
            names.discard(name)
        await asyncio.sleep(dice.uniform(0, 0.05))  # not a wait: the pace


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_through_a_storm_each_change_is_told_once(
    behind: Callable[[Weather], Behind], seed: int
) -> None:
    weather = Weather(seed, {kind: 3 * rate for kind, rate in STORMY.items()})
    here = behind(weather)
    for _ in range(3):  # a watch that meets nothing would last as long as the test
        weather.once(lambda request: request.is_watch, Fault(Kind.CUT_STREAM, seconds=0.5))
    await here.proxy.down()  # the first watch may have begun in fair weather
    await here.proxy.up()
    await change_pods(here, random.Random(seed), 150)
    weather.calm()
    here.check(await here.alike())
    assert weather.met


async def test_a_version_that_is_no_longer_kept_loses_no_deletion(
    behind: Callable[[Weather], Behind],
) -> None:
    weather = Weather()
    here = behind(weather)
    for name in ("stays", "goes"):
        await here.kube.create(PODS, pod(name, "w1"), here.namespace)
    await here.alike()
    for _ in range(3):
        weather.once(lambda request: request.is_watch, Fault(Kind.REFUSE, status=410))
    await here.proxy.down()
    await here.kube.delete(PODS, "goes", here.namespace, grace_seconds=0)
    await here.proxy.up()
    here.check(await here.alike())
    assert weather.met[KUBERNETES, "410"]


async def test_a_connection_that_died_without_a_word_is_noticed(behind: Callable[[Weather], Behind]) -> None:
    here = behind(Weather())
    await here.kube.create(PODS, pod("before", "w1"), here.namespace)
    await here.alike()
    here.proxy.freeze()
    await here.kube.create(PODS, pod("during", "w1"), here.namespace)
    await asyncio.sleep(2 * _SILENCE)  # not a wait: how long nothing comes through
    here.proxy.thaw()
    here.check(await here.alike())


async def test_a_restarted_api_server_is_followed_as_before(
    behind: Callable[[Weather], Behind], kube_api: KubeApi
) -> None:
    here = behind(Weather())
    await here.kube.create(PODS, pod("before", "w1"), here.namespace)
    await here.alike()
    await asyncio.to_thread(kube_api.server.end)
    await asyncio.to_thread(kube_api.server.start)
    await here.kube.delete(PODS, "before", here.namespace, grace_seconds=0)
    await here.kube.create(PODS, pod("after", "w1"), here.namespace)
    here.check(await here.alike())
