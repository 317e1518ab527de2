"""What is said of a name and of a zone; the facts are a zone of the model."""

import dataclasses
from typing import Any

import pytest
from tests.models.designate import ModelDesignate
from tests.unit.rooms.names.examples import (
    SETTING,
    ZONE,
    attached,
    claim,
    gateway,
    ingress,
    route,
    service,
    source,
)

from causeway.cloud.designate import Zone as CloudZone
from causeway.kit.errors import Finding
from causeway.kube.client import Listing
from causeway.rooms.names.attached import Gateways
from causeway.rooms.names.explain import Facts, explain_name, explain_zone, with_warnings
from causeway.rooms.names.model import HTTP_ROUTE
from causeway.rooms.names.told import last

WWW = "www.example.org."


def zone_of(*records: tuple[str, str, str], described: str = "", **more: Any) -> Facts:
    """Return facts about a zone with records of (type, name, text)."""
    model = ModelDesignate()
    zone = model.zone(ZONE)
    for kind, name, text in records:
        model.put(zone.id, name, kind, text, description=described if kind != "TXT" else "")
    return Facts(SETTING, ZONE, zone, tuple(model.sets[zone.id].values()), **more)


def facts(*services: Any, controller: Finding | None = None, **records: str) -> Facts:
    model = ModelDesignate()
    zone = model.zone(ZONE)
    for key, text in records.items():
        kind, _, host = key.partition("_")
        model.put(zone.id, f"{host.replace('_', '-')}.{ZONE}", kind, text)
    sets = tuple(model.sets[zone.id].values())
    return Facts(SETTING, ZONE, zone, sets, services, controller=controller)


def web(**more: str) -> Any:
    return service("web", "192.0.2.7", annotations={"hostname": "www.example.org", **more})


def test_a_name_that_is_served_has_no_causes() -> None:
    found = explain_name(facts(web(), A_www="192.0.2.7", TXT_a_www=claim()), WWW)
    assert found.desired == {"wanted by": ["service/shop/web"], "records": ["A 192.0.2.7"]}
    assert found.actual["belong to"] == ["platform-1 (service/shop/web)"]
    assert not found.remaining
    assert not found.causes


def test_a_name_of_somebody_else_is_told_with_whose_it_is() -> None:
    found = explain_name(facts(web(), A_www="192.0.2.1", TXT_a_www=claim(owner="other")), WWW)
    assert [each.place for each in found.causes] == ["service/shop/web"]
    assert "belongs to owner 'other'" in found.causes[0].cause
    assert found.actual["belong to"] == ["other (service/shop/web)"]


def test_a_name_nobody_wants_is_told() -> None:
    (cause,) = explain_name(facts(), WWW).causes
    assert "nobody wants it" in cause.cause


@pytest.mark.parametrize(
    ("kind", "said"), [("NodePort", "names of NodePort services"), ("ClusterIP", "no address outside")]
)
def test_a_service_that_asks_for_a_name_in_vain_is_told_why(kind: str, said: str) -> None:
    asking = service("web", kind=kind, annotations={"hostname": "www.example.org"})
    found = explain_name(facts(asking), WWW)
    assert found.desired["wanted by"] == ["service/shop/web"]
    assert [(each.place, said in each.cause) for each in found.causes] == [("service/shop/web", True)]


def test_a_name_that_waits_for_an_address_is_told_whose() -> None:
    waiting = facts(service("web", annotations={"hostname": "www.example.org"}), service("db"))
    for name, key in ((WWW, "shop/web"), ("db.shop.example.org.", "shop/db")):
        (cause,) = explain_name(waiting, name).causes
        assert (cause.place, cause.remedy) == (f"service/{key}", f"causeway explain service {key}")
        assert cause.cause == f"it asks for {name} and has no address yet"


def test_a_route_that_no_router_admitted_is_told() -> None:
    refused = route("shop", refused=("www.example.org",))
    found = explain_name(Facts(SETTING, ZONE, ModelDesignate().zone(ZONE), routes=(refused,)), WWW)
    assert [each.cause for each in found.causes] == [f"no router has admitted it with {WWW}"]


