import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rooms.routes.examples import (
    OFFER,
    behind,
    certificate,
    compiled,
    entry,
    refused,
    route,
    slice_of,
)
from tests.unit.rooms.routes.gateway_examples import derived, gateway, http, rule

from causeway.kube.routes import RouteSpec, RouteTarget
from causeway.rooms.routes import annotations
from causeway.rooms.routes.bounds import unfit
from causeway.rooms.routes.commands import Files, commands
from causeway.rooms.routes.compiling import wishes
from causeway.rooms.routes.model import Kind, MapKey, Refusal, Way
from causeway.rooms.routes.parts import Part
from causeway.rooms.routes.plan import Step

HAPROXY = "haproxy.router.openshift.io/"
EDGE = {"termination": "edge"}
CERTIFICATE, KEY = certificate()
TLSES = (None, EDGE, {"termination": "passthrough"})
VALUES = (
    st.text()
    | st.from_regex(r"[0-9]+(us|ms|s|m|h|d)?", fullmatch=True)
    | st.from_regex(annotations._HSTS, fullmatch=True)
    | st.from_regex(annotations._TARGET, fullmatch=True)
    | st.sampled_from(["true", "false", "10.0.0.0/9 2001:db8::/33", "random", "Lax", "x" * 200])
)


def test_a_plain_route() -> None:
    found = entry(route())
    assert found.owner == "one/shop"
    assert found.ways == (Way("prefix", "pwww.apps.example/"),)
    assert behind(found).kind == Kind("http", "random", "causeway")
    ((_, weight, detail),) = behind(found).servers
    assert (weight, detail) == (1, "10.0.0.1:8080")
    assert behind(found).options == (("owner", "", "one/shop"), ("sticky", "", "; path=/; HttpOnly"))


