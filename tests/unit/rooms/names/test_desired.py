import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rooms.names.examples import (
    SETTING,
    attached,
    gateway,
    ingress,
    node,
    of,
    route,
    service,
)

from causeway.kube.gateways import HTTPRoute, TLSRoute
from causeway.kube.ingresses import Ingress
from causeway.kube.objects import Service, key_of
from causeway.kube.routes import Route
from causeway.rooms.names.annotations import Annotations, read
from causeway.rooms.names.attached import Gateways
from causeway.rooms.names.desired import desired
from causeway.rooms.names.model import HTTP_ROUTE, TLS_ROUTE, Desired, Note, Record
from causeway.rooms.names.sharing import together


def wanted(*services: Service) -> Desired:
    return desired(services, [], SETTING)


def routed(*routes: Route, **fixed: str) -> Desired:
    names = {f"{name}.example.org.": address for name, address in fixed.items()}
    return desired([], [], dataclasses.replace(SETTING, fixed=names), routes)


def let_in(*ingresses: Ingress, **fixed: str) -> Desired:
    names = {f"{name}.example.org.": address for name, address in fixed.items()}
    return desired([], [], dataclasses.replace(SETTING, fixed=names), (), ingresses)


def short(found: Desired) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.name.removesuffix(".example.org."), each.type, each.targets) for each in found.wishes]


def reasons(found: Desired) -> list[str]:
    return [each.reason for each in found.notes]


def test_a_load_balancer_is_named_by_its_annotation() -> None:
    found = wanted(service("web", "192.0.2.7", annotations={"hostname": "www.example.org", "ttl": "5m"}))
    assert short(found) == [("www", "A", ("192.0.2.7",))]
    assert found.wishes[0].ttl == 300
    assert found.wishes[0].source.resource == "service/shop/web"
    assert not found.notes


def test_without_one_it_is_named_by_itself_and_its_namespace() -> None:
    assert short(wanted(service("web", "192.0.2.7"))) == [("web.shop", "A", ("192.0.2.7",))]


def test_both_families_and_names_become_records_of_their_types() -> None:
    balancer = service("web", "192.0.2.7", "2001:db8::7", annotations={"hostname": "www.example.org"})
    assert short(wanted(balancer)) == [("www", "A", ("192.0.2.7",)), ("www", "AAAA", ("2001:db8::7",))]
    named = service("web", "lb.example.net", annotations={"hostname": "www.example.org"})
    assert short(wanted(named)) == [("www", "CNAME", ("lb.example.net.",))]


def test_external_addresses_come_before_the_load_balancers() -> None:
    found = wanted(service("web", "192.0.2.7", external_ips=("198.51.100.1",)))
    assert short(found) == [("web.shop", "A", ("198.51.100.1",))]


def test_the_internal_name_leads_to_the_address_inside() -> None:
    found = wanted(service("web", "192.0.2.7", annotations={"internal-hostname": "in.example.org"}))
    assert short(found) == [("in", "A", ("172.30.0.9",))]
    inside = service("db", kind="ClusterIP", annotations={"internal-hostname": "db.example.org"})
    assert short(wanted(inside)) == [("db", "A", ("172.30.0.9",))]


def test_targets_are_taken_instead_of_any_address() -> None:
    for kind in ("LoadBalancer", "ClusterIP", "NodePort"):
        asked = {"hostname": "www.example.org", "target": "edge.example.net"}
        found = wanted(service("web", "192.0.2.7", kind=kind, annotations=asked))
        assert short(found) == [("www", "CNAME", ("edge.example.net.",))]
        assert not found.notes


def test_an_external_name_is_an_alias() -> None:
    asked = {"hostname": "www.example.org"}
    found = wanted(service("web", kind="ExternalName", external_name="Far.example.net", annotations=asked))
    assert short(found) == [("www", "CNAME", ("far.example.net.",))]


def test_an_external_name_that_is_an_address_is_one_and_other_addresses_come_first() -> None:
    asked = {"hostname": "www.example.org"}
    for address, kind in (("192.0.2.7", "A"), ("2001:db8::7", "AAAA")):
        found = wanted(service("web", kind="ExternalName", external_name=address, annotations=asked))
        assert short(found) == [("www", kind, (address,))]
    both = service(
        "web",
        kind="ExternalName",
        external_name="far.example.net",
        external_ips=("192.0.2.8",),
        annotations=asked,
    )
    assert short(wanted(both)) == [("www", "A", ("192.0.2.8",))]