def test_what_cannot_be_read_of_an_object_is_told_at_each_of_its_names() -> None:
    found = explain_name(facts(web(ttl="five minutes"), A_www="192.0.2.7", TXT_a_www=claim()), WWW)
    assert [each.place for each in found.causes] == ["service/shop/web"]
    assert "five minutes" in found.causes[0].cause


def test_causes_of_other_names_are_not_told() -> None:
    both = service("web", "192.0.2.7", annotations={"hostname": "www.example.org,api.www.example.org,a.com"})
    records = ("A", f"api.{WWW}", "192.0.2.1"), ("A", WWW, "192.0.2.7"), ("TXT", f"a-{WWW}", claim())
    there = zone_of(*records, services=(both,))
    assert not explain_name(there, WWW).causes
    (taken,) = explain_name(there, f"api.{WWW}").causes
    assert "somebody else" in taken.cause


def test_a_missing_address_outside_is_no_matter_of_the_name_inside() -> None:
    said = {"hostname": "www.example.org", "internal-hostname": "in.example.org"}
    inside = service("web", kind="ClusterIP", annotations=said)
    found = facts(inside, A_in="172.30.0.9", TXT_a_in=claim())
    assert not explain_name(found, "in.example.org.").causes
    assert explain_name(found, WWW).causes


def test_a_name_that_a_wildcard_of_the_zone_answers_is_told_which() -> None:
    wild = ("A", f"*.{ZONE}", "192.0.2.9"), ("TXT", f"a-wildcard.{ZONE}", claim("service/shop/all"))
    found = explain_name(zone_of(*wild), f"a.b.{ZONE}")
    assert not found.causes
    assert found.actual == {
        "record sets": "none of its own",
        "answered by": [f"A *.{ZONE} 192.0.2.9 (ACTIVE)"],
        "belong to": ["platform-1 (service/shop/all)"],
    }


@pytest.mark.parametrize(
    "beside",
    [("TXT", "x.b.example.org.", "1"), ("A", "b.example.org.", "192.0.2.1"), ("TXT", "*.b.example.org.", "")],
)
def test_a_wildcard_does_not_answer_below_what_is_nearer(beside: tuple[str, str, str]) -> None:
    found = explain_name(zone_of(("A", f"*.{ZONE}", "192.0.2.9"), beside), f"a.b.{ZONE}")
    assert [each.cause for each in found.causes] == ["nobody wants it"]
    assert "answered by" not in found.actual


def test_a_route_that_names_what_a_wildcard_answers_lacks_nothing() -> None:
    told = route("shop", ("a.example.com", "router.example.org"), hostname="shop.example.org")
    found = zone_of(("A", f"*.{ZONE}", "192.0.2.9"), routes=(told,))
    setting = dataclasses.replace(SETTING, fixed={f"*.{ZONE}": "192.0.2.9"})
    told_of = explain_name(dataclasses.replace(found, setting=setting), f"shop.{ZONE}")
    assert "answered by" in told_of.actual
    assert not told_of.causes


def test_a_record_of_the_platform_whose_owners_note_is_gone_is_told_as_that() -> None:
    left = zone_of(("A", WWW, "192.0.2.7"), described=SETTING.mark)
    gone = f"A {WWW} carries the platform's description, but its owner's note a-{WWW} is gone"
    wanted = dataclasses.replace(left, services=(web(),))
    for found in (explain_name(wanted, WWW), explain_zone(wanted)):
        (cause,) = found.causes
        assert cause.cause == f"{WWW} is not free: {gone}"
        assert cause.remedy.endswith(f"made again: openstack recordset delete {ZONE} {left.sets[-1].id}")
    for found in (explain_name(left, WWW), explain_zone(left)):
        (cause,) = found.causes
        assert (cause.place, cause.cause) == (f"name {WWW}", gone)
    # Looked at as by another owner, whose notes are elsewhere, nothing is known of the platform's.
    previewed = dataclasses.replace(left, setting=dataclasses.replace(SETTING, previewed=True))
    assert not explain_zone(previewed).causes
    other = SETTING.mark.replace(SETTING.cluster, "1d5b6bd2-9d7f-4d26-8f4e-5a8a63d3a001")
    strange = zone_of(("A", WWW, "192.0.2.7"), described=other, services=(web(),))
    (cause,) = explain_name(strange, WWW).causes
    assert "made by somebody else" in cause.cause


