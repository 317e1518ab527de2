"""The room at work on models of Designate and of Kubernetes, in virtual time."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Literal, TypeVar

import msgspec
import pytest
from tests.models.designate import ModelDesignate
from tests.models.feeds import Feed, informers
from tests.unit.rooms.names.examples import (
    OWNER,
    SETTING,
    ZONE,
    attached,
    claim,
    gateway,
    ingress,
    node,
    route,
    service,
)

from causeway.cloud import errors
from causeway.cloud.designate import RecordSet, Zone
from causeway.kube.client import Listing, WatchEvent
from causeway.kube.errors import ApiError, Forbidden, NotFound
from causeway.kube.events import Recorder
from causeway.kube.gateways import (
    GATEWAYS,
    HTTP_ROUTES,
    AllowedRoutes,
    FromNamespaces,
    Gateway,
    Listener,
)
from causeway.kube.ingresses import INGRESSES, Ingress
from causeway.kube.objects import Cached, LabelSelector, Meta, Namespace, Node, Service
from causeway.kube.resource import NAMESPACES, NODES, SERVICES, Resource
from causeway.kube.routes import ROUTES, Route
from causeway.rooms.names.attached import Attached
from causeway.rooms.names.controller import Names
from causeway.rooms.names.model import Setting

T = TypeVar("T", bound=Cached)
Run = Callable[[Coroutine[Any, Any, None]], None]
WWW = "www.example.org."


class Told(Recorder):
    """Remembers events instead of writing them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    async def record(
        self,
        resource: Resource,
        about: Meta,
        *,
        reason: str,
        note: str,
        action: str,
        type: Literal["Normal", "Warning"] = "Warning",
    ) -> None:
        self.events.append((about.name, reason))


class Kind(Feed[T]):
    """A kind that may be refused: not defined, or not for us."""

    refusal: ApiError | None = None

    def refuse(self, why: ApiError | None) -> None:
        """Refuse it from now on, or no more."""
        self.refusal = why
        self._tell(WatchEvent("BOOKMARK", None, str(len(self.history) + 1)))  # whoever watches learns it

    async def list(self) -> Listing[T]:
        if self.refusal is not None:
            raise self.refusal
        return await super().list()

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[T]]:
        async for event in super().watch(resource_version):
            if self.refusal is not None:
                raise self.refusal
            yield event