@pytest.mark.parametrize(
    ("tls", "ways"),
    [
        ({"termination": "edge"}, {("prefix", "swww.apps.example/", False)}),
        (
            {"termination": "edge", "insecureEdgeTerminationPolicy": "Allow"},
            {("prefix", "swww.apps.example/", False), ("prefix", "pwww.apps.example/", False)},
        ),
        (
            {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
            {("prefix", "swww.apps.example/", False), ("prefix", "pwww.apps.example/", True)},
        ),
        ({"termination": "passthrough"}, {("passthrough", "www.apps.example", False)}),
        (
            {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Redirect"},
            {("passthrough", "www.apps.example", False), ("prefix", "pwww.apps.example/", True)},
        ),
    ],
)
def test_where_terminations_lead(tls: dict[str, str], ways: set[tuple[str, str, bool]]) -> None:
    assert {(way.map, way.key, way.redirect) for way in entry(route(tls=tls)).ways} == ways


def test_a_wildcard_stands_for_the_domain() -> None:
    wild = {"wildcardPolicy": "Subdomain"}
    assert entry(route(**wild)).ways == (Way("prefix", "p*.apps.example/"),)
    through = entry(route(tls={"termination": "passthrough"}, **wild))
    assert through.ways == (Way("passthrough-wildcard", "apps.example"),)


def test_whose_a_host_is_stands_in_a_map() -> None:
    part = Part(metadata=route(namespace="two").metadata, spec=RouteSpec(RouteTarget("shop")))
    table = derived(gateway(), http(hostnames=["*.apps.example"])).parts["one/gateway:*.apps.example"]
    held = [
        each
        for given in (route(), route(wildcardPolicy="Subdomain"), part, table)
        for each in entry(given).texts
    ]
    assert [each for each in held if each[0] == "held"] == [
        ("held", "www.apps.example", "one"),
        ("held", "*.apps.example", "one"),
        ("held", "*", "two"),
        ("held", "**.apps.example", "one"),
        ("held", "**", "-"),
    ]


def test_certificates_go_by_what_they_are() -> None:
    tls = {"termination": "edge", "certificate": CERTIFICATE, "key": KEY}
    ((key, text),) = entry(route(tls=tls)).certificates
    assert key.host == "www.apps.example"
    assert text.startswith("-----BEGIN PRIVATE KEY-----")
    ((same, _),) = entry(route("other", path="/a", tls=tls)).certificates
    assert same == key
    ((wild, _),) = entry(route(tls=tls, wildcardPolicy="Subdomain")).certificates
    assert wild.host == "*.apps.example"


def test_reencrypted_servers_are_verified() -> None:
    found = entry(route(tls={"termination": "reencrypt", "destinationCACertificate": CERTIFICATE}))
    ((_, _, detail),) = behind(found).servers
    ((authority, _),) = found.authorities
    assert (
        f"ssl alpn h2,http/1.1 verify required ca-file /run/router/authorities/{authority[0]}.pem" in detail
    )
    assert "verifyhost" not in detail


def test_the_routers_own_authorities_verify_the_services_name() -> None:
    reencrypt = route(tls={"termination": "reencrypt"})
    assert "destinationCACertificate: is needed" in refused(reencrypt)
    offer = msgspec.structs.replace(OFFER, authorities=CERTIFICATE)
    ((_, _, detail),) = behind(entry(reencrypt, offer)).servers
    assert detail.endswith("verifyhost shop.one.svc")


def test_shares_of_several_services() -> None:
    several = route(to={"name": "a", "weight": 20}, alternateBackends=[{"name": "b", "weight": 10}])
    a = [slice_of({"10.0.0.1": True, "10.0.0.2": True, "10.0.0.9": False})]
    b = [slice_of({f"10.0.1.{number}": True for number in range(4)})]
    found = entry(several, a=a, b=b)
    assert behind(found).kind.balance == "roundrobin"
    shares = {detail: weight for _, weight, detail in behind(found).servers}
    assert shares == {"10.0.0.1:8080": 256, "10.0.0.2:8080": 256} | {
        f"10.0.1.{number}:8080": 64 for number in range(4)
    }


def test_a_service_without_share_keeps_its_sessions_but_not_through_tls() -> None:
    spec: dict[str, Any] = {
        "to": {"name": "a", "weight": 0},
        "alternateBackends": [{"name": "b", "weight": 1}],
    }
    b = [slice_of({"10.0.1.1": True})]
    assert [each[1] for each in sorted(behind(entry(route(**spec), b=b)).servers, key=lambda s: s[2])] == [
        0,
        1,
    ]
    through = entry(route(tls={"termination": "passthrough"}, **spec), b=b)
    assert [each[2] for each in behind(through).servers] == ["10.0.1.1:8080"]


def test_ports_by_name_and_number() -> None:
    two = [slice_of({"10.0.0.1": True}, 8080), slice_of({"10.0.0.1": True}, 9090, name="admin")]
    for port, expected in ((None, 2), ("web", 1), ("admin", 1), (9090, 1), ("9090", 1), (1, 0)):
        spec: dict[str, Any] = {} if port is None else {"port": {"targetPort": port}}
        assert len(behind(entry(route(**spec), shop=two)).servers) == expected


def test_http_2_without_tls_is_spoken_to_who_says_so() -> None:
    found = entry(route(), shop=[slice_of({"10.0.0.1": True}, appProtocol="kubernetes.io/h2c")])
    assert behind(found).servers[0][2] == "10.0.0.1:8080 proto h2"


def test_ipv6() -> None:
    one = msgspec.structs.replace(slice_of({"fd00::1": True}), address_type="IPv6")
    assert behind(entry(route(), shop=[one])).servers[0][2] == "[fd00::1]:8080"


def test_annotations_become_options() -> None:
    annotations = {
        f"{HAPROXY}balance": "leastconn",
        f"{HAPROXY}timeout": "5s",
        f"{HAPROXY}timeout-tunnel": "2h",
        f"{HAPROXY}ip_allowlist": "10.0.0.0/8 192.0.2.1",
        f"{HAPROXY}hsts_header": "max-age=31536000;includeSubDomains;preload",
        f"{HAPROXY}set-forwarded-headers": "if-none",
        f"{HAPROXY}rewrite-target": "/",
        f"{HAPROXY}pod-concurrent-connections": "7",
        "router.openshift.io/haproxy.health.check.interval": "2s",
        "router.openshift.io/cookie-same-site": "Strict",
        "router.openshift.io/pool-size": "3",
        "example.com/other": "x",
    }
    found = entry(route(path="/a", annotations=annotations, tls={"termination": "edge"}))
    assert behind(found).kind == Kind("http", "leastconn", "causeway", options=True)
    assert behind(found).servers[0][2] == "10.0.0.1:8080 maxconn 7 check inter 2000ms"
    assert set(behind(found).options) == {
        ("owner", "", "one/shop"),
        ("timeout", "", "5000"),
        ("tunnel", "", "7200000"),
        ("restricted", "", "1"),
        ("allow", "/4/0A", "1"),
        ("allow", "/4/C0000201", "1"),
        ("hsts", "", "max-age=31536000;includeSubDomains;preload"),
        ("forwarded", "", "if-none"),
        ("rewrite", "", "1:a:"),
        ("sticky", "", "; path=/a; HttpOnly; Secure; SameSite=Strict"),
    }


def test_what_only_the_configuration_can_say_makes_a_kind() -> None:
    limit = f"{HAPROXY}rate-limit-connections"
    limits = {
        limit: "true",
        f"{limit}.rate-http": "5",
        f"{limit}.rate-tcp": "4",
        f"{limit}.concurrent-tcp": "3",
    }
    kind = behind(entry(route(annotations=limits | {"router.openshift.io/cookie_name": "mine"}))).kind
    assert kind.cookie == "mine"
    assert kind.lines[-3:] == (  # by when HAProxy counts
        "tcp-request content reject if { src_conn_cur gt 3 }",
        "tcp-request content reject if { src_conn_rate gt 4 }",
        "tcp-request content reject if { src_http_req_rate ge 5 }",
    )
    headers = {"actions": {"request": [{"name": "X-A", "action": {"type": "Set", "set": {"value": "it's"}}}]}}
    assert behind(entry(route(httpHeaders=headers))).kind.lines == (
        "http-request set-header 'X-A' 'it'\\''s'",
    )


def test_limits_without_their_switch_have_no_effect() -> None:
    limits = {f"{HAPROXY}rate-limit-connections.rate-{each}": "5" for each in ("http", "tcp")}
    assert behind(entry(route(annotations=limits))) == behind(entry(route()))
    assert entry(route(annotations=limits, tls={"termination": "passthrough"}))


def test_cookies_can_be_done_without() -> None:
    found = entry(route(annotations={f"{HAPROXY}disable_cookies": "true"}))
    assert behind(found).options == (("owner", "", "one/shop"),)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"to": {"name": "a", "kind": "Pod"}}, "no Service"),
        ({"to": {"name": "a", "weight": 257}}, "weight"),
        ({"alternateBackends": [{"name": f"s{number}"} for number in range(4)]}, "more than 3"),
        ({"path": "a"}, "spec.path"),
        ({"path": "/a b"}, "spec.path"),
        ({"path": "/a?b"}, "spec.path"),
        ({"path": "/a\nadd map"}, "spec.path"),
        ({"tls": {"termination": "magic"}}, "termination"),
        ({"tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Maybe"}}, "Maybe"),
        ({"tls": {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Allow"}}, "Allow"),
        ({"tls": {"termination": "passthrough", "certificate": "x"}}, "does not support certificates"),
        ({"tls": {"termination": "passthrough"}, "path": "/a"}, "does not support paths"),
        ({"tls": {"termination": "edge", "destinationCACertificate": "x"}}, "destination certificates"),
        ({"tls": {"termination": "edge", "certificate": "x", "key": KEY}}, "certificate: cannot be read"),
        ({"tls": {"termination": "edge", "certificate": CERTIFICATE}}, "no private key"),
        (
            {"tls": {"termination": "edge", "certificate": CERTIFICATE, "key": certificate("b")[1]}},
            "not that of the certificate",
        ),
        (
            {"tls": {"termination": "edge", "certificate": CERTIFICATE, "key": KEY, "caCertificate": "x"}},
            "caCertificate",
        ),
        ({"tls": {"termination": "edge", "caCertificate": "bad"}}, "caCertificate: cannot be read as PEM"),
        ({"tls": {"termination": "reencrypt", "destinationCACertificate": "x"}}, "destinationCACertificate"),
    ],
)
def test_what_cannot_be_had_is_refused(spec: dict[str, Any], message: str) -> None:
    assert message in refused(route(**spec))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("balance", "static-rr"),
        ("timeout", "5 minutes"),
        ("timeout", "0s"),
        ("timeout-tunnel", "-1s"),
        ("ip_allowlist", "10.0.0.0/8 nonsense"),
        ("ip_whitelist", "10.0.0/8"),
        ("hsts_header", "forever"),
        ("set-forwarded-headers", "sometimes"),
        ("rewrite-target", "/a b"),
        ("rewrite-target", "a"),
        ("disable_cookies", "maybe"),
        ("pod-concurrent-connections", "many"),
        ("rate-limit-connections.concurrent-tcp", "-1"),  # also without the switch
        ("rate-limit-connections.rate-tcp", "1/s"),
        ("rate-limit-connections.rate-http", "many"),
        ("h1-adjust-case", "true"),
        ("unheard-of", "x"),
        ("hsts_header", "max-age=1"),  # without TLS
    ],
)
def test_annotations_that_cannot_be_followed_are_refused(name: str, value: str) -> None:
    assert f"annotation {HAPROXY}{name}" in refused(route(annotations={HAPROXY + name: value}))


