"""From Gateway API to HAProxy, and back into statuses, by one router and by several."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from tests.models.feeds import Feed, informers
from tests.models.haproxy import HaproxyModel
from tests.unit.rooms.routes.examples import OFFER, slice_of
from tests.unit.rooms.routes.gateway_examples import OFFERED, gateway, http, listener, meta, secret
from tests.unit.rooms.routes.test_entrance import until
from tests.unit.rooms.routes.test_router import FRONT

from causeway.kube.client import Listing
from causeway.kube.errors import Conflict, NotFound, Object
from causeway.kube.gateways import (
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    Gateway,
    GatewayClass,
    HTTPRoute,
)
from causeway.kube.ingresses import Secret
from causeway.kube.objects import Service
from causeway.kube.resource import SERVICES, Resource
from causeway.rooms.routes.classes import CONTROLLER
from causeway.rooms.routes.commands import Files
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.gateway import deriving
from causeway.rooms.routes.gateway.deriving import Derived, World
from causeway.rooms.routes.gateway.hall import Hall
from causeway.rooms.routes.gateway.listeners import Offered
from causeway.rooms.routes.router import Router

_OF = {GATEWAYS: Gateway, GATEWAY_CLASSES: GatewayClass, HTTP_ROUTES: HTTPRoute}
TLS = {"certificateRefs": [{"name": "shown"}]}


class Silent(Feed[Secret]):
    """A Secret of which nothing is heard until ``speaks``."""

    def __init__(self) -> None:
        super().__init__()
        self.speaks = asyncio.Event()

    async def list(self) -> Listing[Secret]:
        await self.speaks.wait()
        return await super().list()


class Api:
    """The API as feeds; writes count."""

    def __init__(self) -> None:
        self.feeds: dict[Resource, Feed[Any]] = {each: Feed() for each in (*_OF, SERVICES)}
        self.secrets: dict[str, Feed[Secret]] = {}
        self.writes = 0
        spec = {"controllerName": CONTROLLER}
        self.feeds[GATEWAY_CLASSES].put(
            msgspec.convert({"metadata": meta("causeway", ""), "spec": spec}, GatewayClass)
        )
        body = {"metadata": meta("shop"), "spec": {"ports": [{"port": 80}]}}
        self.feeds[SERVICES].put(msgspec.convert(body, Service))

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        found = self.feeds[resource].objects.get(f"{namespace}/{name}" if namespace else name)
        if found is None:
            raise NotFound(resource.plural, "is not there")
        whole: Object = msgspec.to_builtins(found)
        return whole

    async def replace(self, resource: Resource, body: Object, *, subresource: str | None = None) -> Object:
        assert subresource == "status"
        self.writes += 1
        now = await self.get(resource, body["metadata"]["name"], body["metadata"].get("namespace"))
        if now["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict(resource.plural, "somebody was faster")
        self.feeds[resource].put(msgspec.convert(body, _OF[resource]))
        return body

    def parents(self) -> list[str]:
        """Return the gateways the only route has entries for, in their order."""
        (route,) = self.feeds[HTTP_ROUTES].objects.values()
        return [each["parentRef"]["namespace"] for each in route.status.get("parents") or ()]


@asynccontextmanager
async def running(
    api: Api, directory: Path, *namespaces: str, offered: Offered = OFFERED, patience: float = 60
) -> AsyncIterator[HaproxyModel]:
    """A router for the gateways of namespaces."""
    model, followed = HaproxyModel(directory), informers(api.feeds)
    halls: list[Hall] = []

    def told(key: str) -> None:
        halls[0].told(key)

    router = Router(
        model,
        Offer(directory=directory, rules=OFFER.rules),
        FRONT,
        lambda *_: [slice_of({"10.0.0.1": True})],
        spares=4,
        told=told,
    )
    hall = Hall(
        api,
        followed,
        router,
        secret=lambda key: api.secrets.setdefault(key, Feed()),
        labels=None,
        allowed=lambda namespace: namespace in namespaces,
        offered=offered,
        patience=patience,
    )
    halls.append(hall)

    async def route() -> None:
        await hall.begin()
        await router.run()

    tasks = [asyncio.create_task(each) for each in (followed.run(), hall.run(), route())]
    try:
        yield model
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _hosts(model: HaproxyModel) -> set[str]:
    return {key for key, _ in model.maps.get(str(Files(model.directory).map("prefix")), ())}


@pytest.fixture
def api() -> Api:
    return Api()


async def test_a_gateway_whose_secret_is_not_known_keeps_nobody_else_waiting(
    api: Api, tmp_path: Path
) -> None:
    api.feeds[GATEWAYS].put(gateway(name="edge"))
    silent = Silent()
    api.secrets["one/shown"] = silent
    async with running(api, tmp_path, "one") as model:
        api.feeds[HTTP_ROUTES].put(http(hostnames=["a.example"]))
        await until(lambda: "pa.example/" in _hosts(model))
        secure = listener("HTTPS", hostname="s.example", tls=TLS)
        api.feeds[GATEWAYS].put(gateway(secure, name="secure"))
        api.feeds[HTTP_ROUTES].put(http(name="other", hostnames=["b.example"]))
        await until(lambda: "pb.example/" in _hosts(model))
        assert "ss.example/" not in _hosts(model)
        silent.put(secret("shown"))
        silent.speaks.set()
        await until(lambda: "ss.example/" in _hosts(model))


async def test_nor_does_it_when_the_router_begins_longer_than_for_a_while(api: Api, tmp_path: Path) -> None:
    silent = Silent()
    api.secrets["one/shown"] = silent
    api.feeds[GATEWAYS].put(gateway(listener(hostname="a.example")))
    api.feeds[GATEWAYS].put(gateway(listener("HTTPS", hostname="s.example", tls=TLS), name="secure"))
    async with running(api, tmp_path, "one", patience=0.2) as model:
        await until(lambda: "pa.example/" in _hosts(model))
        assert "ss.example/" not in _hosts(model)
        silent.put(secret("shown"))
        silent.speaks.set()
        await until(lambda: {"pa.example/", "ss.example/"} == _hosts(model))


async def test_a_gateway_is_served_as_it_was_until_its_next_secret_is_known(api: Api, tmp_path: Path) -> None:
    silent = Silent()
    api.secrets["one/shown"] = silent
    api.feeds[GATEWAYS].put(gateway(listener(hostname="a.example")))
    async with running(api, tmp_path, "one") as model:
        await until(lambda: "pa.example/" in _hosts(model))
        changed = gateway(listener("HTTPS", hostname="s.example", tls=TLS))
        generation = msgspec.structs.replace(changed.metadata, generation=2)
        api.feeds[GATEWAYS].put(msgspec.structs.replace(changed, metadata=generation))
        api.feeds[GATEWAYS].put(gateway(listener(hostname="b.example"), name="beside"))
        await until(lambda: "pb.example/" in _hosts(model))
        assert "pa.example/" in _hosts(model)
        silent.put(secret("shown"))
        silent.speaks.set()
        await until(lambda: {"ss.example/", "pb.example/"} == _hosts(model))


async def test_routers_of_several_shards_write_beside_each_other(api: Api, tmp_path: Path) -> None:
    for namespace in ("one", "two"):
        every = {"namespaces": {"from": "All"}}
        api.feeds[GATEWAYS].put(gateway(listener(allowedRoutes=every), namespace=namespace))
    references = [{"name": "edge", "namespace": each} for each in ("one", "two")]
    api.feeds[HTTP_ROUTES].put(http(hostnames=["a.example"], parentRefs=references))
    async with running(api, tmp_path / "one", "one"), running(api, tmp_path / "two", "two"):
        await until(lambda: sorted(api.parents()) == ["one", "two"])
        before = api.parents()
        generation = 2
        for _ in range(3):  # whatever is looked at again: each leaves the other's where it is
            generation += 1
            route = api.feeds[HTTP_ROUTES].objects["one/shop"]
            newer = msgspec.structs.replace(route.metadata, generation=generation)
            api.feeds[HTTP_ROUTES].put(msgspec.structs.replace(route, metadata=newer))

            def told(generation: int = generation) -> bool:
                entries = api.feeds[HTTP_ROUTES].objects["one/shop"].status["parents"]
                return all(
                    each["observedGeneration"] == generation
                    for entry in entries
                    for each in entry["conditions"]
                )

            await until(told)
            assert api.parents() == before
    assert api.writes < 30  # neither undoes what the other writes


async def test_what_a_shard_no_longer_has_it_takes_out(api: Api, tmp_path: Path) -> None:
    every = {"namespaces": {"from": "All"}}
    for namespace in ("one", "two"):
        api.feeds[GATEWAYS].put(gateway(listener(allowedRoutes=every), namespace=namespace))
    references = [{"name": "edge", "namespace": each} for each in ("one", "two")]
    api.feeds[HTTP_ROUTES].put(http(hostnames=["a.example"], parentRefs=references))
    async with running(api, tmp_path / "one", "one"), running(api, tmp_path / "two", "two"):
        await until(lambda: sorted(api.parents()) == ["one", "two"])
        api.feeds[GATEWAYS].drop("two/edge")
        await until(lambda: api.parents() == ["one"])


async def test_a_route_tells_of_a_host_that_is_held_elsewhere_until_it_is_free(
    api: Api, tmp_path: Path
) -> None:
    for namespace in ("one", "two"):
        api.feeds[GATEWAYS].put(gateway(namespace=namespace))
    api.feeds[HTTP_ROUTES].put(http(hostnames=["a.example"]))
    api.feeds[HTTP_ROUTES].put(http(namespace="two", age=1, hostnames=["a.example", "b.example"]))

    def accepted() -> tuple[str, str]:
        entries = api.feeds[HTTP_ROUTES].objects["two/shop"].status.get("parents") or ()
        said = [each for entry in entries for each in entry["conditions"] if each["type"] == "Accepted"]
        return (said[0]["status"], said[0]["message"]) if said else ("", "")

    async with running(api, tmp_path, "one", "two") as model:
        await until(lambda: accepted()[0] == "True" and accepted()[1].startswith("not served: a.example: "))
        assert "pb.example/" in _hosts(model)
        api.feeds[HTTP_ROUTES].drop("one/shop")
        await until(lambda: accepted() == ("True", ""))


async def test_routers_with_other_ports_agree_about_their_class(api: Api, tmp_path: Path) -> None:
    def features() -> set[str]:
        status = api.feeds[GATEWAY_CLASSES].objects["causeway"].status
        return {each["name"] for each in status.get("supportedFeatures") or ()}

    few, many = Offered("192.0.2.1"), Offered("192.0.2.1", frozenset({8080}))
    api.feeds[GATEWAYS].put(gateway(listener(hostname="a.example")))
    async with (
        running(api, tmp_path / "few", "one", offered=few) as first,
        running(api, tmp_path / "many", "one", offered=many) as second,
    ):
        await until(lambda: "GatewayPort8080" in features())
        for number in range(3):  # each looks at the class again after the other has
            api.feeds[GATEWAYS].put(gateway(listener(hostname=f"{number}.example"), name=f"g{number}"))

            def served(host: str = f"p{number}.example/") -> bool:
                return host in _hosts(first) and host in _hosts(second)

            await until(served)
            assert "GatewayPort8080" in features()
    assert len(api.feeds[GATEWAY_CLASSES].history) <= 3  # made, and written once by each at the most


async def test_a_defect_keeps_what_is_served_and_ends_nothing(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [False]

    def derive(world: World) -> Derived:
        if failing[0]:
            raise ZeroDivisionError
        return deriving.derive(world)

    monkeypatch.setattr("causeway.rooms.routes.gateway.hall.derive", derive)
    api.feeds[GATEWAYS].put(gateway())
    async with running(api, tmp_path, "one") as model:
        api.feeds[HTTP_ROUTES].put(http(hostnames=["a.example"]))
        await until(lambda: "pa.example/" in _hosts(model))
        failing[0] = True
        with structlog.testing.capture_logs() as logged:
            api.feeds[HTTP_ROUTES].put(http(name="b", hostnames=["b.example"]))
            await until(lambda: any("could not be read" in each["event"] for each in logged))
        assert "pa.example/" in _hosts(model)
        failing[0] = False
        api.feeds[HTTP_ROUTES].put(http(name="c", hostnames=["c.example"]))
        await until(lambda: {"pb.example/", "pc.example/"} <= _hosts(model))
