"""Names of routes of Gateway API; what they mean is also what external-dns takes them to mean."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.rooms.names.examples import SETTING, attached, gateway

from causeway.kube.gateways import (
    AllowedRoutes,
    FromNamespaces,
    Gateway,
    HTTPRoute,
    KindReference,
    Listener,
    ParentReference,
    TLSRoute,
)
from causeway.kube.objects import LabelSelector, Meta, Namespace
from causeway.rooms.names.attached import Attached, Gateways
from causeway.rooms.names.desired import desired
from causeway.rooms.names.model import ALWAYS_KNOWN, HTTP_ROUTE, TLS_ROUTE, Desired

TEAM = Namespace(Meta("two", labels={"team": "shop"}))
PASSED = Listener("tls", 443, "TLS")
NOTHING = Desired(known=ALWAYS_KNOWN | {HTTP_ROUTE, TLS_ROUTE})


def wanted(routes: Sequence[Attached], *gateways: Gateway, **fixed: str) -> Desired:
    names = {f"{name}.example.org.": address for name, address in fixed.items()}
    http, tls = ([each for each in routes if isinstance(each, kind)] for kind in (HTTPRoute, TLSRoute))
    around = Gateways.of({HTTP_ROUTE: http, TLS_ROUTE: tls}, gateways, [TEAM])
    return desired([], [], dataclasses.replace(SETTING, fixed=names), gateways=around)


def short(found: Desired) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (each.name.removesuffix(".example.org."), each.type, each.targets)
        for each in found.wishes
        if each.source.kind != "platform"
    ]


def listener(hostname: str = "", **given: Any) -> Listener:
    return Listener("http", 80, "HTTP", hostname, **given)


def test_a_route_is_named_at_its_gateways_addresses() -> None:
    found = wanted([attached("www.example.org", ttl="5m")], gateway("192.0.2.7", "2001:db8::7"))
    assert short(found) == [("www", "A", ("192.0.2.7",)), ("www", "AAAA", ("2001:db8::7",))]
    assert {(each.source.resource, each.ttl) for each in found.wishes} == {("httproute/one/shop", 300)}
    assert not found.notes
    named = wanted([attached("WWW.example.org")], gateway("router.example.net"))
    assert short(named) == [("www", "CNAME", ("router.example.net.",))]


def test_a_host_that_the_routers_wildcard_answers_has_no_record() -> None:
    wildcard = {"*.apps": "192.0.2.7"}
    router = gateway("router-default.apps.example.org")
    found = wanted([attached("a.apps.example.org", "b.example.org")], router, **wildcard)
    assert short(found) == [
        ("a.apps", "", ()),
        ("b", "CNAME", ("router-default.apps.example.org.",)),
    ]
    assert short(wanted([attached("a.apps.example.org")], gateway("192.0.2.8"), **wildcard)) == [
        ("a.apps", "A", ("192.0.2.8",))  # another controller's
    ]


def test_a_host_of_another_zone_is_nobodys_business_but_an_annotated_one_is_told() -> None:
    found = wanted([attached("www.example.net", "www.example.org")], gateway("192.0.2.7"))
    assert (short(found), found.notes) == ([("www", "A", ("192.0.2.7",))], ())
    found = wanted([attached("www.example.org", hostname="www.example.net")], gateway("192.0.2.7"))
    assert [each.reason for each in found.notes] == ["NotInZone"]


@pytest.mark.parametrize(
    ("hostname", "hosts", "names"),
    [
        ("*.shop.example.org", ("a.shop.example.org", "b.example.org"), ["a.shop"]),
        ("a.example.org", ("*.example.org",), ["a"]),
        ("*.example.org", (), ["*"]),
        ("", ("*.example.org",), ["*"]),
        ("", (), []),
    ],
)
def test_a_host_counts_where_a_listener_has_it_and_without_hosts_the_listeners(
    hostname: str, hosts: Sequence[str], names: Sequence[str]
) -> None:
    found = wanted([attached(*hosts)], gateway("192.0.2.7", listeners=[listener(hostname)]))
    assert [name for name, _, _ in short(found)] == names


def test_a_route_that_is_not_attached_has_no_names() -> None:
    edge = gateway("192.0.2.7")
    elsewhere = msgspec.structs.replace(
        attached("www.example.org"),
        status=attached(parent=ParentReference("former")).status,
    )
    leaving = attached("www.example.org")
    leaving = msgspec.structs.replace(
        leaving, metadata=msgspec.structs.replace(leaving.metadata, deletion_timestamp="now")
    )
    for route in (
        attached("www.example.org", accepted=False),
        attached("www.example.org", parent=ParentReference("other")),
        attached("www.example.org", parent=ParentReference("edge", section_name="https")),
        attached("www.example.org", parent=ParentReference("edge", port=8080)),
        attached("www.example.org", parent=ParentReference("edge", group="", kind="Service")),
        attached("www.example.org", controller="somebody"),
        elsewhere,
        leaving,
    ):
        assert wanted([route], edge, gateway("192.0.2.8", name="former")) == NOTHING
    assert wanted([attached("www.example.org")], gateway()) == NOTHING  # at no address yet


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (AllowedRoutes(), []),
        (AllowedRoutes(FromNamespaces("All")), ["www"]),
        (AllowedRoutes(FromNamespaces("Selector", LabelSelector({"team": "shop"}))), ["www"]),
        (AllowedRoutes(FromNamespaces("Selector", LabelSelector({"team": "other"}))), []),
        (AllowedRoutes(FromNamespaces("All"), (KindReference("HTTPRoute"),)), ["www"]),
        (AllowedRoutes(FromNamespaces("All"), (KindReference("GRPCRoute"),)), []),
    ],
)
def test_a_listener_that_does_not_take_a_route_gives_it_no_name(
    allowed: AllowedRoutes, names: Sequence[str]
) -> None:
    route = attached("www.example.org", namespace="two", parent=ParentReference("edge", namespace="one"))
    found = wanted([route], gateway("192.0.2.7", listeners=[listener(allowed_routes=allowed)]))
    assert [name for name, _, _ in short(found)] == names


@pytest.mark.parametrize("kind", [HTTPRoute, TLSRoute])
def test_each_kind_of_route_is_named_at_listeners_of_its_protocol(
    kind: type[HTTPRoute] | type[TLSRoute],
) -> None:
    both = gateway("192.0.2.7", listeners=[listener("a.example.org"), passed("b.example.org")])
    (name,) = short(wanted([attached(kind=kind)], both))
    assert name[0] == ("a" if kind is HTTPRoute else "b")
    (wish,) = wanted([attached(kind=kind)], both).wishes
    assert wish.source.kind == kind.__name__.lower()


def passed(hostname: str) -> Listener:
    return msgspec.structs.replace(PASSED, hostname=hostname)


def test_annotations_of_the_route_add_names_and_that_of_the_gateway_says_where_they_lead() -> None:
    route = attached("www.example.org", hostname="shop.example.org,a.example.net")
    edge = gateway("192.0.2.7", target="198.51.100.1", listeners=[listener("*.example.org")])
    assert short(wanted([route], edge)) == [
        ("www", "A", ("198.51.100.1",)),
        ("shop", "A", ("198.51.100.1",)),
    ]
    told = wanted([attached("www.example.org", ttl="soon")], gateway("192.0.2.7", target="a b"))
    ours, gateways = sorted(told.notes, key=lambda each: each.cause, reverse=True)
    assert ours.cause.startswith("ttl 'soon'")
    assert ours.remedy.startswith("Correct the annotation;")
    assert gateways.cause.startswith("target 'a b'")
    assert gateways.cause.endswith(", at Gateway one/edge")
    assert gateways.remedy.startswith("Correct the annotation of Gateway one/edge;")
    assert short(told) == [("www", "A", ("192.0.2.7",))]


@pytest.mark.parametrize(
    ("choice", "hosts", "names"),
    [
        ("annotation-only", ("www.example.org",), ["shop"]),
        ("defined-hosts-only", ("www.example.org",), ["www"]),
        ("annotation-only", (), ["shop"]),
        ("defined-hosts-only", (), []),
        ("whatever", (), ["*", "shop"]),
    ],
)
def test_an_annotation_says_which_of_its_names_count(
    choice: str, hosts: Sequence[str], names: Sequence[str]
) -> None:
    route = attached(*hosts, hostname="shop.example.org", gateway_hostname_source=choice)
    found = wanted([route], gateway("192.0.2.7", listeners=[listener("*.example.org")]))
    assert [name for name, _, _ in short(found)] == names


def test_several_gateways_answer_for_a_route_together() -> None:
    entries = [attached(parent=ParentReference(each)).status["parents"][0] for each in ("edge", "other")]
    route = msgspec.structs.replace(
        attached("www.example.org"),
        spec=msgspec.structs.replace(
            attached("www.example.org").spec,
            parent_refs=(ParentReference("edge"), ParentReference("other")),
        ),
        status={"parents": entries},
    )
    found = wanted([route], gateway("192.0.2.7"), gateway("192.0.2.8", name="other"))
    assert short(found) == [("www", "A", ("192.0.2.7", "192.0.2.8"))]


def test_no_route_is_known_without_gateways_and_none_counts_before_all_are_known() -> None:
    route, edge = attached("www.example.org"), gateway("192.0.2.7")
    passed_on = attached("safe.example.org", kind=TLSRoute)
    assert desired([], [], SETTING, gateways=Gateways.of({HTTP_ROUTE: [route]}, None, [])) == Desired()
    routes = {HTTP_ROUTE: None, TLS_ROUTE: [passed_on]}
    found = desired([], [], SETTING, gateways=Gateways.of(routes, [edge], []))
    assert found == Desired(known=ALWAYS_KNOWN | {TLS_ROUTE})