@pytest.mark.parametrize(
    "annotations",
    [
        {f"{HAPROXY}hsts_header": "max-age=1"},
        {f"{HAPROXY}rewrite-target": "/"},
        {"router.openshift.io/cookie_name": "x"},
    ],
)
def test_nothing_of_http_is_done_to_what_is_passed_through(annotations: dict[str, str]) -> None:
    found = refused(route(annotations=annotations, tls={"termination": "passthrough"}))
    assert found.startswith(f"annotation {next(iter(annotations))}: passthrough termination sees no HTTP")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("Set-Cookie", "x"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
        ("a b", "x"),
        ("X", "line\nbreak"),
        ("X", "%[env(SECRET)]"),
        ("X", "100%"),
        ("X", "%[req.hdr(a),map(/etc/passwd)]"),
    ],
)
def test_headers_that_could_do_harm_are_refused(name: str, value: str) -> None:
    actions = {"request": [{"name": name, "action": {"type": "Set", "set": {"value": value}}}]}
    assert "httpHeaders" in refused(route(httpHeaders={"actions": actions}))


def test_a_refusal_says_nothing_of_a_key() -> None:
    tls = {"termination": "edge", "certificate": CERTIFICATE, "key": KEY[:-60]}
    found = compiled(route(tls=tls))
    assert isinstance(found, Refusal)
    assert KEY[40:80] not in found.message