def test_a_name_that_is_to_lead_to_itself_is_told_and_not_written() -> None:
    asked = {"hostname": "www.example.org,web.example.org", "target": "WWW.example.org"}
    found = wanted(service("web", "192.0.2.7", annotations=asked))
    assert short(found) == [("web", "CNAME", ("www.example.org.",))]
    assert [(each.reason, each.cause) for each in found.notes] == [
        ("BadAnnotation", "www.example.org. is to lead to itself")
    ]


@pytest.mark.parametrize("kind", ["LoadBalancer", "ClusterIP", "NodePort", "ExternalName"])
def test_targets_are_taken_for_internal_names_as_well(kind: str) -> None:
    asked = {"internal-hostname": "in.example.org", "target": "192.0.2.9"}
    found = wanted(service("web", "192.0.2.7", kind=kind, external_name="far.example.net", annotations=asked))
    assert short(found) == [("in", "A", ("192.0.2.9",))]
    assert not found.notes


def test_the_internal_name_of_what_is_elsewhere_leads_there() -> None:
    asked = {"internal-hostname": "in.example.org"}
    found = wanted(service("web", kind="ExternalName", external_name="far.example.net", annotations=asked))
    assert short(found) == [("in", "CNAME", ("far.example.net.",))]


@pytest.mark.parametrize("address", ["010.0.0.1", "fe80::1%eth0", "fe80::1%a\nb", "::1::"])
def test_what_no_record_can_lead_to_is_left_out(address: str) -> None:
    assert not wanted(service("web", address, external_ips=(address,), cluster_ip=address)).wishes
    assert not desired([], [node("worker", ("InternalIP", address))], SETTING).wishes


def test_a_service_without_an_address_yet_wants_nothing_and_nobody_is_told() -> None:
    assert wanted(service("web")) == Desired()


def test_what_is_not_published_is_told_and_left_as_it_is() -> None:
    asked = {"hostname": "www.example.org"}
    port = service("port", kind="NodePort", annotations=asked)
    headless = service("headless", kind="ClusterIP", cluster_ip="None", annotations=asked)
    inside = service("inside", kind="ClusterIP", annotations=asked)
    found = wanted(port, headless, inside)
    assert not found.wishes
    assert reasons(found) == ["NoAddress"] * 3
    assert found.untouched == {"service/shop/port", "service/shop/headless", "service/shop/inside"}


def test_a_service_that_goes_wants_nothing() -> None:
    found = service("web", "192.0.2.7")
    meta = found.metadata.__class__(
        **{
            **{f: getattr(found.metadata, f) for f in found.metadata.__struct_fields__},
            "deletion_timestamp": "now",
        }
    )
    assert wanted(Service(meta, found.spec, found.status)) == Desired()


def test_another_controllers_service_is_left_to_it() -> None:
    assert wanted(service("web", "192.0.2.7", annotations={"controller": "other"})) == Desired()


def test_a_name_in_no_zone_of_ours_is_told() -> None:
    found = wanted(service("web", "192.0.2.7", annotations={"hostname": "www.example.com,example.org.com"}))
    assert not found.wishes
    assert reasons(found) == ["NotInZone", "NotInZone"]


def test_the_nearest_zone_is_meant() -> None:
    setting = dataclasses.replace(SETTING, zones=("example.org.", "apps.example.org."))
    assert setting.zone_of("a.apps.example.org.") == "apps.example.org."
    assert setting.zone_of("apps.example.org.") == "apps.example.org."
    assert setting.zone_of("otherapps.example.org.") == "example.org."
    assert setting.zone_of("example.com.") is None


def test_a_node_is_named_at_its_addresses_outside_or_else_inside() -> None:
    inside = desired([], [node("w1", ("InternalIP", "10.0.0.5"), ("Hostname", "w1"))], SETTING)
    assert short(inside) == [("w1.nodes", "A", ("10.0.0.5",))]
    both = [("InternalIP", "10.0.0.5"), ("ExternalIP", "192.0.2.5"), ("InternalIP", "fd00::5")]
    outside = desired([], [node("w1", *both)], SETTING)
    assert short(outside) == [("w1.nodes", "A", ("192.0.2.5",)), ("w1.nodes", "AAAA", ("fd00::5",))]
    assert not desired([], [node("w1", *both, controller="other")], SETTING).wishes


def test_the_platforms_own_names_are_among_them() -> None:
    setting = dataclasses.replace(
        SETTING, fixed={"api.example.org.": "192.0.2.1", "*.apps.example.org.": "192.0.2.2"}
    )
    found = desired([], [], setting)
    assert short(found) == [("api", "A", ("192.0.2.1",)), ("*.apps", "A", ("192.0.2.2",))]
    assert found.wishes[0].source.resource == "platform/api.example.org"


