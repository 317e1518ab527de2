"""From Ingresses of the API to HAProxy, and back into Events and statuses."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.models.events import KeptEvents
from tests.models.feeds import Feed, informers
from tests.models.haproxy import HaproxyModel
from tests.unit.rooms.routes.examples import OFFER, slice_of
from tests.unit.rooms.routes.ingress_examples import NGINX, class_of, ingress, path, rule, secret, service
from tests.unit.rooms.routes.test_router import FRONT

from causeway.kube.client import Listing
from causeway.kube.errors import Forbidden, Object, Unavailable
from causeway.kube.events import Recorder
from causeway.kube.ingresses import INGRESSES, Ingress, Secret
from causeway.kube.objects import Meta
from causeway.kube.resource import INGRESS_CLASSES, SERVICES, Resource
from causeway.rooms.routes import statuses
from causeway.rooms.routes.classes import CONTROLLER
from causeway.rooms.routes.commands import Files
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.entrance import Entrance, addresses
from causeway.rooms.routes.ingresses import Derived, derive
from causeway.rooms.routes.parts import ingress_of
from causeway.rooms.routes.router import Router
from causeway.rooms.routes.secrets import PATIENCE

TLS = [{"hosts": ["www.apps.example"], "secretName": "cert"}]
OURS = {"ingressClassName": "causeway"}
NAME = "router.example"


class Hidden(Feed[Secret]):
    """A Secret that may be read or not, of an API that answers or not."""

    allowed, answers = True, True

    async def list(self) -> Listing[Secret]:
        if not self.answers:
            raise Unavailable("secrets", "is failing", status=503)
        if not self.allowed:
            raise Forbidden("secrets", "may not")
        return await super().list()


class World:
    """The API as feeds, HAProxy as a model, and between them what is tested."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ingresses, self.classes, self.services = Feed[Any](), Feed[Any](), Feed[Any]()
        self.secrets: dict[str, Hidden] = {}
        self.events = KeptEvents()
        self.writes: list[float] = []
        self.contested = False
        self.allowed = {"one", "two"}
        self.patience = PATIENCE
        self.model = HaproxyModel(directory)
        self.classes.put(class_of("causeway", CONTROLLER))
        self.services.put(msgspec.structs.replace(service(), metadata=Meta("shop", "one")))
        self.begin()

    def begin(self) -> None:
        """Begin as a process does that knows nothing."""
        feeds = {INGRESSES: self.ingresses, INGRESS_CLASSES: self.classes, SERVICES: self.services}
        self.informers = informers(feeds)
        offer = Offer(directory=self.directory, rules=OFFER.rules)
        self.router = Router(self.model, offer, FRONT, _slices, spares=4, told=self._told)
        self.entrance = Entrance(
            self,
            self.informers,
            Recorder(self.events, "router"),
            self.router,
            secret=lambda key: self.secrets.setdefault(key, Hidden()),
            labels=None,
            allowed=lambda namespace: namespace in self.allowed,
            canonical=NAME,
            patience=self.patience,
        )

    def _told(self, key: str) -> None:
        self.entrance.told(ingress_of(key))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async def route() -> None:
            await self.entrance.begin()
            await self.router.run()

        tasks = [asyncio.create_task(each) for each in (self.informers.run(), self.entrance.run(), route())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # the API

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        assert resource == INGRESSES
        whole: Object = msgspec.to_builtins(self.ingresses.objects[f"{namespace}/{name}"])
        return whole

    async def replace(self, resource: Resource, body: Object, *, subresource: str | None = None) -> Object:
        assert (resource, subresource) == (INGRESSES, "status")
        self.writes.append(time.monotonic())
        self.ingresses.put(msgspec.convert(body, Ingress))
        if self.contested:  # another router of our name says at once that it does not serve it
            self.ingresses.put(msgspec.convert(body | {"status": {}}, Ingress))
        return body

    # what came of it

    def _map(self, name: str) -> dict[str, str]:
        return dict(self.model.maps.get(str(Files(self.directory).map(name)), ()))  # type: ignore[arg-type]

    def hosts(self) -> dict[str, str]:
        """Return the Ingress by key of the map of prefixes."""
        owners = self._map("owner")
        return {
            key: ingress_of(owners.get(value.partition(":")[0], ""))
            for key, value in self._map("prefix").items()
        }

    def certificates(self) -> set[str]:
        """Return the files of the certificates that are shown."""
        return {file for file, _ in self.model.listed}

    def outcomes(self) -> list[object]:
        return [self.router.outcome(key) for key in map(str, self.router.registry.keys())]

    def addresses(self, key: str) -> list[str]:
        return [each.hostname for each in self.ingresses.objects[key].status.load_balancer.ingress]


def _slices(_namespace: str, _service: str) -> list[Any]:
    return [slice_of({"10.0.0.1": True})]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # deadline above
            await asyncio.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_only_ours_are_served_and_written(world: World) -> None:
    world.ingresses.put(ingress(**OURS))
    world.ingresses.put(ingress("others", rules=[rule("b.example")], ingressClassName="nginx"))
    world.ingresses.put(ingress("hidden", "three", rules=[rule("c.example")], **OURS))
    async with world.running():
        await until(lambda: world.addresses("one/shop") == [NAME])
        assert world.hosts() == {"pwww.apps.example/": "one/shop"}
        assert world.addresses("one/others") == []
        assert world.events.kept == []
        world.allowed.add("three")
        world.classes.put(class_of("nginx", CONTROLLER))
        await until(lambda: set(world.hosts().values()) == {"one/shop", "one/others", "three/hidden"})
        world.classes.drop("causeway")
        world.ingresses.drop("one/others")
        await until(lambda: world.hosts() == {})


async def test_a_certificate_that_may_be_read_at_last_is_shown(world: World) -> None:
    place = world.secrets.setdefault("one/cert", Hidden())
    place.allowed = False
    place.put(secret())
    world.ingresses.put(ingress(tls=TLS, **OURS))
    async with world.running():
        await until(lambda: set(world.hosts()) == {"pwww.apps.example/", "swww.apps.example/"})
        await until(lambda: "CertificateUnusable" in world.events.reasons())
        assert "may not be read" in world.events.kept[0]["note"]
        assert world.certificates() == set()
        place.allowed = True
        await until(lambda: len(world.certificates()) == 1)
        first = world.certificates()
        place.put(secret("other.example"))
        await until(lambda: len(world.certificates()) == 1 and not world.certificates() & first)
        assert world.model.loads == 1
        assert set(world.secrets) == {"one/cert"}


async def test_who_comes_back_takes_no_certificate_away(world: World) -> None:
    world.secrets.setdefault("one/cert", Hidden()).put(secret())
    world.ingresses.put(ingress(tls=TLS, **OURS))
    async with world.running():
        await until(lambda: len(world.certificates()) == 1)
        await until(lambda: world.addresses("one/shop") == [NAME])
    world.model.commands.clear()
    world.begin()
    async with world.running():
        await until(lambda: any(each is True for each in world.outcomes()))
        assert len(world.certificates()) == 1
    changes = [each for each in world.model.commands if each.startswith(("add", "del", "set", "new"))]
    assert changes == []
    assert world.model.loads == 1


async def test_a_secret_that_is_never_known_keeps_nobody_else_waiting(world: World) -> None:
    world.patience = 0.2
    world.begin()
    place = world.secrets.setdefault("one/cert", Hidden())
    place.answers = False
    place.put(secret())
    world.ingresses.put(ingress(tls=TLS, **OURS))
    world.ingresses.put(ingress("beside", rules=[rule("b.example")], **OURS))
    world.ingresses.put(ingress("later", "two", age=1, rules=[rule("www.apps.example")], **OURS))
    async with world.running():
        await until(lambda: "pb.example/" in world.hosts())
        await until(lambda: "HostAlreadyClaimed" in world.events.reasons())  # whose it is holds it meanwhile
        assert not world.certificates()
        place.answers = True
        await until(lambda: len(world.certificates()) == 1)
        assert "swww.apps.example/" in world.hosts()


async def test_what_is_not_served_is_told_and_has_no_address(world: World) -> None:
    world.ingresses.put(ingress(**OURS))
    world.ingresses.put(ingress("later", "two", age=1, rules=[rule("www.apps.example")], **OURS))
    async with world.running():
        await until(lambda: {"ServiceNotFound", "HostAlreadyClaimed"} <= set(world.events.reasons()))
        assert {each["regarding"]["name"] for each in world.events.kept} == {"later"}
        await until(lambda: world.addresses("one/shop") == [NAME])
        assert world.addresses("two/later") == []
        bad = ingress(annotations={f"{NGINX}auth-url": "http://auth.example"}).metadata
        world.ingresses.put(msgspec.structs.replace(world.ingresses.objects["one/shop"], metadata=bad))
        await until(lambda: "ExtendedValidationFailed" in world.events.reasons())
        await until(lambda: world.addresses("one/shop") == [])
        assert world.hosts() == {}  # its host is held nevertheless
        world.ingresses.drop("one/shop")
        await until(lambda: world.hosts() == {"pwww.apps.example/": "two/later"})
        await until(lambda: world.addresses("two/later") == [NAME])


async def test_who_says_otherwise_is_written_over_at_once_and_then_with_a_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statuses, "CONTESTED", 0.2)
    world.contested = True
    world.ingresses.put(ingress(**OURS))
    async with world.running():
        await until(lambda: len(world.writes) >= 4)
    rests = [later - earlier for earlier, later in itertools.pairwise(world.writes)]
    assert all(each >= 0.2 for each in rests), rests


