"""What is made of gateways and routes."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.routes.examples import OFFER, route, slice_of
from tests.unit.rooms.routes.gateway_examples import (
    accepted,
    derived,
    gateway,
    grant,
    http,
    listener,
    openings,
    resolved,
    rule,
    rules,
    secret,
    tables,
    tcp,
    tls,
)
from tests.unit.rooms.routes.gateway_examples import table as table_of

from causeway.kube.attaching import hosts_at, within
from causeway.kube.gateways import AnyRoute, Gateway
from causeway.kube.objects import key_of
from causeway.rooms.routes.admission import Rules, admit
from causeway.rooms.routes.bounds import unfit
from causeway.rooms.routes.compiling import compile_route
from causeway.rooms.routes.gateway import deriving
from causeway.rooms.routes.gateway.binding import nearest
from causeway.rooms.routes.gateway.compiling import compile_rule
from causeway.rooms.routes.gateway.filters import filter_orders, timeout
from causeway.rooms.routes.gateway.listeners import Judged, Offered, judge
from causeway.rooms.routes.gateway.rules import Made, rules_of
from causeway.rooms.routes.model import Refusal, Refused
from causeway.rooms.routes.parts import Rule, Table, Target

SHOP = "one/gateway:shop.example"
TLS = {"certificateRefs": [{"name": "shown"}]}


def test_a_route_is_entered_for_its_hosts_at_the_listener() -> None:
    found = derived(gateway(listener(hostname="*.example")), http(hostnames=["shop.example", "else.test"]))
    assert accepted(found) == [""]
    (only,) = rules(found)
    assert only.targets == (Target("one/shop", None, 1),)
    assert tables(found)[SHOP] == {"prefix pshop.example/": f"@{key_of(only)}"}
    assert tables(found)["one/gateway:*.example"] == {"prefix p**.example/": "404"}
    assert found.listeners["one/edge"][0][1] == 1


@pytest.mark.parametrize(
    ("listeners", "spec", "reason"),
    [
        ([listener()], {"parentRefs": [{"name": "edge", "sectionName": "else"}]}, "NoMatchingParent"),
        ([listener()], {"parentRefs": [{"name": "edge", "port": 81}]}, "NoMatchingParent"),
        ([listener(port=81)], {}, "NoMatchingParent"),
        ([listener(hostname="a.example")], {"hostnames": ["b.example"]}, "NoMatchingListenerHostname"),
        ([listener(allowedRoutes={"kinds": [{"kind": "TLSRoute"}]})], {}, "NotAllowedByListeners"),
        ([listener("TLS", tls={"mode": "Passthrough"})], {}, "NotAllowedByListeners"),
        ([listener()], {}, ""),
        ([listener(hostname="a.example"), listener(name="b", hostname="b.example")], {}, ""),
    ],
)
def test_why_a_route_does_not_attach(listeners: list[Any], spec: dict[str, Any], reason: str) -> None:
    assert accepted(derived(gateway(*listeners), http(**spec))) == [reason]


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (
            listener("TLS", tls={"mode": "Passthrough"}),
            "no listener of this name and port is for HTTPRoutes: add one of protocol HTTP or HTTPS",
        ),
        (
            listener(allowedRoutes={"kinds": [{"kind": "TLSRoute"}]}),
            "no listener takes routes of kind HTTPRoute: its allowedRoutes.kinds would have to name it",
        ),
        (
            listener("HTTPS", tls={"mode": "Passthrough"}),
            "the listeners for HTTPRoutes are not accepted: TLS of HTTPS ends at the router: its mode",
        ),
        (
            listener(),
            "no listener lets in routes of namespace two: its allowedRoutes.namespaces would have to",
        ),
    ],
)
def test_which_words_of_a_listener_keep_a_route_out_is_told(given_: dict[str, Any], message: str) -> None:
    route = http(namespace="two", parentRefs=[{"name": "edge", "namespace": "one"}])
    (attached,) = derived(gateway(given_), route).attached["HTTPRoute two/shop"]
    assert attached.accepted is not None
    assert attached.accepted.reason == "NotAllowedByListeners"
    assert attached.accepted.message.startswith(message)


@pytest.mark.parametrize(
    ("allowed", "reason"),
    [
        ({"from": "Same"}, "NotAllowedByListeners"),
        ({"from": "All"}, ""),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "two"}}}, ""),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "one"}}}, "NotAllowedByListeners"),
    ],
)
def test_namespaces_a_listener_takes_routes_from(allowed: dict[str, Any], reason: str) -> None:
    found = derived(
        gateway(listener(allowedRoutes={"namespaces": allowed})),
        http(namespace="two", parentRefs=[{"name": "edge", "namespace": "one"}]),
        labels={"two": {"team": "two"}},
    )
    assert accepted(found, "two/shop") == [reason]


def test_a_route_of_no_gateway_of_ours_is_not_looked_at() -> None:
    assert "HTTPRoute one/shop" not in derived(gateway(), http(parentRefs=[{"name": "other"}])).attached


@pytest.mark.parametrize(
    ("given_", "accepted_", "resolved_"),
    [
        (listener("UDP"), "UnsupportedProtocol", ""),
        (listener(port=8080), "PortUnavailable", ""),
        (listener("HTTPS", tls={"mode": "Passthrough"}), "UnsupportedValue", ""),
        (listener("TLS", tls={"mode": "Terminate"}), "UnsupportedValue", ""),
        (listener("HTTPS", tls=TLS), "", ""),
        (listener("HTTPS", tls={"certificateRefs": [{"name": "none"}]}), "", "InvalidCertificateRef"),
        (
            listener("HTTPS", tls={"certificateRefs": [{"name": "shown", "kind": "Other"}]}),
            "",
            "InvalidCertificateRef",
        ),
        (
            listener("HTTPS", tls={"certificateRefs": [{"name": "far", "namespace": "two"}]}),
            "",
            "RefNotPermitted",
        ),
        (
            listener("HTTPS", tls={"certificateRefs": [{"name": "granted", "namespace": "three"}]}),
            "",
            "",
        ),
        (listener(allowedRoutes={"kinds": [{"kind": "GRPCRoute"}]}), "", "InvalidRouteKinds"),
    ],
)
def test_what_becomes_of_a_listener(given_: dict[str, Any], accepted_: str, resolved_: str) -> None:
    allowed = grant("three", "Gateway", "one", {"kind": "Secret"})
    found = derived(
        gateway(given_), secret("shown"), secret("far", "two"), secret("granted", "three"), allowed
    )
    ((judged, _),) = found.listeners["one/edge"]
    assert (judged.wrong.reason if judged.wrong else "") == accepted_
    assert (judged.unresolved.reason if judged.unresolved else "") == resolved_
    assert judged.serves == (not accepted_ and (not resolved_ or resolved_ == "InvalidRouteKinds"))


def test_two_listeners_of_a_hostname_on_a_port_conflict() -> None:
    found = derived(
        gateway(
            listener("HTTPS", hostname="a.example", tls=TLS),
            listener("TLS", hostname="a.example", tls={"mode": "Passthrough"}),
        ),
        secret("shown"),
    )
    for judged, _ in found.listeners["one/edge"]:  # none of them wins
        assert judged.conflict
        assert not judged.serves
        assert judged.wrong is not None
        assert judged.wrong.reason == "HostnameConflict"


def test_certificates_are_shown_for_the_hosts_that_are_named() -> None:
    found = derived(
        gateway(
            listener("HTTPS", name="any", tls=TLS),
            listener("HTTPS", name="wild", hostname="*.wild.example", tls=TLS),
        ),
        http(hostnames=["shop.example", "a.wild.example", "b.a.wild.example"]),
        secret("shown"),
    )
    shown = {
        part.spec.host: len(part.certificates) for part in found.parts.values() if isinstance(part, Table)
    }
    assert shown == {
        "": 0,
        "*.wild.example": 1,
        "shop.example": 1,
        "a.wild.example": 1,
        "b.a.wild.example": 1,
    }


def test_a_host_shows_the_certificate_of_a_wildcard_that_another_namespace_has() -> None:
    found = derived(
        gateway(listener("HTTPS", hostname="*.example", tls=TLS)),
        http(age=5, hostnames=["shop.example"]),
        secret("shown", names=("*.example",)),
    )
    wildcard, shop = table_of(found, "*.example"), table_of(found, "shop.example")
    others = route("others", namespace="two", age=1, host="b.example")
    verdicts = admit([others, wildcard, shop], Rules())
    assert verdicts[key_of(wildcard)] is not None
    assert verdicts[key_of(shop)] is None
    assert [host for host, _ in shop.certificates] == ["shop.example"]


def test_a_listener_for_every_host_shows_its_certificates_for_the_hosts_they_are_for() -> None:
    both = [{"name": "shown"}, {"name": "second"}]
    found = derived(
        gateway(
            listener("HTTPS", tls={"certificateRefs": both}),
            listener("HTTPS", name="own", hostname="own.example", tls=TLS),
        ),
        http(parentRefs=[{"name": "edge", "sectionName": "https"}]),
        secret("shown", names=("a.example", "own.example", "*")),
        secret("second", names=("*.b.example",)),
    )
    shown = {
        name: [host for host, _ in table_of(found, name).certificates]
        for name in ("a.example", "*.b.example")
    }
    assert shown == {"a.example": ["a.example"], "*.b.example": ["*.b.example"]}
    entries = tables(found)
    assert entries["one/gateway:a.example"] == {
        "prefix sa.example/": entries["one/gateway:every-host"]["prefix s/"]
    }
    assert entries["one/gateway:own.example"] == {"prefix sown.example/": "404"}  # a narrower listener's


def test_a_certificate_for_many_hosts_makes_no_more_than_a_hundred_of_them() -> None:
    many = tuple(f"h{number}.example" for number in range(150))
    found = derived(
        gateway(listener("HTTPS", tls=TLS)),
        http(hostnames=["h140.example", "else.example"]),
        secret("shown", names=many),
    )
    hosts = {each.spec.host for each in found.parts.values() if isinstance(each, Table)}
    assert hosts == {"", *many[:100], "h140.example", "else.example"}
    assert table_of(found, "h140.example").certificates  # a route names it


def test_the_narrowest_listener_has_a_host() -> None:
    found = derived(
        gateway(listener(name="wide", hostname="*.example"), listener(name="narrow", hostname="a.example")),
        http(parentRefs=[{"name": "edge", "sectionName": "wide"}], hostnames=["a.example", "b.example"]),
    )
    assert accepted(found) == [""]
    assert tables(found)["one/gateway:a.example"] == {"prefix pa.example/": "404"}
    assert tables(found)["one/gateway:b.example"]["prefix pb.example/"].startswith("@one/httproute:shop:")


def test_connections_are_passed_through_by_the_name_they_ask_for() -> None:
    found = derived(
        gateway(listener("TLS", hostname="*.example", tls={"mode": "Passthrough"})),
        tls(hostnames=["bank.example", "*.many.example"]),
        tls("younger", age=9, hostnames=["bank.example"]),
    )
    assert accepted(found, "one/bank", "TLSRoute") == [""]
    made = {each.metadata.name.split(":")[1]: each for each in rules(found)}
    assert tables(found) == {
        "one/gateway:bank.example": {"passthrough bank.example": f"@{key_of(made['bank'])}"},
        "one/gateway:*.many.example": {"passthrough-wildcard **.many.example": f"@{key_of(made['bank'])}"},
    }
    entry = compile_rule(made["bank"], lambda *_: [slice_of({"10.0.0.1": True})], "random", "causeway")
    assert entry.backend is not None
    assert entry.backend.kind.mode == "tcp"


def test_references_that_cannot_be_followed() -> None:
    assert resolved(derived(gateway(), http(rule("nobody")))) == "BackendNotFound"
    away = rule(backendRefs=[{"name": "shop", "namespace": "two", "port": 80}])
    assert resolved(derived(gateway(), http(away))) == "RefNotPermitted"
    allowed = grant("two", "HTTPRoute", "one", {"kind": "Service", "name": "shop"})
    assert resolved(derived(gateway(), http(away), allowed)) == ""
    other = grant("two", "HTTPRoute", "one", {"kind": "Service", "name": "other"})
    assert resolved(derived(gateway(), http(away), other)) == "RefNotPermitted"
    wrong = rule(backendRefs=[{"name": "shop", "port": 81}])
    assert resolved(derived(gateway(), http(wrong))) == "BackendNotFound"
    kind = rule(backendRefs=[{"name": "shop", "kind": "Bucket", "group": "x"}])
    found = derived(gateway(), http(kind))
    assert resolved(found) == "InvalidKind"
    assert rules(found)[0].lost == 1


@pytest.mark.parametrize(
    "given_",
    [
        rule("shop", matches=[{"path": {"type": "RegularExpression", "value": "/.*"}}]),
        rule("shop", matches=[{"headers": [{"name": "a", "value": "b", "type": "RegularExpression"}]}]),
        rule("shop", path="/a;b"),
        rule("shop", filters=[{"type": "RequestMirror"}]),
        rule("shop", filters=[{"type": "CORS"}]),
        rule(backendRefs=[{"name": "shop", "port": 80, "filters": [{"type": "RequestHeaderModifier"}]}]),
    ],
)
def test_what_is_not_supported_is_refused_and_concerns_nobody_else(given_: dict[str, Any]) -> None:
    found = derived(gateway(), http(given_), http(name="good", hostnames=["good.example"]))
    assert accepted(found) == ["UnsupportedValue"]
    assert accepted(found, "one/good") == [""]


def test_a_rule_that_does_something_else_is_another_and_one_with_other_shares_is_not() -> None:
    def name(given_: dict[str, Any]) -> str:
        return rules(derived(gateway(), http(given_)))[0].metadata.name

    refs = [{"name": "a", "port": 80, "weight": 3}, {"name": "b", "port": 80}]
    assert name(rule("a", "b")) == name(rule(backendRefs=refs))
    assert name(rule("a", "b")) != name(rule("a", "c"))
    assert name(rule("a")) != name(rule("a", timeouts={"request": "1s"}))
    twice = rules(derived(gateway(), http(rule("a", path="/a"), rule("a", path="/b"))))
    assert len({each.metadata.name for each in twice}) == 2


def _rule(given_: dict[str, Any]) -> Any:
    return http(given_).spec.rules[0]


def test_orders_of_filters() -> None:
    prefix = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/n"}
    made = filter_orders(
        _rule(rule(path="/o", filters=[{"type": "URLRewrite", "urlRewrite": {"path": prefix}}]))
    )
    assert made == "prefix=/o=/n"
    redirect = {"hostname": "h", "port": 81}
    made = filter_orders(_rule(rule(filters=[{"type": "RequestRedirect", "requestRedirect": redirect}])))
    assert made == "redirect=302==h=81"
    with pytest.raises(Refused, match="one prefix"):
        filter_orders(
            _rule(
                rule(
                    matches=[{"path": {"value": "/a"}}, {"path": {"value": "/b"}}],
                    filters=[{"type": "URLRewrite", "urlRewrite": {"path": prefix}}],
                )
            )
        )


def test_orders_that_no_line_can_carry_are_refused() -> None:
    headers = [{"name": f"x-{number}", "value": "~" * 4000} for number in range(16)]
    long = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": headers}}
    with pytest.raises(Refused, match="14000 characters"):
        filter_orders(_rule(rule(filters=[long])))


@pytest.mark.parametrize(
    ("given_", "milliseconds"),
    [
        ({}, 0),
        ({"request": "1m30s"}, 90_000),
        ({"request": "2s", "backendRequest": "500ms"}, 500),
        ({"request": "0s"}, 86_400_000),
        ({"request": "99999h"}, 86_400_000),
    ],
)
def test_timeouts(given_: dict[str, str], milliseconds: int) -> None:
    assert timeout(_rule(rule(timeouts=given_))) == milliseconds


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=3),
    st.integers(0, 3),
)
def test_shares_of_requests_are_those_asked_for(targets: list[tuple[int, int]], lost: int) -> None:
    """Of all requests each service has its share; those of services without endpoints fail."""
    made = Rule(
        metadata=route().metadata,
        spec=route().spec,
        targets=tuple(Target(f"one/s{number}", None, weight) for number, (weight, _) in enumerate(targets)),
        lost=lost,
    )
    counts = {f"s{number}": count for number, (_, count) in enumerate(targets)}

    def slices(_namespace: str, name: str) -> Any:
        place = name[1:]
        return [slice_of({f"10.0.{place}.{host}": True for host in range(counts[name])})]

    found = compile_rule(made, slices, "random", "causeway")
    assert found.backend is not None
    orders = "&".join(text for _, _, text in found.texts)
    failing = {
        words[1]: int(words[2])
        for words in (each.split("=") for each in orders.split("&"))
        if words[0] == "fail"
    }
    weights = sum(weight for weight, _ in targets)
    alive = sum(weight for weight, count in targets if count)
    if not weights + lost:
        assert failing == {"500": 1}
        return
    assert failing.get("500", 0) == lost
    assert failing.get("503", 0) == (weights - alive if alive or lost else 0)
    served: dict[str, int] = {}
    for _, weight, detail in found.backend.servers:
        place = f"s{detail.split('.')[2]}"
        served[place] = served.get(place, 0) + weight
    total = sum(served.values())
    for number, (weight, count) in enumerate(targets):
        if count and alive:
            assert served[f"s{number}"] / total == pytest.approx(weight / alive, abs=0.02)


HOST = st.sampled_from(["", "*.a", "*.b.a", "b.a", "c.b.a", "a", "*.c.b.a"])


@given(HOST, HOST, st.sampled_from(["a", "b.a", "c.b.a", "d.c.b.a", "x"]))
def test_hosts_are_those_of_both(one: str, other: str, asked: str) -> None:
    def means(host: str) -> bool:
        return not host or asked == host or (host.startswith("*.") and asked.endswith(host[1:]))

    both = hosts_at([one] if one else [], other)
    assert any(map(means, both)) == (means(one) and means(other))
    if within(one, other) and means(one):
        assert means(other)


def test_the_narrowest_host() -> None:
    assert nearest("c.b.a", ["", "*.a", "*.b.a"]) == "*.b.a"
    assert nearest("b.a", ["", "*.a", "b.a"]) == "b.a"
    assert nearest("x", ["*.a"]) is None


def test_who_was_first_has_a_host_whether_a_route_or_a_gateway() -> None:
    table = table_of(derived(gateway(), http(age=5, hostnames=["www.apps.example"])), "www.apps.example")
    younger, older = route(age=9), route("older", age=1)
    verdicts = admit([younger, table], Rules())
    assert verdicts[key_of(table)] is None
    assert verdicts["one/shop"] is not None
    verdicts = admit([older, table], Rules())
    assert verdicts["one/older"] is None
    refusal = verdicts[key_of(table)]
    assert refusal is not None
    assert refusal.reason == "HostAlreadyClaimed"
    again = msgspec.structs.replace(
        table, metadata=msgspec.structs.replace(table.metadata, namespace="two", uid="z")
    )
    verdicts = admit([again, table], Rules())
    assert verdicts[key_of(table)] is None
    assert verdicts[key_of(again)] is not None


def test_a_host_is_of_the_oldest_object_that_has_it() -> None:
    every = {"namespaces": {"from": "All"}}
    taking = gateway(listener(allowedRoutes=every), listener("TLS", tls={"mode": "Passthrough"}))
    host, edge = ["www.apps.example"], {"name": "edge", "namespace": "one"}
    younger, older = http(age=5, hostnames=host), tls(age=1, hostnames=host)
    table = table_of(derived(taking, younger, older), "www.apps.example")
    assert (table.kind, table.strangers) == ("TLSRoute", False)
    stranger = http(namespace="two", age=1, parentRefs=[edge], hostnames=host)
    table = table_of(derived(taking, younger, stranger), "www.apps.example")
    assert (table.kind, table.strangers) == ("HTTPRoute", True)
    assert table_of(derived(taking), "").kind == "Gateway"


@pytest.mark.parametrize("first", ["the wildcard", "the host"])
def test_a_wildcard_is_not_beside_a_host_of_another_namespace(first: str) -> None:
    """It would have all that the other leaves out: paths, schemes, connections that are passed through."""
    table = table_of(derived(gateway(), http(age=5, hostnames=["*.apps.example"])), "*.apps.example")
    age = 9 if first == "the wildcard" else 1
    beside = route("beside", namespace="two", age=age, host="shop.apps.example")
    verdicts = admit([beside, table], Rules())
    younger, older = ("two/beside", key_of(table)) if age == 9 else (key_of(table), "two/beside")
    assert verdicts[older] is None
    refusal = verdicts[younger]
    assert refusal is not None
    assert refusal.reason == "HostAlreadyClaimed"
    own = route("own", age=age, host="shop.apps.example")
    assert set(admit([own, table], Rules()).values()) == {None}


@pytest.mark.parametrize("first", ["the wildcard", "the host"])
def test_nor_is_it_above_hosts_far_below_it(first: str) -> None:
    table = table_of(derived(gateway(), http(age=5, hostnames=["*.example"])), "*.example")
    below = route("below", namespace="two", age=9 if first == "the wildcard" else 1, host="a.b.c.example")
    verdicts = admit([below, table], Rules())
    younger, older = ("two/below", key_of(table)) if first == "the wildcard" else (key_of(table), "two/below")
    assert verdicts[older] is None
    refusal = verdicts[younger]
    assert refusal is not None
    assert refusal.reason == "HostAlreadyClaimed"
    assert set(admit([route("own", age=9, host="a.b.c.example"), table], Rules()).values()) == {None}


@pytest.mark.parametrize(
    ("given_", "ports", "message"),
    [
        (
            listener(port=443),
            (),
            "HTTP is served at port 80 only, and port 443 is for HTTPS and TLS",
        ),
        (
            listener("HTTPS", port=8443, tls=TLS),
            (),
            "HTTPS is served at port 443 only, and port 8443 is not open",
        ),
        (
            listener(port=8080),
            (9001, 9000),
            "HTTP is served at ports 80, 9000, 9001 only, and port 8080 is not open",
        ),
        (
            listener("TCP", port=80),
            (9000,),
            "TCP is served at port 9000 only, and port 80 is for HTTP",
        ),
        (
            listener("TCP", port=9000),
            (),
            "TCP is served at further ports of the router only, and it has none",
        ),
        (
            listener(port=8080),
            range(9000, 9100),
            "HTTP is served at ports 80, 9000, 9001, 9002, 9003, 9004, 9005, 9006, 9007, 9008 and 91 more "
            "only, and port 8080 is not open",
        ),
    ],
)
def test_where_a_protocol_is_served_is_told(
    given_: dict[str, Any], ports: Iterable[int], message: str
) -> None:
    found = derived(gateway(given_), secret("shown"), offered=Offered("192.0.2.1", frozenset(ports)))
    wrong = found.listeners["one/edge"][0][0].wrong
    assert wrong is not None
    assert (wrong.reason, wrong.message.partition(": ")[0]) == ("PortUnavailable", message)


def test_a_further_port_is_for_what_its_listener_says() -> None:
    found = derived(
        gateway(listener("TCP", port=9000), listener(port=9001, hostname="shop.example")),
        http(parentRefs=[{"name": "edge", "port": 9001}]),
        tcp("late", age=2),
        tcp(age=1),
    )
    assert accepted(found) == accepted(found, "one/queue", "TCPRoute") == [""]
    assert accepted(found, "one/late", "TCPRoute") == [""]  # the oldest has the port, all are attached
    assert [count for _, count in found.listeners["one/edge"]] == [2, 1]
    made = {each.metadata.name.split(":")[1]: key_of(each) for each in rules(found)}
    assert openings(found) == {9000: f"@{made['queue']}", 9001: "http"}
    assert tables(found)[SHOP] == {"prefix p9001:shop.example/": f"@{made['shop']}"}


def test_hosts_of_one_port_are_not_those_of_another() -> None:
    passed = {"mode": "Passthrough"}
    found = derived(
        gateway(listener(), listener(name="further", port=9001), listener("TLS", port=9000, tls=passed)),
        http(parentRefs=[{"name": "edge", "sectionName": "further"}], hostnames=["shop.example"]),
        tls(hostnames=["bank.example", "*.bank.example"]),
    )
    assert openings(found) == {9000: "tls", 9001: "http"}
    assert tables(found)[SHOP].keys() == {"prefix p9001:shop.example/"}
    assert tables(found)["one/gateway:bank.example"].keys() == {"passthrough 9000:bank.example"}
    assert tables(found)["one/gateway:*.bank.example"].keys() == {"passthrough-wildcard 9000:**.bank.example"}
    assert tables(found)["one/gateway:every-host"] == {"prefix p/": "404", "prefix p9001:/": "404"}


@pytest.mark.parametrize(
    ("listeners", "reasons"),
    [
        ([listener("TCP", port=9000), listener("TCP", name="b", port=9000)], ["HostnameConflict"] * 2),
        ([listener("TCP", port=9000), listener(port=9000)], ["ProtocolConflict"] * 2),
        ([listener(port=9000), listener("TCP", port=9000), listener()], ["ProtocolConflict"] * 2 + [""]),
        ([listener("TCP", port=9000), listener("UDP", port=9000)], ["", "UnsupportedProtocol"]),
        ([listener(port=9000), listener(name="b", port=9000, hostname="b.example")], ["", ""]),
        ([listener("TCP", port=80)], ["PortUnavailable"]),
        ([listener("TCP", port=8999)], ["PortUnavailable"]),
    ],
)
def test_listeners_of_one_port(listeners: list[Any], reasons: list[str]) -> None:
    found = derived(gateway(*listeners)).listeners["one/edge"]
    assert [each.wrong.reason if each.wrong else "" for each, _ in found] == reasons


@pytest.mark.parametrize(
    ("older", "younger", "reason"),
    [
        ("TCP", "TCP", "PortUnavailable"),
        ("TCP", "HTTP", "PortUnavailable"),
        ("HTTP", "TCP", "PortUnavailable"),
        ("HTTP", "HTTP", ""),
    ],
)
def test_of_two_gateways_that_cannot_share_a_port_the_older_has_it(
    older: str, younger: str, reason: str
) -> None:
    found = derived(
        gateway(listener(younger, port=9000), name="late", age=2),
        gateway(listener(older, port=9000), age=1),
    ).listeners
    assert found["one/edge"][0][0].wrong is None
    wrong = found["one/late"][0][0].wrong
    assert (wrong.reason if wrong else "") == reason


def test_a_defect_that_one_object_hits_concerns_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing_rules(given: AnyRoute, *rest: Any) -> tuple[Made, Refusal | None]:
        if given.metadata.name == "bad":
            raise ZeroDivisionError
        return rules_of(given, *rest)

    def failing_judge(given: Gateway, *rest: Any) -> list[Judged]:
        if given.metadata.name == "worse":
            raise ZeroDivisionError
        return judge(given, *rest)

    monkeypatch.setattr("causeway.rooms.routes.gateway.deriving.rules_of", failing_rules)
    monkeypatch.setattr("causeway.rooms.routes.gateway.deriving.judge", failing_judge)
    found = derived(gateway(), gateway(name="worse"), http(), http(name="bad"))
    assert set(found.defects) == {"HTTPRoute one/bad", "Gateway one/worse"}
    assert accepted(found, "one/bad") == ["UnsupportedValue"]
    assert accepted(found) == [""]
    ((worse, _),) = found.listeners["one/worse"]
    assert worse.wrong is not None
    assert "ZeroDivisionError" in worse.wrong.message


@given(
    st.text() | st.from_regex(r"/[!-~]{0,9}", fullmatch=True),
    st.text(),
    st.sampled_from(["RequestHeaderModifier", "URLRewrite", "RequestRedirect"]),
    st.from_regex(r"[0-9]+(ms|s|m|h)", fullmatch=True) | st.text(),
)
def test_whatever_a_rule_says_it_is_compiled_or_refused(path: str, text: str, kind: str, wait: str) -> None:
    replaced = {"path": {"type": "ReplaceFullPath", "replaceFullPath": path}}
    filters = {
        "RequestHeaderModifier": {"set": [{"name": text, "value": path}], "remove": [text]},
        "URLRewrite": replaced | {"hostname": text},
        "RequestRedirect": replaced | {"hostname": text},
    }
    said = {"type": kind, kind[0].lower() + kind[1:]: filters[kind]}
    match = {"path": {"value": path}, "headers": [{"name": text, "value": path}], "queryParams": []}
    given = rule("shop", matches=[match], filters=[said], timeouts={"request": wait})
    made = derived(gateway(), http(given), http(rule("shop", matches=[match]), name="b"))
    assert not made.defects
    for part in made.parts.values():
        found = compile_route(part, lambda *_: [slice_of({"10.0.0.1": True})], OFFER)
        assert not isinstance(found, Refusal)
        assert not unfit(found)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
@pytest.mark.parametrize("kind", ["RequestHeaderModifier", "ResponseHeaderModifier"])
def test_where_a_message_ends_is_not_to_be_changed(name: str, kind: str) -> None:
    for said in ({"set": [{"name": name, "value": "0"}]}, {"remove": [name]}):
        changed = {"type": kind, kind[0].lower() + kind[1:]: said}
        with pytest.raises(Refused, match="cannot be changed"):
            filter_orders(_rule(rule(filters=[changed])))


def test_a_defect_that_one_host_hits_concerns_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(namespace: str, host: str, *rest: Any) -> Any:
        if host == "bad.example":
            raise ZeroDivisionError
        return made(namespace, host, *rest)

    made = deriving._table
    monkeypatch.setattr(deriving, "_table", failing)
    routes = http(hostnames=["a.example"]), http(name="bad", hostnames=["bad.example"])
    found = derived(gateway(), *routes)
    assert set(found.defects) == {"one/gateway:bad.example"}
    assert accepted(found, "one/bad") == ["UnsupportedValue"]
    assert accepted(found) == [""]
    assert "one/gateway:a.example" in tables(found)