def test_a_route_is_an_alias_of_the_router_that_admitted_it() -> None:
    found = routed(route("shop", ("shop.example.org", "router.example.org")))
    assert short(found) == [("shop", "CNAME", ("router.example.org.",))]
    assert found.wishes[0].source.resource == "route/one/shop"
    assert not found.notes


def test_a_route_nobody_admitted_has_no_name() -> None:
    assert routed(route("shop", refused=("shop.example.org",))) == Desired()
    assert routed(route("shop")) == Desired()


def test_a_wildcard_routes_name_stands_for_all() -> None:
    found = routed(route("shop", ("www.shop.example.org", "router.example.org"), policy="Subdomain"))
    assert short(found) == [("*.shop", "CNAME", ("router.example.org.",))]


def test_of_several_routers_the_first_is_the_alias() -> None:
    both = [("shop.example.org", "one.example.net"), ("shop.example.org", "two.example.net")]
    assert short(routed(route("shop", *both))) == [("shop", "CNAME", ("one.example.net.",))]


def test_a_routes_host_elsewhere_is_somebody_elses_but_a_name_in_its_annotation_is_told() -> None:
    host = ("www.example.com", "router.example.org")
    assert routed(route("shop", host)) == Desired()
    found = routed(route("shop", host, hostname="more.example.com,more.example.org"))
    assert short(found) == [("more", "CNAME", ("router.example.org.",))]
    assert reasons(found) == ["NotInZone"]


def test_a_routes_annotations_give_targets_and_ttl_or_leave_it_to_another() -> None:
    host = ("shop.example.org", "router.example.org")
    found = routed(route("shop", host, target="192.0.2.9", ttl="90"))
    assert short(found) == [("shop", "A", ("192.0.2.9",))]
    assert found.wishes[0].ttl == 90
    assert routed(route("shop", host, controller="other")) == Desired()


def test_what_the_routers_wildcard_answers_needs_no_record_of_its_own() -> None:
    apps = {"*.apps": "192.0.2.2"}
    inside = ("shop.apps.example.org", "router.apps.example.org")
    own = ("*.apps", "A", ("192.0.2.2",))
    assert short(routed(route("shop", inside), **apps)) == [own, ("shop.apps", "", ())]
    all_of_it = route("all", ("x.apps.example.org", "router.apps.example.org"), policy="Subdomain")
    assert short(routed(all_of_it, **apps)) == [own]
    other = ("shop.apps.example.org", "edge.example.net")
    found = short(routed(route("shop", other), **apps))
    assert ("shop.apps", "CNAME", ("edge.example.net.",)) in found
    deeper = ("a.shop.apps.example.org", "router.apps.example.org")
    assert ("a.shop.apps", "CNAME", ("router.apps.example.org.",)) in short(
        routed(route("x", deeper), **apps)
    )


def test_no_name_is_its_own_alias() -> None:
    assert routed(route("router", ("router.example.org", "router.example.org"))) == Desired()


def test_an_ingress_has_its_hosts_where_it_is_served() -> None:
    found = let_in(ingress("shop", "192.0.2.7", hosts=("a.example.org", "b.example.org", "a.example.org")))
    assert short(found) == [("a", "A", ("192.0.2.7",)), ("b", "A", ("192.0.2.7",))]
    assert found.wishes[0].source.resource == "ingress/one/shop"
    named = ingress("shop", "lb.example.net", hosts=("*.shop.example.org",), tls=("tls.example.org",))
    assert short(let_in(named)) == [
        ("*.shop", "CNAME", ("lb.example.net.",)),
        ("tls", "CNAME", ("lb.example.net.",)),
    ]


def test_an_ingress_nobody_serves_or_for_every_host_has_no_name() -> None:
    assert let_in(ingress("shop", hosts=("a.example.org",))) == Desired()
    assert let_in(ingress("shop", "192.0.2.7", hosts=("",))) == Desired()
    assert let_in(ingress("shop", "192.0.2.7", hosts=("a.example.com",))) == Desired()


def test_an_ingress_says_which_of_its_names_count() -> None:
    def names(which: str) -> list[str]:
        found = ingress(
            "shop",
            "192.0.2.7",
            hosts=("a.example.org",),
            hostname="more.example.org",
            ingress_hostname_source=which,
        )
        return [name for name, *_ in short(let_in(found))]

    assert names("") == ["a", "more"]
    assert names("annotation-only") == ["more"]
    assert names("defined-hosts-only") == ["a"]