async def test_a_service_that_comes_later_is_found(world: World) -> None:
    world.ingresses.put(ingress(rules=[rule("a.example", path("/", service="late"))], **OURS))
    async with world.running():
        await until(lambda: "ServiceNotFound" in world.events.reasons() and bool(world.hosts()))
        assert not any(world.model.servers.values())
        world.services.put(msgspec.structs.replace(service(), metadata=Meta("late", "one")))
        await until(lambda: sum(map(len, world.model.servers.values())) == 1)


def test_our_address_is_put_among_others_and_taken_out() -> None:
    others = [{"ip": "192.0.2.1"}]
    assert addresses(others, NAME, served=True) == [*others, {"hostname": NAME}]
    assert addresses([*others, {"hostname": NAME}], NAME, served=True) is None
    assert addresses([*others, {"hostname": NAME}], NAME, served=False) == others
    assert addresses(others, NAME, served=False) is None
    assert addresses([], "2001:db8::1", served=True) == [{"ip": "2001:db8::1"}]


async def test_a_defect_that_one_ingress_hits_concerns_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(given: Ingress, *rest: Any) -> Derived:
        if given.metadata.name == "bad":
            raise ZeroDivisionError
        return derive(given, *rest)

    monkeypatch.setattr("causeway.rooms.routes.entrance.derive", failing)
    world.ingresses.put(ingress("bad", rules=[rule("bad.example")], **OURS))
    world.ingresses.put(ingress(**OURS))
    async with world.running():
        await until(lambda: world.addresses("one/shop") == [NAME])
        await until(lambda: "ExtendedValidationFailed" in world.events.reasons())
        assert world.hosts() == {"pwww.apps.example/": "one/shop"}
        assert "ZeroDivisionError" in world.events.kept[0]["note"]