@pytest.mark.parametrize("digits", [10, 20, 309, 5000])
def test_a_number_of_many_digits_is_refused_or_as_much_as_can_be(digits: int) -> None:
    many = "9" * digits
    for unit in ("", "us", "d"):
        long = entry(route(annotations={f"{HAPROXY}timeout": many + unit}))
        assert 0 < int({name: value for name, _, value in behind(long).options}["timeout"]) < 2**31
    for name in ("pod-concurrent-connections", "rate-limit-connections.rate-tcp"):
        asked = {f"{HAPROXY}rate-limit-connections": "true", HAPROXY + name: many}
        assert f"{name}: " in refused(route(annotations=asked))
    zeros = entry(route(annotations={f"{HAPROXY}pod-concurrent-connections": "0" * digits + "5"}))
    assert behind(zeros).servers[0][2].endswith("maxconn 5")


@given(st.dictionaries(st.sampled_from(sorted(annotations._KNOWN)), VALUES))
def test_any_annotations_are_read_or_misread(given: dict[str, str]) -> None:
    with contextlib.suppress(annotations.Misread):
        annotations.read(given)


LONG = "/" + "a" * 1024


def test_nothing_is_so_long_that_haproxy_would_read_it_as_two() -> None:
    assert "spec.path: is longer than 1024" in refused(route(path=LONG))
    assert entry(route(path=LONG[:1024]))
    for name, value in (
        (f"{HAPROXY}rewrite-target", LONG),
        (f"{HAPROXY}hsts_header", "max-age=1" + " ; preload" * 200),
        ("router.openshift.io/cookie_name", "a" * 129),
    ):
        assert f"{name}: is longer than" in refused(route(annotations={name: value}, tls=EDGE))
    header = {"name": "X", "action": {"type": "Set", "set": {"value": "a" * 16_385}}}
    assert "longer than 16384" in refused(route(httpHeaders={"actions": {"request": [header]}}))