def test_an_ingress_below_the_routers_wildcard_needs_no_record_of_its_own() -> None:
    apps = {"*.apps": "192.0.2.2"}
    own = ("*.apps", "A", ("192.0.2.2",))
    for place, kind in (("192.0.2.2", "A"), ("router.apps.example.org.", "CNAME")):
        found = ingress("shop", place, hosts=("shop.apps.example.org", "shop.example.org"))
        assert short(let_in(found, **apps)) == [own, ("shop.apps", "", ()), ("shop", kind, (place,))]
    elsewhere = ingress("shop", "192.0.2.3", hosts=("shop.apps.example.org",))
    assert short(let_in(elsewhere, **apps)) == [own, ("shop.apps", "A", ("192.0.2.3",))]


def test_routes_and_ingresses_of_one_namespace_have_one_host_together() -> None:
    """As different paths of it."""
    host = "a.example.org"
    both = [route("one", (host, "r.example.net")), route("two", (host, "r.example.net"))]
    third = ingress("three", "r.example.net", hosts=(host,))
    wishes = desired([], [], SETTING, both, [third]).wishes
    records, notes = together(wishes, lambda *_: frozenset())
    assert [(each.name, each.targets) for each in records] == [("a.example.org.", ("r.example.net.",))]
    assert not notes


def test_a_service_of_another_namespace_does_not_take_a_routes_name() -> None:
    held = route("shop", ("a.example.org", "r.example.net"))
    thief = service("web", "192.0.2.7", namespace="two", annotations={"hostname": "a.example.org"})
    wishes = desired([thief], [], SETTING, [held]).wishes
    records, notes = together(wishes, lambda *_: frozenset({"route/one/shop"}))
    assert [(each.type, each.resource) for each in records] == [("CNAME", "route/one/shop")]
    assert [(each.source.resource, each.reason) for each in notes] == [("service/two/web", "NameTaken")]


HOST, ROUTER = "a.apps.example.org", "router.apps.example.org"
APPS = dataclasses.replace(SETTING, fixed={"*.apps.example.org.": "192.0.2.2"})
EARLY, LATE = "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"

Claimant = Service | Route | Ingress | HTTPRoute | TLSRoute


def below_apps(*objects: Claimant) -> tuple[list[Record], list[Note]]:
    """Return what objects get below the router's wildcard in an empty zone, and are told."""
    routes = [each for each in objects if isinstance(each, HTTPRoute | TLSRoute)]
    gateways = [gateway(ROUTER, namespace=each) for each in ("one", "evil")]
    around = Gateways.of({HTTP_ROUTE: routes, TLS_ROUTE: []}, gateways, [])
    wishes = desired(
        [each for each in objects if isinstance(each, Service)],
        [],
        APPS,
        [each for each in objects if isinstance(each, Route)],
        [each for each in objects if isinstance(each, Ingress)],
        gateways=around,
    ).wishes
    records, notes = together(wishes, lambda *_: frozenset())
    return [each for each in records if not each.name.startswith("*")], notes


def wanting(namespace: str, created: str) -> Service:
    return of(namespace, created, service("web", "192.0.2.7", annotations={"hostname": HOST}))


def test_nor_one_that_the_routers_wildcard_answers() -> None:
    records, notes = below_apps(route("shop", (HOST, ROUTER)), wanting("evil", EARLY))
    assert not records
    assert [(each.source.resource, each.reason) for each in notes] == [("service/evil/web", "NameTaken")]


@pytest.mark.parametrize(
    "beside",
    [
        route("x", ("b.apps.example.org", ROUTER), hostname=HOST),
        ingress("x", ROUTER, hosts=("b.apps.example.org",), hostname=HOST),
        attached("b.apps.example.org", hostname=HOST),
    ],
)
def test_nor_does_an_annotation_say_that_a_wildcard_answers_for_somebody(
    beside: Route | Ingress | HTTPRoute,
) -> None:
    victim = of("one", LATE, route("shop", (HOST, ROUTER)))
    records, notes = below_apps(victim, of("evil", EARLY, beside), wanting("evil", EARLY))
    assert not records
    assert [(each.source.resource, each.cause) for each in notes] == [
        ("service/evil/web", f"{HOST}. belongs to route/one/shop")
    ]
    (own,), notes = below_apps(of("evil", EARLY, beside), wanting("else", LATE))
    assert (own.resource, notes) == ("service/else/web", [])


