import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from causeway.kube.client import Listing, WatchEvent
from causeway.kube.errors import ApiError, Forbidden, error_from
from causeway.kube.ingresses import Secret
from causeway.kube.objects import Meta
from causeway.rooms.routes.secrets import Secrets

DEADLINE = 60.0


class Place:
    """Where one Secret comes from."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.allowed = True
        self.answer = "may not"
        self.fault: ApiError | None = None
        self.asked = 0
        self.there: list[Secret] = []
        self.events: asyncio.Queue[Secret | ApiError] = asyncio.Queue()
        self.watched = 0

    def put(self, text: bytes) -> Secret:
        namespace, _, name = self.key.partition("/")
        made = Secret(Meta(name=name, namespace=namespace, uid="u", resource_version=text.decode()))
        self.there = [Secret(made.metadata, "kubernetes.io/tls", {"tls.crt": text})]
        return self.there[0]

    async def list(self) -> Listing[Secret]:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        if not self.allowed:
            raise Forbidden("secrets", self.answer)
        return Listing(list(self.there), "1")

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[Secret]]:
        if not self.allowed:
            raise Forbidden("secrets", self.answer)
        self.watched += 1
        try:
            while True:
                each = await self.events.get()
                if isinstance(each, ApiError):
                    raise each
                yield WatchEvent("MODIFIED", each, each.metadata.resource_version)
        finally:
            self.watched -= 1


class World:
    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.told: list[str] = []
        self.secrets = Secrets(self.place, self.told.append)

    def place(self, key: str) -> Place:
        return self.places.setdefault(key, Place(key))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110  # deadline above
                await asyncio.sleep(0.01)

    @contextmanager
    def running(self) -> Iterator[None]:
        task = asyncio.create_task(self.secrets.run())
        try:
            yield
        finally:
            task.cancel()


async def test_only_what_is_wanted_is_followed_and_changes_are_told() -> None:
    world = World()
    world.place("one/cert").put(b"1")
    world.secrets.want("one/shop", frozenset({"one/cert"}))
    assert not world.secrets.known("one/shop")
    assert world.secrets.known("one/other")
    with world.running():
        await world.until(lambda: world.secrets.known("one/shop"))
        world.secrets.want("one/more", frozenset({"one/cert"}))
        found = world.secrets.get("one/cert")
        assert isinstance(found, Secret)
        assert found.data == {"tls.crt": b"1"}
        world.told.clear()
        world.place("one/cert").events.put_nowait(world.place("one/cert").put(b"2"))
        await world.until(lambda: {"one/shop", "one/more"} <= set(world.told))
        found = world.secrets.get("one/cert")
        assert isinstance(found, Secret)
        assert found.data == {"tls.crt": b"2"}
        assert set(world.places) == {"one/cert"}
        world.secrets.want("one/shop", frozenset())
        world.secrets.want("one/more", frozenset())
        await world.until(lambda: world.place("one/cert").watched == 0)


async def test_what_does_not_exist_is_known_and_told() -> None:
    world = World()
    with world.running():
        world.secrets.want("one/shop", frozenset({"one/cert"}))
        await world.until(lambda: "one/shop" in world.told)
        assert world.secrets.known("one/shop")
        assert world.secrets.get("one/cert") == "does not exist"


async def test_what_may_not_be_read_is_known_until_it_may() -> None:
    world = World()
    place = world.place("one/cert")
    place.put(b"1")
    place.allowed = False
    with world.running():
        world.secrets.want("one/shop", frozenset({"one/cert"}))
        await world.until(lambda: world.secrets.known("one/shop"))
        found = world.secrets.get("one/cert")
        assert isinstance(found, str)
        assert "may not be read" in found
        place.allowed = True
        await world.until(lambda: isinstance(world.secrets.get("one/cert"), Secret))


@pytest.mark.parametrize(
    ("answer", "account"),
    [
        (
            'secrets "cert" is forbidden: User "system:serviceaccount:kube-system:causeway-router" cannot '
            'list resource "secrets" in API group "" in the namespace "one"',
            "the service account kube-system/causeway-router",
        ),
        ('secrets is forbidden: User "router" cannot list resource "secrets"', "the user router"),
        ("may not", "the router's account"),
    ],
)
async def test_who_may_not_read_a_secret_is_told_as_far_as_the_api_tells(answer: str, account: str) -> None:
    world = World()
    place = world.place("one/cert")
    place.allowed, place.answer = False, answer
    with world.running():
        world.secrets.want("one/shop", frozenset({"one/cert"}))
        await world.until(lambda: world.secrets.known("one/shop"))
        assert world.secrets.get("one/cert") == (
            f"may not be read, if it exists at all: let {account} list and watch it, as "
            "docs/how-to/routes.md#a-certificate-in-a-secret has it"
        )


def test_a_right_that_is_taken_away_for_a_minute_takes_the_certificate_and_gives_it_back(
    in_virtual_time: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    world = World()
    place = world.place("one/cert")
    place.put(b"1")

    async def taken_and_given() -> None:
        now = asyncio.get_running_loop().time
        with world.running():
            world.secrets.want("one/shop", frozenset({"one/cert"}))
            await world.until(lambda: place.watched == 1)
            world.told.clear()
            place.allowed, begun = False, now()
            place.events.put_nowait(Forbidden("secrets", "the watch is refused"))
            async with asyncio.timeout(120):
                while isinstance(world.secrets.get("one/cert"), Secret):
                    assert world.told == []
                    await asyncio.sleep(0.1)
            assert 60 <= now() - begun < 100  # a refusal later than a minute, which come half a minute apart
            assert world.told == ["one/shop"]
            assert world.secrets.known("one/shop")
            assert "may not be read" in str(world.secrets.get("one/cert"))
            place.allowed = True
            await world.until(lambda: isinstance(world.secrets.get("one/cert"), Secret))
            assert world.told == ["one/shop"] * 2

    in_virtual_time(taken_and_given())


@pytest.mark.parametrize("passing", [True, False])
def test_refusals_of_less_than_a_minute_take_nothing_away(
    in_virtual_time: Callable[[Coroutine[Any, Any, None]], None], passing: bool
) -> None:
    world = World()
    place = world.place("one/cert")
    place.put(b"1")

    async def refused_for_a_moment() -> None:
        with world.running():
            world.secrets.want("one/shop", frozenset({"one/cert"}))
            await world.until(lambda: place.watched == 1)
            world.told.clear()
            for _ in range(4):  # together more than a minute
                place.allowed = False
                place.events.put_nowait(Forbidden("secrets", "the watch is refused"))
                await asyncio.sleep(40)
                if passing:  # an API server that does not answer says nothing of rights
                    place.fault = error_from("secrets", 503, b"starting")
                    await asyncio.sleep(40)
                    place.fault = None
                else:
                    place.allowed = True
                    await world.until(lambda: place.watched == 1)
            assert isinstance(world.secrets.get("one/cert"), Secret)
            assert world.told == []

    in_virtual_time(refused_for_a_moment())


async def test_one_that_may_be_listed_and_not_watched_is_had_anyhow() -> None:
    world = World()
    place = world.place("one/cert")
    place.put(b"1")
    with world.running():
        world.secrets.want("one/shop", frozenset({"one/cert"}))
        await world.until(lambda: place.watched == 1)
        place.put(b"2")
        place.events.put_nowait(Forbidden("secrets", "the watch is refused"))

        def second() -> bool:
            found = world.secrets.get("one/cert")
            return isinstance(found, Secret) and found.data == {"tls.crt": b"2"}

        await world.until(second)


@pytest.mark.parametrize("status", [400, 404, 405, 422, 401, 410, 429, 500, 503])
async def test_one_that_can_never_be_read_is_known_and_one_that_cannot_now_is_not(status: int) -> None:
    world = World()
    world.place("one/cert").fault = error_from("secrets", status, b"no such field")
    with world.running():
        world.secrets.want("one/shop", frozenset({"one/cert"}))
        if status in (400, 404, 405, 422):
            await world.until(lambda: "one/shop" in world.told)
            assert world.secrets.known("one/shop")
            assert world.secrets.get("one/cert") == "cannot be read: no such field"
        else:
            await world.until(lambda: world.place("one/cert").asked == 2)
            assert not world.secrets.known("one/shop")


@pytest.mark.parametrize(
    "name", ["", "a=b", "a,metadata.namespace=two", "a/b", "../two/a", "A", "a.", "a\n", "a" * 254]
)
@pytest.mark.parametrize("running", [True, False])
async def test_nobody_is_asked_for_what_can_be_no_name(name: str, running: bool) -> None:
    world, key = World(), f"one/{name}"
    if not running:  # it is wanted before
        world.secrets.want("one/shop", frozenset({key, "one/" + "a" * 253}))
    with world.running():
        world.secrets.want("one/shop", frozenset({key, "one/" + "a" * 253}))
        await world.until(lambda: world.secrets.known("one/shop"))
        assert world.place("one/" + "a" * 253).asked == 1
        assert world.place(key).asked == 0
        assert "no DNS subdomain name" in str(world.secrets.get(key))
        world.secrets.want("one/shop", frozenset())


def test_a_secret_never_shows_what_is_in_it() -> None:
    assert "hidden" not in repr(Secret(Meta(name="n"), data={"tls.key": b"hidden"}))