class Platform:
    """The room with everything around it."""

    def __init__(self, setting: Setting = SETTING, *, zone: bool = True) -> None:
        self.setting = setting
        self.designate = ModelDesignate()
        self.services: Feed[Service] = Feed()
        self.nodes: Feed[Node] = Feed()
        self.routes: Feed[Route] = Feed()
        self.ingresses: Feed[Ingress] = Feed()
        self.gateways: Kind[Gateway] = Kind()
        self.http_routes: Kind[Attached] = Kind()
        self.namespaces: Feed[Namespace] = Feed()
        self.told = Told()
        self.zone = self.designate.zone(ZONE).id if zone else ""

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Run the room; can be done again and again, as after a restart."""
        followed = informers(
            {
                SERVICES: self.services,
                NODES: self.nodes,
                ROUTES: self.routes,
                INGRESSES: self.ingresses,
                GATEWAYS: self.gateways,
                HTTP_ROUTES: self.http_routes,
                NAMESPACES: self.namespaces,
            }
        )
        self.room = Names(self.setting, self.designate, self.told, sources=followed)  # type: ignore[arg-type]
        tasks = [asyncio.create_task(each) for each in (followed.run(), self.room.run())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def ask(self, name: str = "web", *addresses: str, **annotations: str) -> None:
        self.services.put(service(name, *(addresses or ("192.0.2.7",)), annotations=annotations))

    def answers(self) -> dict[tuple[str, str], tuple[str, ...]]:
        return self.designate.answers(self.zone)


def test_names_follow_their_objects_with_one_call_for_each_change(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        async with here.at_work():
            await asyncio.sleep(1)
            here.ask(hostname="www.example.org")
            await asyncio.sleep(0.2)
            text = claim("service/shop/web", OWNER, "causeway=marked")
            assert here.answers() == {(f"a-{WWW}", "TXT"): (text,), (WWW, "A"): ("192.0.2.7",)}
            here.ask("web", "192.0.2.8", hostname="www.example.org")
            await asyncio.sleep(0.2)
            assert here.answers()[WWW, "A"] == ("192.0.2.8",)
            here.services.drop("shop/web")
            await asyncio.sleep(0.2)
            assert here.answers() == {}
        assert here.designate.writes == [
            *(f"create TXT a-{WWW}", f"create A {WWW}", f"update A {WWW}"),
            *(f"delete A {WWW}", f"delete TXT a-{WWW}"),
        ]

    in_virtual_time(run())


def test_a_routes_name_comes_with_its_admission_and_goes_with_it(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        async with here.at_work():
            await asyncio.sleep(1)
            here.routes.put(route("web"))
            await asyncio.sleep(0.2)
            assert here.answers() == {}
            here.routes.put(route("web", ("www.example.org", "router.example.net")))
            await asyncio.sleep(0.2)
            text = claim("route/one/web", OWNER, "causeway=marked")
            assert here.answers() == {
                (f"cname-{WWW}", "TXT"): (text,),
                (WWW, "CNAME"): ("router.example.net.",),
            }
            here.routes.put(route("web", refused=("www.example.org",)))
            await asyncio.sleep(0.2)
            assert here.answers() == {}

    in_virtual_time(run())


def test_an_ingress_has_names_where_it_is_served(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        async with here.at_work():
            await asyncio.sleep(1)
            here.ingresses.put(ingress("web", hosts=("www.example.org",)))
            await asyncio.sleep(0.2)
            assert here.answers() == {}
            here.ingresses.put(ingress("web", "192.0.2.7", hosts=("www.example.org",)))
            await asyncio.sleep(0.2)
            text = claim("ingress/one/web", OWNER, "causeway=marked")
            assert here.answers() == {(f"a-{WWW}", "TXT"): (text,), (WWW, "A"): ("192.0.2.7",)}
            here.ingresses.put(ingress("web", "192.0.2.7", hosts=("www.example.net",)))
            await asyncio.sleep(0.2)
            assert here.answers() == {}

    in_virtual_time(run())


def test_a_route_of_gateway_api_has_names_while_it_is_attached(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        async with here.at_work():
            await asyncio.sleep(1)
            here.http_routes.put(attached("www.example.org", name="web"))
            await asyncio.sleep(0.2)
            assert here.answers() == {}
            here.gateways.put(gateway("192.0.2.7"))
            await asyncio.sleep(0.2)
            text = claim("httproute/one/web", OWNER, "causeway=marked")
            assert here.answers() == {(f"a-{WWW}", "TXT"): (text,), (WWW, "A"): ("192.0.2.7",)}
            here.gateways.put(gateway("192.0.2.8"))
            await asyncio.sleep(0.2)
            assert here.answers()[WWW, "A"] == ("192.0.2.8",)
            here.http_routes.put(attached("www.example.org", name="web", hostname="www.example.net"))
            await asyncio.sleep(0.2)
            assert here.told.events == [("web", "NotInZone")]
            here.http_routes.put(attached("www.example.org", name="web", accepted=False))
            await asyncio.sleep(0.2)
            assert here.answers() == {}

    in_virtual_time(run())


REFUSALS = (NotFound("httproutes", "not defined"), Forbidden("httproutes", "not for this account"))


@pytest.mark.parametrize("why", REFUSALS)
def test_names_of_a_zone_that_was_taken_over_stay_until_all_are_listed_who_may_want_them(
    in_virtual_time: Run, why: ApiError
) -> None:
    async def run() -> None:
        here = Platform()
        here.http_routes.refuse(why)
        taken = {(WWW, "A"): ("192.0.2.7",), (f"a-{WWW}", "TXT"): (claim("httproute/one/shop"),)}
        for (name, kind), records in taken.items():
            here.designate.put(here.zone, name, kind, *records)
        async with here.at_work():
            here.ask("other")
            await asyncio.sleep(100)
            assert here.answers().items() >= taken.items()
            here.http_routes.refuse(None)
            await asyncio.sleep(15)
            assert not here.answers().keys() & taken.keys()

    in_virtual_time(run())


@pytest.mark.parametrize("late", ["gateways", "http_routes"])
def test_names_stay_while_routes_and_gateways_are_listed_one_after_the_other(
    in_virtual_time: Run, late: str
) -> None:
    async def run() -> None:
        here = Platform()
        here.http_routes.put(attached("www.example.org"))
        here.gateways.put(gateway("192.0.2.7"))
        here.designate.put(here.zone, WWW, "A", "192.0.2.7")
        here.designate.put(here.zone, f"a-{WWW}", "TXT", claim("httproute/one/shop"))
        kind: Kind[Any] = getattr(here, late)
        kind.refuse(REFUSALS[0])
        async with here.at_work():
            await asyncio.sleep(65)
            kind.refuse(None)
            await asyncio.sleep(65)
            here.gateways.put(gateway("192.0.2.8"))
            await asyncio.sleep(1)
        assert here.designate.writes == [f"update A {WWW}"]
        assert not here.told.events

    in_virtual_time(run())


@pytest.mark.parametrize("why", REFUSALS)
@pytest.mark.parametrize("which", ["gateways", "http_routes"])
def test_names_outlive_a_kind_that_is_away_for_a_while(
    in_virtual_time: Run, why: ApiError, which: str
) -> None:
    async def run() -> None:
        here = Platform()
        here.http_routes.put(attached("www.example.org"))
        here.gateways.put(gateway("192.0.2.7"))
        kind: Kind[Any] = getattr(here, which)
        async with here.at_work():
            await asyncio.sleep(2)
            writes = [*here.designate.writes]
            assert len(writes) == 2
            kind.refuse(why)
            await asyncio.sleep(65)
            kind.refuse(None)
            await asyncio.sleep(65)
            assert here.designate.writes == writes
            here.http_routes.drop("one/shop")
            await asyncio.sleep(1)
            assert here.answers() == {}

    in_virtual_time(run())


def test_a_namespace_that_a_gateway_takes_routes_of_by_its_labels_may_come_to_have_them(
    in_virtual_time: Run,
) -> None:
    async def run() -> None:
        here = Platform()
        chosen = AllowedRoutes(FromNamespaces("Selector", LabelSelector({"team": "shop"})))
        edge = gateway("192.0.2.7", listeners=[Listener("http", 80, "HTTP", allowed_routes=chosen)])
        async with here.at_work():
            here.gateways.put(edge)
            here.http_routes.put(attached("www.example.org"))
            here.namespaces.put(Namespace(Meta("one")))
            await asyncio.sleep(2)
            assert here.answers() == {}
            here.namespaces.put(Namespace(Meta("one", labels={"team": "shop"})))
            await asyncio.sleep(0.2)
            assert here.answers()[WWW, "A"] == ("192.0.2.7",)

    in_virtual_time(run())


def test_what_was_deleted_while_nobody_looked_is_deleted_after_the_restart(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        here.ask(hostname="www.example.org")
        here.nodes.put(node("w1", ("InternalIP", "10.0.0.5")))
        async with here.at_work():
            await asyncio.sleep(2)
            assert (WWW, "A") in here.answers()
            assert here.answers()["w1.nodes.example.org.", "A"] == ("10.0.0.5",)
        here.services.drop("shop/web")
        writes = len(here.designate.writes)
        async with here.at_work():
            await asyncio.sleep(2)
            assert not [each for each in here.answers() if each[0].endswith(WWW)]
            assert len(here.answers()) == 2
        assert len(here.designate.writes) == writes + 2

    in_virtual_time(run())


def test_a_thousand_names_cost_their_writes_and_a_few_listings(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        for number in range(300):
            here.ask(f"s{number}", "192.0.2.7")
        async with here.at_work():
            await asyncio.sleep(300)
        assert len(here.answers()) == 600
        assert len(here.designate.writes) == 600
        assert len(here.designate.calls) - 600 < 30

    in_virtual_time(run())


def test_a_large_zone_is_listed_seldom_also_while_names_keep_coming(
    in_virtual_time: Run,
) -> None:
    class Large(ModelDesignate):
        async def list_record_sets(self, zone_id: str) -> list[RecordSet]:
            await asyncio.sleep(2)
            return await super().list_record_sets(zone_id)

    async def run() -> None:
        here = Platform()
        here.designate = Large()
        here.zone = here.designate.zone(ZONE).id
        async with here.at_work():
            for number in range(100):
                here.ask(f"s{number}", hostname=f"s{number}.example.org")
                await asyncio.sleep(1)
        assert len(here.answers()) == 200
        assert here.designate.calls.count("list") == 3

    in_virtual_time(run())


def test_one_slow_listing_puts_the_next_off_for_a_minute_at_most(in_virtual_time: Run) -> None:
    class Slow(ModelDesignate):
        async def list_record_sets(self, zone_id: str) -> list[RecordSet]:
            if self.calls.count("list") == 0:
                await asyncio.sleep(15)
            return await super().list_record_sets(zone_id)

    async def run() -> None:
        here = Platform()
        here.designate = Slow()
        here.zone = here.designate.zone(ZONE).id
        here.ask(hostname="www.example.org")
        async with here.at_work():
            await asyncio.sleep(16)
            assert here.answers()
            here.designate.put(here.zone, "new.example.org.", "A", "192.0.2.9")
            await asyncio.sleep(61)
        assert here.designate.calls.count("list") == 2

    in_virtual_time(run())


def test_a_cloud_that_asks_for_patience_is_left_alone_while_names_keep_coming(in_virtual_time: Run) -> None:
    class Busy(ModelDesignate):
        looks = 0

        async def find_zone(self, name: str) -> Zone | None:
            self.looks += 1
            if self.looks > 1:
                raise errors.RateLimited("dns", "too many requests", retry_after=60)
            return await super().find_zone(name)

    async def run() -> None:
        here = Platform()
        here.designate = busy = Busy()
        here.zone = busy.zone(ZONE).id
        async with here.at_work():
            for number in range(50):
                await asyncio.sleep(1)
                here.ask(f"s{number}", hostname=f"s{number}.example.org")
            await asyncio.sleep(1)
        assert len(here.answers()) == 100
        assert busy.looks == 2

    in_virtual_time(run())


def test_a_zone_that_is_missing_is_told_and_written_when_it_appears(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(zone=False)
        here.ask(hostname="www.example.org")
        async with here.at_work():
            await asyncio.sleep(5)
            assert here.told.events == [("web", "ZoneMissing")]
            here.zone = here.designate.zone(ZONE).id
            await asyncio.sleep(90)
            assert (WWW, "A") in here.answers()

    in_virtual_time(run())


def test_a_cloud_without_names_is_told(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        here.designate.fail["find"] = errors.MissingService("dns", "the catalogue has no dns")
        here.ask(hostname="www.example.org")
        async with here.at_work():
            await asyncio.sleep(60)
            assert here.told.events == [("web", "MissingService")]
            here.designate.fail.clear()
            await asyncio.sleep(10)
            assert (WWW, "A") in here.answers()

    in_virtual_time(run())


def test_one_that_cannot_be_written_keeps_nobody_else_from_his(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        here.designate.fail[f"create A {WWW}"] = errors.Quota("dns", "Quota exceeded for zone_recordsets")
        here.ask(hostname="www.example.org")
        here.ask("other", hostname="other.example.org")
        async with here.at_work():
            await asyncio.sleep(30)
            assert ("other.example.org.", "A") in here.answers()
            assert here.told.events == [("web", "Quota")]
            here.designate.fail.clear()
            await asyncio.sleep(120)
            assert (WWW, "A") in here.answers()

    in_virtual_time(run())


def test_who_is_faster_keeps_his_record_set(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        async with here.at_work():
            await asyncio.sleep(1)
            here.designate.put(here.zone, WWW, "A", "198.51.100.1")  # not listed yet
            here.ask(hostname="www.example.org")
            await asyncio.sleep(10)
            assert here.answers() == {(WWW, "A"): ("198.51.100.1",)}
            assert here.told.events == [("web", "NameTaken")]
            sets = here.designate.sets[here.zone]
            for each in [each for each in sets.values() if each.name == WWW]:
                del sets[each.id]
            await asyncio.sleep(120)
            assert here.answers()[WWW, "A"] == ("192.0.2.7",)

    in_virtual_time(run())


def test_a_name_that_is_being_deleted_is_given_away_when_it_is_gone(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        here.ask(hostname="www.example.org")
        async with here.at_work():
            await asyncio.sleep(2)
            here.designate.at_once = False
            here.services.drop("shop/web")
            await asyncio.sleep(1)
            here.ask("next", "192.0.2.9", hostname="www.example.org")
            await asyncio.sleep(5)
            assert here.answers() == {}
            here.designate.settle()
            await asyncio.sleep(20)
            assert here.answers()[WWW, "A"] == ("192.0.2.9",)

    in_virtual_time(run())


@contextlib.asynccontextmanager
async def one_named() -> AsyncIterator[Platform]:
    """A platform at work that has given a floating IP the name that leads to it."""
    here = Platform()
    here.designate.floating["R:1"] = "192.0.2.7"
    here.ask(hostname="www.example.org")
    async with here.at_work():
        await asyncio.sleep(2)
        yield here


def test_floating_ips_answer_the_names_that_lead_to_them(in_virtual_time: Run) -> None:
    async def run() -> None:
        async with one_named() as here:
            (named,) = await here.designate.list_floating_ips()
            assert (named.ptrdname, named.description) == (WWW, SETTING.mark)
            here.services.drop("shop/web")
            await asyncio.sleep(2)
            assert not here.designate.reverse

    in_virtual_time(run())


def test_an_address_that_is_released_first_has_no_name_either(in_virtual_time: Run) -> None:
    async def run() -> None:
        async with one_named() as here:
            assert here.designate.reverse
            del here.designate.floating["R:1"]
            here.services.drop("shop/web")
            await asyncio.sleep(2)
            assert not here.designate.reverse

    in_virtual_time(run())


def test_a_name_that_an_address_has_from_the_one_before_is_taken_away(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        await _reversed_by_one_that_went(here.designate)
        async with here.at_work():
            await asyncio.sleep(2)
            assert not here.designate.reverse

    in_virtual_time(run())


async def _reversed_by_one_that_went(designate: ModelDesignate) -> None:
    designate.floating["R:1"] = "192.0.2.7"
    await designate.set_reverse("R:1", WWW, None, SETTING.mark)
    designate.floating = {"R:2": "192.0.2.7"}


def test_an_address_whose_name_fails_has_it_soon_after_and_keeps_no_other_from_it(
    in_virtual_time: Run,
) -> None:
    async def run() -> None:
        here = Platform()
        here.designate.floating |= {"R:1": "192.0.2.7", "R:2": "192.0.2.8"}
        here.designate.fail["reverse R:1"] = errors.ServerError("dns", "busy")
        here.ask("web", "192.0.2.7", "192.0.2.8", hostname="www.example.org")
        async with here.at_work():
            await asyncio.sleep(2)
            assert [*here.designate.reverse] == ["192.0.2.8"]
            here.designate.fail.clear()
            await asyncio.sleep(20)
            assert sorted(here.designate.reverse) == ["192.0.2.7", "192.0.2.8"]

    in_virtual_time(run())


def test_a_cloud_that_gives_addresses_no_names_still_has_the_others(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        here.designate.fail["list floating"] = errors.Forbidden("dns", "policy")
        here.ask(hostname="www.example.org")
        async with here.at_work():
            await asyncio.sleep(2)
            assert (WWW, "A") in here.answers()
            assert not here.told.events

    in_virtual_time(run())


def test_two_zones_each_get_their_own(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(dataclasses.replace(SETTING, zones=(ZONE, "example.net.")))
        second = here.designate.zone("example.net.").id
        here.ask(hostname="www.example.org,www.example.net")
        async with here.at_work():
            await asyncio.sleep(2)
            assert here.answers()[WWW, "A"] == ("192.0.2.7",)
            assert here.designate.answers(second)["www.example.net.", "A"] == ("192.0.2.7",)

    in_virtual_time(run())


def test_what_somebody_undoes_is_done_again_at_the_next_listing(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform()
        here.ask(hostname="www.example.org")
        async with here.at_work():
            await asyncio.sleep(2)
            sets = here.designate.sets[here.zone]
            for each in [each for each in sets.values() if each.name == WWW]:
                sets[each.id] = msgspec.structs.replace(each, records=("203.0.113.1",))
            await asyncio.sleep(70)
            assert here.answers()[WWW, "A"] == ("192.0.2.7",)

    in_virtual_time(run())