@pytest.mark.parametrize(
    "beside", [ingress("x", ROUTER, hosts=("b.apps.example.org", HOST)), attached("b.apps.example.org", HOST)]
)
def test_where_hosts_of_several_namespaces_have_the_wildcard_nobody_gets_a_record(
    beside: Ingress | HTTPRoute,
) -> None:
    """An Ingress is served where one of its hosts is: whether this one is, nothing says."""
    victim = of("one", LATE, route("shop", (HOST, ROUTER)))
    records, notes = below_apps(
        victim, of("evil", EARLY, beside), wanting("evil", EARLY), wanting("one", LATE)
    )
    assert not records
    assert [each.source.resource for each in notes] == ["service/evil/web", "service/one/web"]
    for each in notes:
        assert each.reason == "NameTaken"
        assert "several namespaces" in each.cause
        assert "route/one/shop" in each.cause


def test_a_host_is_a_routes_while_its_router_keeps_it_though_it_refuses_the_route() -> None:
    for reason in ("ExternalCertificateValidationFailed", "ExtendedValidationFailed"):
        kept = route("shop", refused=("shop.example.org",), reason=reason)
        assert short(routed(kept, **{"*": "192.0.2.2"})) == [("*", "A", ("192.0.2.2",)), ("shop", "", ())]
    lost = route("shop", refused=("shop.example.org",))
    assert short(routed(lost, **{"*": "192.0.2.2"})) == [("*", "A", ("192.0.2.2",))]


@st.composite
def beside(draw: st.DrawFn) -> Claimant:
    """Return what somebody can have who is not served at the host: it is another's in every router."""
    other = "b.apps.example.org"
    found = draw(
        st.sampled_from(
            [
                route("x", (other, ROUTER), hostname=HOST),
                route("x", (other, ROUTER), hostname=HOST, target="192.0.2.9"),
                route("x", refused=(HOST,)),
                ingress("x", ROUTER, hosts=(other, HOST)),
                ingress("x", ROUTER, hosts=(other,), tls=(HOST,)),
                ingress("x", "192.0.2.2", hosts=(other,), hostname=HOST),
                ingress("x", "192.0.2.9", hosts=(HOST,)),
                attached(other, HOST),
                attached(other, hostname=HOST),
                service("x", "192.0.2.9", annotations={"hostname": HOST}),
                service("x", "far.example.net", annotations={"hostname": HOST}),
            ]
        )
    )
    return of(draw(st.sampled_from(["evil", "else"])), draw(st.sampled_from([EARLY, LATE])), found)


SERVED = [
    route("shop", (HOST, ROUTER)),
    route("shop", (HOST, ROUTER), target="192.0.2.7"),
    ingress("shop", ROUTER, hosts=(HOST,)),
    ingress("shop", ROUTER, hosts=(HOST,), hostname=HOST, ingress_hostname_source="annotation-only"),
    attached(HOST),
]


@settings(max_examples=300)
@given(
    st.sampled_from(SERVED),
    st.booleans(),
    st.lists(beside(), max_size=5, unique_by=lambda each: (type(each), key_of(each))),
    st.sampled_from([EARLY, LATE]),
)
def test_nobody_takes_a_host_that_the_wildcard_answers_by_whatever_he_has(
    served: Route | Ingress | HTTPRoute, explicit: bool, others: list[Claimant], created: str
) -> None:
    own = [of("one", created, served), *([wanting("one", created)] if explicit else [])]
    records, notes = below_apps(*own, *others)
    having = {source.namespace for each in records if each.name == f"{HOST}." for source in each.sources}
    assert having <= {"one"}
    told = {(each.source.namespace, each.source.name) for each in notes}
    assert {key_of(each) for each in others if isinstance(each, Service)} <= {"/".join(each) for each in told}


def test_a_defect_that_one_object_hits_leaves_its_records_and_concerns_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(annotations: dict[str, str], *rest: str) -> Annotations:
        if annotations:
            raise ZeroDivisionError
        return read(annotations, *rest)

    monkeypatch.setattr("causeway.rooms.names.desired.read", failing)
    found = wanted(service("bad", "192.0.2.8", annotations={"ttl": "9"}), service("web", "192.0.2.7"))
    assert short(found) == [("web.shop", "A", ("192.0.2.7",))]
    assert found.untouched == {"service/shop/bad"}
    assert reasons(found) == ["NotRead"]
    assert set(found.defects) == {"service/shop/bad"}


def test_of_two_of_one_moment_the_uid_decides_as_it_does_for_the_router() -> None:
    first, second = (
        service(name, address, namespace=name, annotations={"hostname": "www.example.org"})
        for name, address in (("a", "192.0.2.7"), ("b", "192.0.2.8"))
    )
    later = msgspec.structs.replace(first, metadata=msgspec.structs.replace(first.metadata, uid="z"))
    for one, address in ((first, "192.0.2.7"), (later, "192.0.2.8")):
        records, _ = together(wanted(one, second).wishes, lambda _name, _wanted: frozenset())
        assert [each.targets for each in records] == [(address,)]