def test_a_rule_of_gateway_api_is_bounded_as_well() -> None:
    (attached,) = derived(gateway(), http(rule("shop", path=LONG))).attached["HTTPRoute one/shop"]
    assert attached.accepted is not None
    assert "longer than 1024" in attached.accepted.message


@pytest.mark.parametrize("value", ["a" * 16_000, "two\nlines", "a\ttab", "\x7f"])
def test_no_entry_that_haproxy_cannot_read_gets_by(value: str) -> None:
    found = entry(route())
    bad = [
        msgspec.structs.replace(found, texts=(("held", "a.example", value),)),
        msgspec.structs.replace(found, ways=(Way("prefix", f"p{value}/"),)),
        msgspec.structs.replace(
            found, backend=msgspec.structs.replace(behind(found), options=(("hsts", "", value),))
        ),
    ]
    assert not unfit(found)
    assert all(map(unfit, bad))
    assert unfit(msgspec.structs.replace(found, ways=(Way("passthrough-wildcard", ""),)))


@pytest.mark.parametrize("path", ["/a<<", "/<", "/a>b"])
def test_a_path_has_nothing_that_haproxys_commands_mean(path: str) -> None:
    assert "spec.path" in refused(route(path=path))


def test_white_space_of_hsts_is_one_space() -> None:
    value = "max-age=31536000;\n\tincludeSubDomains ;\r\n preload"
    found = entry(route(annotations={f"{HAPROXY}hsts_header": value}, tls=EDGE))
    assert ("hsts", "", "max-age=31536000; includeSubDomains ; preload") in behind(found).options


@settings(max_examples=40)
@given(
    st.text(), st.dictionaries(st.sampled_from(sorted(annotations._KNOWN)), VALUES), st.sampled_from(TLSES)
)
def test_whatever_a_route_says_its_lines_are_whole(path: str, said: dict[str, str], tls: Any) -> None:
    found = compiled(route(path=path, annotations=said, tls=tls))
    if isinstance(found, Refusal):
        return
    files = Files(Path("/run/router"))
    for item, wish in wishes(found, "http-random-options-012345678901-10000"):
        verbs: list[Step] = [Step("add", item, wish.value, wish.detail), Step("remove", item)]
        for command in (
            each for step in verbs[: isinstance(item, MapKey) + 1] for each in commands(step, files)
        ):
            assert len(command.text) < 16_384
            assert command.text.isascii()
            assert command.text.isprintable()
            assert not command.text.endswith("<<")


def test_a_key_without_a_certificate_is_not_used() -> None:
    found = entry(route(tls=EDGE | {"key": KEY}))
    assert found.certificates == ()


def test_ranges_are_bounded() -> None:
    many = " ".join(f"10.{number >> 8}.{number & 255}.0/25" for number in range(10_001))
    assert "ip_allowlist: names more than 10000 ranges" in refused(
        route(annotations={f"{HAPROXY}ip_allowlist": many})
    )
