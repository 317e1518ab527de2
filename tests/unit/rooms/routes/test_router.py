"""The router on a model of HAProxy that ``tests/contract`` holds to the real one."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.models.haproxy import HaproxyModel
from tests.unit.rooms.routes.examples import OFFER, certificate, route, slice_of
from tests.unit.rooms.routes.gateway_examples import derived, gateway, http, rule

from causeway.kube.objects import EndpointSlice, key_of
from causeway.kube.routes import Route
from causeway.rooms.routes.commands import Files, questions, state_of
from causeway.rooms.routes.compiling import Offer, compile_route
from causeway.rooms.routes.config import Front
from causeway.rooms.routes.model import Entry, Item, MapKey, Refusal, ServerKey, Value
from causeway.rooms.routes.router import Doubt, Router

FRONT = Front(
    plain=("127.0.0.1:80",),
    secure=("127.0.0.1:443",),
    certificate=Path("/run/router/default.pem"),
    client_authorities="/run/router/clients.pem",
    client_verify="optional",
)


REST = 7.0  # seconds: a connection may take five to fail, and HAProxy waits one more with the request


class World:
    """A router on a model of HAProxy, with its endpoints."""

    def __init__(self, directory: Path, spares: int = 4) -> None:
        self.directory = directory
        self.model = HaproxyModel(directory)
        self.endpoints: dict[str, list[str]] = {}
        self.told: list[str] = []
        self.spares = spares
        self.now = 0.0
        self.router = self.another()

    def another(self) -> Router:
        """Return a router that knows nothing yet, as after a crash."""
        offer = Offer(directory=self.directory, rules=OFFER.rules)
        return Router(
            self.model,
            offer,
            FRONT,
            self._slices,
            spares=self.spares,
            told=self.told.append,
            clock=lambda: self.now,
        )

    async def rounds(self) -> None:
        """Let servers retire, rest, and go."""
        await self.router.round()
        self.now += REST
        await self.router.round()

    def _slices(self, namespace: str, service: str) -> list[EndpointSlice]:
        addresses = self.endpoints.get(f"{namespace}/{service}", ["10.0.0.1"])
        return [slice_of(dict.fromkeys(addresses, True))]

    async def state(self) -> dict[Item, Value]:
        files = Files(self.directory)
        return state_of(await self.model.ask(questions(files)), frozenset(self.model.backends), files)

    async def way(self, key: str) -> str:
        """Return the route that a key of the map of prefixes leads to."""
        state = await self.state()
        backend = str(state.get(MapKey("prefix", key), "")).partition(":")[0]
        return str(state.get(MapKey("owner", backend), ""))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_change_is_sent_and_nothing_is_loaded_anew(world: World) -> None:
    world.router.put(route())
    await world.router.round()
    assert world.model.loads == 1
    world.router.put(route("other", host="b.apps.example"))
    world.endpoints["one/shop"] = ["10.0.0.2", "10.0.0.3"]
    world.router.touch("one/shop")
    await world.rounds()
    assert world.model.loads == 1
    assert await world.way("pb.apps.example/") == "one/other"
    state = await world.state()
    assert sum(isinstance(item, ServerKey) for item in state) == 3
    assert world.told == ["one/shop", *sorted(["one/other", "one/shop"], key=world.told[1:].index)]
    assert world.router.outcome("one/other") is True


async def test_what_came_of_a_route_is_known_of_it_as_it_was_put_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.router.put(route(path="no path"))
    await world.router.round()
    assert isinstance(world.router.outcome("one/shop"), Refusal)
    world.router.put(route())
    assert world.router.outcome("one/shop") is False
    await world.router.round()
    assert world.router.outcome("one/shop") is True

    asked, go, ask = asyncio.Event(), asyncio.Event(), world.model.ask

    async def held(commands: Sequence[str]) -> list[str]:
        asked.set()
        await go.wait()
        return await ask(commands)

    monkeypatch.setattr(world.model, "ask", held)
    world.router.put(route(host="b.apps.example"))
    going = asyncio.create_task(world.router.round())
    await asked.wait()
    world.router.put(route(host="c.apps.example"))
    go.set()
    await going
    assert world.router.outcome("one/shop") is False
    await world.router.round()
    assert world.router.outcome("one/shop") is True
    assert await world.way("pc.apps.example/") == "one/shop"


async def test_one_bad_route_concerns_nobody_else(world: World) -> None:
    world.router.put(route())
    await world.router.round()
    bad = {"termination": "edge", "certificate": "nonsense", "key": "nonsense"}
    world.router.put(route("bad", host="bad.apps.example", tls=bad))
    world.router.put(route("good", host="good.apps.example"))
    await world.router.round()
    outcome = world.router.outcome("one/bad")
    assert isinstance(outcome, Refusal)
    assert world.router.refused == 1
    assert world.router.outcome("one/good") is True


async def test_a_kind_haproxy_does_not_accept_is_refused_alone(world: World) -> None:
    actions = {"request": [{"name": "X", "action": {"type": "Set", "set": {"value": "nonsense"}}}]}
    world.router.put(route("bad", host="bad.apps.example", httpHeaders={"actions": actions}))
    world.router.put(route())
    await world.router.round()
    assert isinstance(world.router.outcome("one/bad"), Refusal)
    assert world.router.outcome("one/shop") is True


async def test_a_cookie_haproxy_does_not_accept_is_refused_alone(world: World) -> None:
    named = {"router.openshift.io/cookie_name": "nonsense"}
    world.router.put(route("bad", host="bad.apps.example", annotations=named))
    world.router.put(route())
    await world.router.round()
    assert isinstance(world.router.outcome("one/bad"), Refusal)
    assert world.router.outcome("one/shop") is True


async def test_haproxy_is_asked_once_about_many_kinds_and_finds_the_bad_ones(world: World) -> None:
    for number in range(40):
        named = {"router.openshift.io/cookie_name": f"c{number}"}
        world.router.put(route(f"r{number}", host=f"h{number}.apps.example", annotations=named))
    await world.router.round()
    assert (world.model.loads, world.model.checks) == (1, 1)
    for number in range(40):
        named = {
            "router.openshift.io/cookie_name": f"nonsense{number}" if number in (7, 31) else f"d{number}"
        }
        world.router.put(route(f"s{number}", host=f"s{number}.apps.example", annotations=named))
    world.router._grown = float("-inf")
    await world.router.round()
    refused = [n for n in range(40) if isinstance(world.router.outcome(f"one/s{n}"), Refusal)]
    assert refused == [7, 31]
    assert world.model.checks < 30


async def test_when_no_spare_is_left_one_load_makes_room_for_all(world: World) -> None:
    world.router.put(route())
    await world.router.round()
    for number in range(10):
        world.router.put(route(f"r{number}", host=f"h{number}.apps.example"))
    world.router._grown = float("-inf")  # the last load is long ago
    await world.router.round()
    assert world.model.loads == 2
    assert all(world.router.outcome(f"one/r{number}") is True for number in range(10))


async def test_routes_wait_for_one_load_instead_of_causing_many(world: World) -> None:
    world.router.put(route())
    await world.router.round()
    for number in range(10):
        world.router.put(route(f"r{number}", host=f"h{number}.apps.example"))
    await world.router.round()  # right after the first load
    assert world.model.loads == 1
    placed = [world.router.outcome(f"one/r{number}") for number in range(10)]
    assert placed.count(True) == 4  # the spares
    world.router._grown = float("-inf")
    await world.router.round()
    assert world.model.loads == 2
    assert all(world.router.outcome(f"one/r{number}") is True for number in range(10))


async def test_changes_that_go_on_faster_than_backends_rest_cost_a_few_loads_and_then_none(
    world: World,
) -> None:
    loads = []
    for turn in range(20):
        names = [f"r{turn}-{number}" for number in range(6)]
        for name in names:
            world.router.put(route(name, host=f"{name}.apps.example"))
        await world.router.round()
        assert all(world.router.outcome(f"one/{name}") is True for name in names)
        for name in names:
            world.router.remove(f"one/{name}")
        await world.router.round()
        loads.append(world.model.loads)
        world.now += REST / 3
    assert 1 < loads[-1] == loads[12] <= 5


async def test_a_backend_is_another_routes_only_once_its_servers_are_gone(world: World) -> None:
    world.router.put(route())
    await world.router.round()
    (server,) = (item for item in await world.state() if isinstance(item, ServerKey))
    world.model.busy.add(server.server)
    world.router.remove("one/shop")
    world.router.put(route("next", host="next.apps.example"))
    await world.router.round()
    assert world.router.backends() != {server.backend: "one/next"}
    assert server in await world.state()
    world.now += REST
    await world.router.round()
    assert server in await world.state()
    world.model.busy.clear()
    await world.router.round()
    assert server not in await world.state()


async def test_a_server_is_deleted_when_no_request_can_wait_any_more_to_ask_it_again(world: World) -> None:
    tls = {"termination": "reencrypt", "destinationCACertificate": certificate()[0]}
    world.router.put(route(tls=tls))
    await world.router.round()
    world.model.commands.clear()
    world.router.remove("one/shop")

    async def deleted(after: float) -> list[str]:
        world.now += after
        await world.router.round()
        return [
            each.split()[1] for each in world.model.commands if each.startswith(("del server", "del ssl"))
        ]

    assert await deleted(0.0) == []
    assert await deleted(REST - 0.1) == []
    world.router = world.another()  # it does not know since when
    assert await deleted(0.2) == []
    assert await deleted(REST) == ["server", "ssl"]


async def test_who_comes_after_a_crash_takes_over_what_runs(world: World) -> None:
    world.router.put(route())
    world.router.put(route("gone", host="gone.apps.example"))
    await world.router.round()
    before = await world.state()
    world.model.commands.clear()
    router = world.another()
    router.put(route())
    await router.round()
    world.now += REST
    await router.round()
    assert world.model.loads == 1
    assert not [each for each in world.model.commands if each.startswith(("add", "set map"))]
    after = await world.state()
    assert after == {item: value for item, value in before.items() if item in after}
    assert await world.way("pgone.apps.example/") == ""
    assert await world.way("pwww.apps.example/") == "one/shop"


async def test_servers_of_a_kind_nobody_needs_any_more_go_after_a_crash(world: World) -> None:
    world.router.put(route("a", annotations={"router.openshift.io/cookie_name": "own"}))
    await world.router.round()
    before = {item for item in await world.state() if isinstance(item, ServerKey)}
    world.router = world.another()
    world.router.put(route("a"))
    await world.rounds()
    now = {item for item in await world.state() if isinstance(item, ServerKey)}
    assert len(now) == len(before) == 1
    assert not now & before


async def test_another_release_or_setting_loads_what_it_needs(world: World) -> None:
    world.router.put(route())
    await world.router.round()
    world.model.description = "other.1"
    router = world.another()
    router.put(route())
    await router.round()
    assert world.model.loads == 2


async def test_what_somebody_else_changed_is_put_right(world: World) -> None:
    world.router.put(route())
    await world.router.round()
    (file,) = (each for each in world.model.maps if each.endswith("prefix.map"))
    world.model.maps[file].clear()
    world.router.remove("one/shop")
    world.router.put(route("other", host="b.apps.example"))
    with pytest.raises(Doubt):
        await world.router.round()
    await _working(world.router, "one/other")
    assert await world.way("pb.apps.example/") == "one/other"
    assert world.model.loads == 1


async def _working(router: Router, until: str) -> None:
    """Have the router work until a route is placed."""
    router.distrust()
    work = asyncio.create_task(router.run())
    async with asyncio.timeout(20):
        while router.outcome(until) is not True:  # noqa: ASYNC110  # nothing here waits for anything
            await asyncio.sleep(0)
    work.cancel()


async def test_a_haproxy_that_died_is_started_with_everything(world: World) -> None:
    world.router.put(route())
    await world.router.round()
    world.model.die()
    world.router.put(route("other", host="b.apps.example"))
    await _working(world.router, "one/other")
    assert await world.way("pb.apps.example/") == "one/other"
    assert await world.way("pwww.apps.example/") == "one/shop"


async def test_a_path_with_a_slash_at_its_end_says_more_than_without(world: World) -> None:
    world.router.put(route("plain", path="/a"))
    world.router.put(route("slash", path="/a/", age=1))
    await world.router.round()
    assert await world.way("pwww.apps.example/a/") == "one/slash"
    world.router.remove("one/slash")
    await world.router.round()
    assert await world.way("pwww.apps.example/a/") == "one/plain"


def _routes() -> Iterator[Route]:
    edge = {"termination": "edge", "certificate": certificate()[0], "key": certificate()[1]}
    reencrypt = {"termination": "reencrypt", "destinationCACertificate": certificate()[0]}
    for name in ("a", "b", "c"):
        for host in ("x.apps.example", "y.apps.example"):
            yield route(name, host=host)
            yield route(name, host=host, path=f"/{name}")
            yield route(name, host=host, tls=edge)
            yield route(name, host=host, path=f"/{name}", tls=reencrypt)
            yield route(name, host=host, tls={"termination": "passthrough"})
            yield route(name, "two", host=host, age=1)
            yield route(
                name, host=host, annotations={"haproxy.router.openshift.io/ip_allowlist": "10.0.0.0/9"}
            )
            yield route(name, host=host, annotations={"router.openshift.io/cookie_name": name})
    for rules in (
        [rule("a", path="/a")],
        [rule("a", "nobody"), rule("a", path="/a", timeouts={"request": "1s"})],
    ):
        yield from derived(gateway(), http(*rules, age=1, hostnames=["y.apps.example"])).parts.values()


ROUTES = list(_routes())
CHANGE = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(ROUTES)),
    st.tuples(st.just("remove"), st.sampled_from(ROUTES)),
    st.tuples(st.just("endpoints"), st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2"]), unique=True)),
    st.tuples(st.just("crash"), st.none()),
    st.tuples(st.just("busy"), st.booleans()),
    st.tuples(st.just("round"), st.none()),
    st.tuples(st.just("time"), st.sampled_from([1.0, REST])),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CHANGE, max_size=12))
def test_whatever_happens_haproxy_runs_what_a_fresh_start_would_run(
    changes: list[tuple[str, object]],
) -> None:
    asyncio.run(_whatever_happens(changes))


async def _whatever_happens(changes: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        world = World(Path(one), spares=1)
        present: dict[str, Route] = {}
        for what, given_ in changes:
            if isinstance(given_, Route) and what == "put":
                present[key_of(given_)] = given_
                world.router.put(given_)
            elif isinstance(given_, Route):
                present.pop(key_of(given_), None)
                world.router.remove(key_of(given_))
            elif isinstance(given_, list):
                world.endpoints["one/a"] = given_
                world.router.touch("one/a")
            elif what == "crash":
                world.router = world.another()
                for each in present.values():
                    world.router.put(each)
            elif what == "busy":
                every = {server for servers in world.model.servers.values() for server in servers}
                world.model.busy = every if given_ else set()
            elif isinstance(given_, float):
                world.now += given_
            else:
                world.router._grown = float("-inf")
                await world.router.round()
        world.model.busy.clear()
        world.router._grown = float("-inf")
        await world.rounds()
        await world.rounds()
        fresh = World(Path(other), spares=1)
        fresh.endpoints = world.endpoints
        for each in present.values():
            fresh.router.put(each)
        await fresh.router.round()
        assert await _seen(world) == await _seen(fresh)


async def _seen(world: World) -> dict[str, object]:
    """Return what runs with the routes in place of the names of their backends, which are anybody's."""
    state = await world.state()
    owners = {
        item.key: str(value)
        for item, value in state.items()
        if isinstance(item, MapKey) and item.map == "owner"
    }

    def named(text: str) -> str:
        backend, mark, rest = text.replace("/", ":", 1).partition(":")
        return f"{owners[backend]}{mark}{rest}" if backend in owners else text

    seen: dict[str, object] = {}
    for item, value in state.items():
        if isinstance(item, MapKey):
            seen[f"{item.map} {named(item.key)}"] = named(str(value))
        elif not isinstance(item, ServerKey):
            seen[str(item)] = value
    # A server's name has where its authorities lie in it, and the two worlds are in two places.
    servers = [(owners[item.backend], value) for item, value in state.items() if isinstance(item, ServerKey)]
    return seen | {"servers": sorted(servers)}


async def test_a_defect_that_one_route_hits_concerns_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(given: Route, *rest: Any) -> Entry | Refusal:
        if given.metadata.name == "bad":
            raise ZeroDivisionError
        return compile_route(given, *rest)

    monkeypatch.setattr("causeway.rooms.routes.router.compile_route", failing)
    world.router.put(route("bad", host="bad.apps.example"))
    world.router.put(route())
    with structlog.testing.capture_logs() as logged:
        await world.router.round()
    outcome = world.router.outcome("one/bad")
    assert isinstance(outcome, Refusal)
    assert "ZeroDivisionError" in outcome.message
    assert [(each["route"], each["exc_info"]) for each in logged if "exc_info" in each] == [("one/bad", True)]
    assert world.router.outcome("one/shop") is True