def test_what_remains_is_told_with_what_is_wrong_with_the_controller() -> None:
    silent = Finding("causeway-controller", "nobody leads", "Look.")
    found = explain_name(facts(web(), controller=silent), WWW)
    assert [each.split()[:3] for each in found.remaining] == [
        ["create", "TXT", f"a-{WWW}"],
        ["create", "A", WWW],
    ]
    assert found.causes == (silent,)


def test_steps_that_remain_are_never_told_as_nothing_wrong() -> None:
    (cause,) = explain_name(facts(web()), WWW).causes
    assert cause.cause.startswith("2 steps remain")
    assert cause.remedy.startswith("kubectl -n shop describe service web; kubectl -n kube-system logs")
    (cause,) = explain_zone(facts(web())).causes
    assert cause.place == f"zone {ZONE}"
    assert not explain_zone(dataclasses.replace(facts(web()), written=False)).causes


def test_what_the_cloud_refused_is_told_from_the_last_event_of_the_name() -> None:
    def event(name: str, at: str, action: str = "Name") -> dict[str, Any]:
        note = f"create A {name} 192.0.2.7: dns: no (HTTP 400). Do."
        return {"reason": "BadRequest", "action": action, "note": note, "eventTime": at}

    events = [event(WWW, "2"), event(WWW, "1"), event(f"api.{WWW}", "3"), event(f"{WWW}uk.", "4")]
    events += [event(WWW, "5", "Other")]
    found = last(events, source(), WWW)
    assert [each.at for each in found] == ["2"]
    told = explain_name(dataclasses.replace(facts(web()), warnings=tuple(found)), WWW)
    (cause,) = told.causes
    assert (cause.place, cause.cause) == ("service/shop/web", "the controller met BadRequest at 2")
    assert "HTTP 400" in cause.remedy


async def test_events_are_read_only_where_steps_remain() -> None:
    asked: list[str] = []

    class Kube:
        async def list(self, resource: Any, namespace: str, *, fields: str) -> Listing[Any]:
            asked.append(f"{namespace} {fields}")
            note = {"reason": "Quota", "action": "Name", "note": f"create A {WWW} 1. Ask."}
            return Listing([note], "1")

    kube: Any = Kube()
    done = facts(web(), A_www="192.0.2.7", TXT_a_www=claim())
    assert await with_warnings(kube, done, WWW) == done
    found = await with_warnings(kube, facts(web()), WWW)
    assert asked == ["shop regarding.uid=uid-shop-web,type=Warning"]
    assert [each.reason for each in found.warnings] == ["Quota"]


def test_a_zone_is_told_by_owners_before_it_is_written() -> None:
    found = explain_zone(
        facts(
            web(),
            *[service("db", "192.0.2.8", annotations={"hostname": "db.example.com"})],
            A_www="192.0.2.1",
            TXT_a_www=claim(),
            A_gone="192.0.2.2",
            TXT_a_gone=claim("service/shop/gone"),
            A_hand="192.0.2.3",
            A_else="192.0.2.4",
            TXT_a_else=claim(owner="other"),
        )
    )
    assert found.desired["wanted by"] == {"services": ["1"]}
    assert found.actual["ours"] == 2
    assert found.actual["by owner"] == {
        "platform-1": ["2 record sets", "2 notes"],
        "other": ["1 record set", "1 note"],
        "nobody that says so": ["1 record set"],
        "the zone itself": ["1 record set"],
    }
    assert found.actual["record sets"] == 8
    assert found.remaining == (
        f"update A {WWW} to 192.0.2.7",
        "delete A gone.example.org.",
        "delete TXT a-gone.example.org.",
    )
    assert [each.place for each in found.causes] == ["service/shop/db", f"zone {ZONE}"]


