"""What is told of services that lack what is asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
from tests.models.events import KeptEvents
from tests.models.feeds import Feed, informers
from tests.models.haproxy import HaproxyModel
from tests.unit.rooms.routes.examples import OFFER, route, slice_of
from tests.unit.rooms.routes.gateway_examples import derived, gateway, http, rule
from tests.unit.rooms.routes.ingress_examples import derived as derived_ingress
from tests.unit.rooms.routes.ingress_examples import ingress, path, service
from tests.unit.rooms.routes.ingress_examples import rule as ingress_rule
from tests.unit.rooms.routes.test_router import FRONT

from causeway.kube.client import Client
from causeway.kube.errors import Object
from causeway.kube.events import Recorder
from causeway.kube.objects import EndpointSlice, Meta, Service
from causeway.kube.resource import ENDPOINT_SLICES, SERVICES, Resource
from causeway.kube.routes import ROUTES, Route
from causeway.rooms.routes.backing import lacking, unbacked
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.controller import Room, Selection
from causeway.rooms.routes.lasting import LASTING, Lasting
from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.statuses import Identity

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_a_service_without_a_port_is_told_with_those_it_has() -> None:
    assert lacking("shop", service(), 8080) == "service shop has no port 8080: it has 80"
    named = service(web=80, admin=81)
    assert lacking("shop", named, "http") == "service shop has no port http: it has 80 (web), 81 (admin)"
    many = service("shop", **{f"p{number}": number for number in range(1, 41)})
    assert lacking("shop", many, 80).endswith("10 (p10) and 30 more")


def test_so_it_is_for_an_ingress_and_for_a_route_of_gateway_api() -> None:
    given = ingress(rules=[ingress_rule("", path("/", port=81))])
    found = derived_ingress(given, services={"shop": service(web=80)})
    assert [each.message for each in found.notes] == ["service shop has no port 81: it has 80 (web)"]
    wrong = rule(backendRefs=[{"name": "shop", "port": 81}])
    (attached,) = derived(gateway(), http(wrong)).attached["HTTPRoute one/shop"]
    assert attached.resolved is not None
    assert attached.resolved.message == "service one/shop has no port 81: it has 80"


# Routes


def _told(given: Route, *slices: EndpointSlice, there: tuple[str, ...] = ("shop",)) -> list[tuple[str, str]]:
    services = {f"one/{name}": service(name) for name in there}
    found = unbacked(given, services.get, lambda *_: slices)
    return [(each.reason, each.message) for each in found]


def test_a_service_that_does_not_exist_is_told() -> None:
    assert _told(route()) == []
    said = "service shop does not exist: nothing answers for it until it is made"
    assert _told(route(), there=()) == [("ServiceNotFound", said)]
    both = route(alternateBackends=[{"name": "b"}, {"name": "off", "weight": 0}])
    assert [message.partition(" does")[0] for _, message in _told(both)] == ["service b"]


def test_a_port_that_no_endpoint_has_is_told_with_those_there_are() -> None:
    web, none = slice_of({"10.0.0.1": False}), msgspec.structs.replace(slice_of({}), ports=None)
    for right in ("web", 8080, "8080"):
        assert _told(route(port={"targetPort": right}), web) == []
    wrong = route(port={"targetPort": "http"})
    assert _told(wrong, none) == _told(wrong) == []  # nobody knows yet which there will be
    ((reason, message),) = _told(wrong, web, none)
    assert (reason, message.partition(",")[0]) == (
        "PortNotFound",
        "service shop has no port http: its endpoints have 8080 (web)",
    )
    assert "spec.port.targetPort" in message


def test_what_lasts_is_told_once_until_it_is_over() -> None:
    told, one, two = Lasting(), Refusal("A", "a"), Refusal("B", "b")
    assert told.due("x", [one], 0) == ([], LASTING)
    assert told.due("x", [one, two], 4) == ([], LASTING - 4)
    assert told.due("x", [one, two], LASTING) == ([one], 4)
    assert told.due("x", [one, two], LASTING + 4) == ([two], 0)
    assert told.due("x", [one, two], 1000) == ([], 0)
    assert told.due("x", [], 1001) == ([], 0)
    assert told.due("x", [one], 1002) == ([], LASTING)
    assert told.due("y", [one], 1002) == ([], LASTING)
    assert told.due("y", [one], 1002 + LASTING) == ([one], 0)
    told.forget("y")
    assert told.due("y", [one], 1003 + LASTING) == ([], LASTING)


class Api:
    """The API as feeds; Events are kept."""

    def __init__(self) -> None:
        self.feeds: dict[Resource, Feed[Any]] = {each: Feed() for each in (ROUTES, SERVICES, ENDPOINT_SLICES)}
        self.events = KeptEvents()

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        whole: Object = msgspec.to_builtins(self.feeds[resource].objects[f"{namespace}/{name}"])
        return whole

    async def replace(self, resource: Resource, body: Object, *, subresource: str | None = None) -> Object:
        self.feeds[resource].put(msgspec.convert(body, Route))
        return body


@asynccontextmanager
async def _running(api: Api, directory: Path) -> AsyncIterator[Room]:
    followed = informers(api.feeds)
    room = Room(
        cast(Client, api),
        HaproxyModel(directory),
        followed,
        Recorder(api.events, "router"),
        offer=Offer(directory=directory, rules=OFFER.rules),
        front=FRONT,
        selection=Selection(),
        identity=Identity("router"),
        spares=4,
        secret=lambda _: Feed(),
    )
    tasks = [asyncio.create_task(each) for each in (followed.run(), room.run())]
    try:
        yield room
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _service(name: str) -> Service:
    return msgspec.structs.replace(service(), metadata=Meta(name, "one"))


def test_routes_tell_by_events_what_lasts_and_that_once(in_virtual_time: Run, tmp_path: Path) -> None:
    api = Api()
    web = slice_of({"10.0.0.1": True})
    labelled = msgspec.structs.replace(web.metadata, labels={"kubernetes.io/service-name": "shop"})
    api.feeds[ENDPOINT_SLICES].put(msgspec.structs.replace(web, metadata=labelled))
    api.feeds[SERVICES].put(_service("shop"))
    api.feeds[ROUTES].put(route())
    api.feeds[ROUTES].put(route("bad", host="bad.example", to={"name": "shop"}, port={"targetPort": "http"}))
    api.feeds[ROUTES].put(route("late", host="late.example"))
    api.feeds[ROUTES].put(route("gone", host="gone.example"))

    def told() -> list[str]:
        return sorted(": ".join(said.split(": ")[:2]) for said in api.events.said())

    async def main() -> None:
        async with _running(api, tmp_path) as room:
            await asyncio.sleep(LASTING / 2)
            api.feeds[SERVICES].put(_service("late"))  # which comes a moment after its route
            assert not api.events.kept
            await asyncio.sleep(2 * LASTING)
            assert told() == ["bad: PortNotFound", "gone: ServiceNotFound"]
            assert room.router.outcome("one/late") is True
            api.feeds[SERVICES].drop("one/shop")
            await asyncio.sleep(2 * LASTING)
            assert len(api.events.kept) == 4
            assert {"shop: ServiceNotFound", "bad: ServiceNotFound"} <= set(told())

    in_virtual_time(main())