def test_by_owner_every_record_set_is_counted_once() -> None:
    left = ("A", f"left.{ZONE}", "192.0.2.5")
    texts = ("TXT", ZONE, '"v=spf1 -all"'), ("MX", ZONE, "10 mail.test."), ("NS", f"child.{ZONE}", "ns.test.")
    found = explain_zone(zone_of(left, *texts, ("NS", ZONE, "ns.test."), described=SETTING.mark))
    assert found.actual["record sets"] == 6
    assert found.actual["by owner"] == {
        "the platform, without its note": ["1 record set"],
        "nobody that says so": ["3 record sets"],
        "the zone itself": ["2 record sets"],
    }


def test_who_wants_names_of_a_zone_is_counted_by_kind() -> None:
    assert explain_zone(facts()).desired["wanted by"] == "none"
    places = tuple(ingress(each, "192.0.2.7", hosts=(f"{each}.example.org",)) for each in ("a", "b"))
    found = explain_zone(Facts(SETTING, ZONE, ModelDesignate().zone(ZONE), ingresses=places))
    assert found.desired["wanted by"] == {"ingresses": ["2"]}


def test_a_zone_has_no_causes_of_objects_that_have_names_in_other_zones() -> None:
    setting = dataclasses.replace(SETTING, zones=("first.test.", ZONE, "third.test."))
    asking = [
        service("bad", annotations={"hostname": "a b"}),
        service("outside", "192.0.2.7", annotations={"hostname": "www.example.com"}),
        service("third", annotations={"hostname": "www.third.test", "ttl": "long"}),
        service("here", kind="NodePort", annotations={"hostname": "www.example.org"}),
    ]
    found = {
        zone: {
            each.place
            for each in explain_zone(
                Facts(setting, zone, CloudZone("z", zone), services=tuple(asking))
            ).causes
        }
        for zone in setting.zones
    }
    assert found[ZONE] == {"service/shop/here"}
    assert found["third.test."] == {"service/shop/third"}
    assert {"service/shop/bad", "service/shop/outside"} == {
        each for each in found["first.test."] if "zone" not in each
    }


def test_a_zone_that_does_not_exist_is_the_first_cause() -> None:
    found = explain_zone(Facts(SETTING, ZONE, None, (), (web(),)))
    assert "does not exist" in found.causes[0].cause
    assert found.actual["status"] == "does not exist"


def test_a_routes_name_is_explained_as_a_services_is() -> None:
    model = ModelDesignate()
    shop = route("shop", ("www.example.org", "router.example.net"))
    found = explain_name(Facts(SETTING, ZONE, model.zone(ZONE), routes=(shop,)), WWW)
    assert found.desired == {"wanted by": ["route/one/shop"], "records": ["CNAME router.example.net."]}
    assert found.remaining


def test_of_a_name_that_a_wildcard_answers_is_told_whose_it_is() -> None:
    setting = dataclasses.replace(SETTING, fixed={"*.apps.example.org.": "192.0.2.2"})
    shop = route("shop", ("shop.apps.example.org", "router.apps.example.org"))
    found = Facts(setting, ZONE, ModelDesignate().zone(ZONE), routes=(shop,))
    told = explain_name(found, "shop.apps.example.org.")
    assert told.desired["wanted by"] == ["route/one/shop"]
    assert "wildcard" in str(told.desired["records"])
    assert not (*told.remaining, *told.causes)
    assert explain_zone(found).desired["wanted by"] == {"platform": ["1"]}


def test_so_is_that_of_a_route_of_gateway_api() -> None:
    model = ModelDesignate()
    around = Gateways.of({HTTP_ROUTE: [attached("www.example.org")]}, [gateway("192.0.2.7")], [])
    found = explain_name(Facts(SETTING, ZONE, model.zone(ZONE), gateways=around), WWW)
    assert found.desired == {"wanted by": ["httproute/one/shop"], "records": ["A 192.0.2.7"]}
    assert len(found.remaining) == 2
