from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.routes.examples import behind, certificate, route
from tests.unit.rooms.routes.ingress_examples import (
    NGINX,
    compiled,
    derived,
    entry,
    ingress,
    notes,
    part,
    path,
    rule,
    secret,
    service,
)

from causeway.kube.ingresses import Ingress
from causeway.kube.objects import key_of
from causeway.kube.routes import RoutePort
from causeway.rooms.routes import nginx
from causeway.rooms.routes.admission import Rules, admit
from causeway.rooms.routes.bounds import MOST_SECRETS, unfit
from causeway.rooms.routes.endings import secrets_of
from causeway.rooms.routes.model import Refusal, Way
from causeway.rooms.routes.parts import called, ingress_of

TLS = [{"hosts": ["www.apps.example"], "secretName": "cert"}]


def test_a_path_of_a_host_is_a_part() -> None:
    one, two = derived(ingress(rules=[rule("a.example", path("/x"), path("/y", service="y"))])).parts
    assert (one.spec.host, one.spec.path, one.spec.to.name) == ("a.example", "/x", "shop")
    assert (two.spec.host, two.spec.path, two.spec.to.name) == ("a.example", "/y", "y")
    assert {ingress_of(key_of(each)) for each in (one, two)} == {"one/shop"}
    assert called(one) == "Ingress shop"
    assert ingress_of("one/shop") == ""


def test_parts_keep_their_names_when_rules_come_before_them() -> None:
    before = derived(ingress(rules=[rule("a.example")])).parts
    after = derived(ingress(rules=[rule("b.example"), rule("a.example")])).parts
    assert before == after[1:]


@pytest.mark.parametrize(
    ("kind", "text", "ways"),
    [
        ("Prefix", "/", [Way("prefix", "pa.example/")]),
        ("Prefix", "/foo", [Way("exact", "pa.example/foo"), Way("prefix", "pa.example/foo/")]),
        ("Prefix", "/foo/", [Way("exact", "pa.example/foo"), Way("prefix", "pa.example/foo/")]),
        ("Exact", "/foo", [Way("exact", "pa.example/foo", rank=2)]),
        ("Exact", "/foo/", [Way("exact", "pa.example/foo/", rank=2)]),
        ("Exact", "/", [Way("exact", "pa.example/", rank=2)]),
        ("ImplementationSpecific", "/", [Way("prefix", "pa.example/")]),
        ("ImplementationSpecific", "", [Way("prefix", "pa.example/")]),
        ("ImplementationSpecific", "/foo/", [Way("prefix", "pa.example/foo/", rank=1)]),
    ],
)
def test_which_requests_a_path_is_for(kind: str, text: str, ways: list[Way]) -> None:
    assert list(entry(part(ingress(rules=[rule("a.example", path(text, kind))]))).ways) == ways


def test_a_wildcard_is_one_label_and_no_host_is_every_one() -> None:
    wild, every = derived(ingress(rules=[rule("*.a.example"), rule("")])).parts
    assert list(entry(wild).ways) == [Way("prefix", "p*.a.example/")]
    assert list(entry(every).ways) == [Way("prefix", "p/")]
    assert set(admit([wild, every], Rules(wildcards=True)).values()) == {None}
    verdict = admit([wild], Rules())[key_of(wild)]
    assert verdict is not None
    assert verdict.message.startswith("host *.a.example: wildcards are not allowed: ")
    assert "spec.router.routeAdmission.wildcardPolicy: WildcardsAllowed" in verdict.message


def test_a_default_backend_has_what_is_left_of_its_hosts_or_of_all() -> None:
    backend = path("/", service="rest")["backend"]
    rules = [rule("a.example", path("/x")), rule("b.example"), {"host": "c.example"}]
    parts = derived(ingress(rules=rules, defaultBackend=backend)).parts
    rest = [each for each in parts if each.match == "default"]
    assert [each.spec.host for each in rest] == ["a.example", "c.example"]
    assert {each.spec.to.name for each in rest} == {"rest"}
    alone = part(ingress(rules=[], defaultBackend=backend))
    assert list(entry(alone).ways) == [Way("prefix", "p/", rank=-1)]


def test_a_path_that_is_named_twice_counts_once() -> None:
    found = derived(ingress(rules=[rule("a.example", path("/x/"), path("/x", service="other"))]))
    assert [each.spec.to.name for each in found.parts] == ["shop"]
    assert [each.reason for each in found.notes] == ["DuplicatePath"]


# services


def _port(services: dict[str, Any], port: int | str) -> tuple[RoutePort | None, list[str]]:
    found = derived(ingress(rules=[rule("", path("/", port=port))]), services=services)
    return found.parts[0].spec.port, [each.reason for each in found.notes]


def test_a_port_of_a_service_is_the_port_of_its_name() -> None:
    several = {"shop": service(web=80, admin=81)}
    assert _port(several, 81) == (RoutePort("admin"), [])
    assert _port(several, "web") == (RoutePort("web"), [])
    assert _port({"shop": service()}, 80) == (None, [])


def test_what_is_not_there_has_no_endpoint_and_is_told() -> None:
    for services, port, reason in (({}, 80, "ServiceNotFound"), ({"shop": service()}, 81, "PortNotFound")):
        found = derived(ingress(rules=[rule("", path("/", port=port))]), services=services)
        assert [each.reason for each in found.notes] == [reason]
        assert behind(entry(found.parts[0])).servers == ()


def test_a_backend_that_is_no_service_is_told() -> None:
    given = {"path": "/", "pathType": "Prefix", "backend": {"resource": {"kind": "Bucket", "name": "b"}}}
    found = derived(ingress(rules=[rule("a.example", given)]))
    assert found.parts == ()
    assert found.notes[0].reason == "BackendNotSupported"
    assert "Bucket" in found.notes[0].message


# TLS


def test_a_host_with_a_certificate_redirects() -> None:
    only = part(ingress(tls=TLS), {"cert": secret()})
    assert only.spec.tls is not None
    assert (only.spec.tls.certificate, only.spec.tls.key) == certificate("www.apps.example")
    assert [each.redirect for each in entry(only).ways] == [False, True]
    (shown, _), *_ = entry(only).certificates
    assert shown.host == "www.apps.example"


def test_the_redirect_can_be_turned_off_or_on() -> None:
    off = part(ingress(tls=TLS, annotations={f"{NGINX}ssl-redirect": "false"}), {"cert": secret()})
    assert [each.redirect for each in entry(off).ways] == [False, False]
    forced = part(ingress(annotations={f"{NGINX}force-ssl-redirect": "true"}))
    assert [each.redirect for each in entry(forced).ways] == [False, True]
    assert part(ingress()).spec.tls is None


@pytest.mark.parametrize(
    ("hosts", "tls"),
    [(["www.apps.example"], True), (["*.apps.example"], True), ([], True), (["apps.example"], False)],
)
def test_which_hosts_an_entry_is_for(hosts: list[str], tls: bool) -> None:
    found = derived(ingress(tls=[{"hosts": hosts}]))
    assert [each.spec.tls is not None for each in found.parts] == [tls]
    assert [each.reason for each in found.notes] == ([] if tls else ["CertificateNotUsed"])


def test_a_host_of_tls_that_no_rule_names_is_told_and_its_secret_not_followed() -> None:
    tls = [*TLS, {"hosts": ["*.apps.example"], "secretName": "wild"}, {"secretName": "rest"}]
    tls.append({"hosts": ["wwww.apps.example"], "secretName": "typo"})
    given = ingress(tls=tls)
    assert secrets_of(given) == {"cert"}
    told = notes(given, {"cert": secret()})
    assert list(told) == ["CertificateNotUsed"]
    assert told["CertificateNotUsed"].startswith("tls host wwww.apps.example: no rule names it")


def test_many_hosts_that_no_rule_names_are_told_in_one_note() -> None:
    hosts = [f"{'h' * 63}.{'h' * 63}.{'h' * 63}.{number:050}.example" for number in range(50)]
    (note,) = derived(ingress(tls=[{"hosts": hosts}])).notes
    assert note.message.startswith(f"tls host {', '.join(hosts[:3])} and 47 more: no rule names them")
    assert len(note.message) <= 1024


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("www.apps.example", {"exact"}),
        ("a.apps.example", {"wild"}),
        ("*.apps.example", {"wild"}),
        ("other.example", {"rest"}),
        ("", set()),  # a certificate is shown only for hosts that rules name
    ],
)
def test_only_secrets_of_hosts_that_rules_name_are_followed(host: str, wanted: set[str]) -> None:
    tls = [
        {"secretName": "rest"},
        {"hosts": ["*.apps.example"], "secretName": "wild"},
        {"hosts": ["www.apps.example"], "secretName": "exact"},
        {"hosts": ["www.apps.example"], "secretName": "again"},
    ]
    assert secrets_of(ingress(rules=[rule(host)], tls=tls)) == wanted


@pytest.mark.parametrize(
    ("secrets", "cause"),
    [
        ({}, "does not exist"),
        ({"cert": secret(type="kubernetes.io/dockercfg")}, "is of type kubernetes.io/dockercfg"),
        ({"cert": secret(data={"tls.crt": b"x"})}, "has no tls.key"),
        ({"cert": secret(data={"tls.crt": b"nonsense", "tls.key": b"x"})}, "cannot be read"),
    ],
)
def test_a_bad_certificate_is_told_and_its_host_served_with_the_routers(
    secrets: dict[str, Any], cause: str
) -> None:
    rules = [rule("www.apps.example"), rule("other.example")]
    found = derived(ingress(tls=TLS, rules=rules), secrets)
    (note,) = found.notes
    assert note.reason == "CertificateUnusable"
    assert cause in note.message
    assert "www.apps.example" in note.message
    served, other = (entry(each) for each in found.parts)
    assert served.certificates == ()
    assert len(served.ways) == 2
    assert len(other.ways) == 1


def test_a_certificate_without_a_host_cannot_be_shown() -> None:
    told = notes(ingress(rules=[rule("")], tls=[{"secretName": "cert"}]), {"cert": secret()})
    assert list(told) == ["CertificateNotUsed"]


def test_tls_ends_where_openshifts_annotation_says() -> None:
    through = part(ingress(annotations={"route.openshift.io/termination": "passthrough"}))
    assert [each.map for each in entry(through).ways] == ["passthrough", "prefix"]
    annotations = {
        "route.openshift.io/termination": "reencrypt",
        "route.openshift.io/destination-ca-certificate-secret": "ca",
    }
    again = part(ingress(annotations=annotations), {"ca": secret(type="Opaque")})
    assert len(entry(again).authorities) == 1
    missing = compiled(part(ingress(annotations=annotations)))
    assert isinstance(missing, Refusal)
    assert "secret ca: does not exist" in missing.message
    bad = compiled(part(ingress(annotations=annotations), {"ca": secret(data={"tls.crt": b"bad"})}))
    assert isinstance(bad, Refusal)
    assert "secret ca: tls.crt: cannot be read" in bad.message


def test_passed_through_tls_shows_no_paths() -> None:
    given = ingress(rules=[rule("a.example", path("/x"))], annotations={f"{NGINX}ssl-passthrough": "true"})
    found = compiled(part(given))
    assert isinstance(found, Refusal)
    assert found.message == "path /x: passed-through TLS shows no paths: leave it out or use / as Prefix"


@pytest.mark.parametrize(
    "annotations",
    [{f"{NGINX}backend-protocol": "HTTPS"}, {"route.openshift.io/termination": "reencrypt"}],
)
def test_servers_that_speak_tls_are_verified(annotations: dict[str, str]) -> None:
    found = compiled(part(ingress(annotations=annotations)))
    assert isinstance(found, Refusal)
    assert "annotation route.openshift.io/destination-ca-certificate-secret: is needed" in found.message
    assert "tls.crt" in found.message
    assert "spec.tls" not in found.message


# among routes


def _verdicts(*given: Ingress | Any) -> dict[str, str]:
    routes = [each for one in given for each in (derived(one).parts if isinstance(one, Ingress) else [one])]
    verdicts = admit(routes, Rules(wildcards=True))
    return {called(each): verdict.message if (verdict := verdicts[key_of(each)]) else "" for each in routes}


def test_the_oldest_has_a_path_of_a_host_whatever_it_is() -> None:
    assert _verdicts(route(age=1), ingress("ing", age=2)) == {
        "route shop": "",
        "Ingress ing": "route shop already exposes www.apps.example and is older",
    }
    assert _verdicts(route(age=2), ingress("ing", age=1)) == {
        "route shop": "Ingress ing already exposes www.apps.example and is older",
        "Ingress ing": "",
    }


def test_exact_and_prefix_and_default_of_a_path_live_together() -> None:
    backend = path("/")["backend"]
    exact = ingress("exact", rules=[rule("a.example", path("/", "Exact"))], defaultBackend=backend)
    prefix = ingress("prefix", rules=[rule("a.example")], age=1)
    assert set(_verdicts(exact, prefix).values()) == {""}


def test_another_namespace_has_no_path_of_a_host_that_is_held() -> None:
    verdicts = _verdicts(
        ingress(rules=[rule(""), rule("a.example")]),
        ingress("other", "two", rules=[rule("", path("/x"))], age=1),
    )
    assert "holds every host" in verdicts["Ingress other"]


def test_ranges_are_bounded_for_all_paths_together() -> None:
    ranges = {"haproxy.router.openshift.io/ip_allowlist": " ".join(["10.0.0.0/25"] * 1000)}
    few = ingress(annotations=ranges, rules=[rule("a.example", *(path(f"/{each}") for each in range(10)))])
    assert not any(each.wrong for each in derived(few).parts)
    many = ingress(annotations=ranges, rules=[rule("a.example", *(path(f"/{each}") for each in range(11)))])
    assert all("1000 ranges of addresses for each of 11 paths" in each.wrong for each in derived(many).parts)


@given(
    st.text() | st.from_regex(r"/[a-z<>]{0,5}(\(/\|\$\)\(\.\*\))?", fullmatch=True),
    st.sampled_from(["Prefix", "Exact", "ImplementationSpecific"]),
    st.dictionaries(
        st.sampled_from([f"{NGINX}{each}" for each in (*nginx.SAME, *nginx.ELSEWHERE)]),
        st.text() | st.sampled_from(["true", "/$1", "/a/$2", "HTTPS", "10.0.0.0/8, ::/0", "9" * 400]),
    ),
    st.sampled_from(["", "a.example", "*.a.example"]),
)
def test_whatever_an_ingress_says_it_is_compiled_or_refused(
    text: str, kind: str, said: dict[str, str], host: str
) -> None:
    for each in derived(ingress(annotations=said, rules=[rule(host, path(text, kind))])).parts:
        found = compiled(each)
        assert isinstance(found, Refusal) or not unfit(found)


def test_a_secret_of_no_type_will_do_as_for_ingress_nginx() -> None:
    assert not notes(ingress(tls=TLS), {"cert": secret(type="Opaque")})


def test_an_entry_of_tls_without_hosts_names_no_host_that_rules_lack() -> None:
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    assert not notes(ingress(rules=[], defaultBackend=backend, tls=[{}]))


def test_an_ingress_has_so_many_secrets_and_is_told_of_more() -> None:
    hosts = [f"h{n}.example" for n in range(MOST_SECRETS + 1)]
    given = ingress(
        rules=[rule(host) for host in hosts],
        tls=[{"hosts": [host], "secretName": f"s{n}"} for n, host in enumerate(hosts)],
    )
    assert secrets_of(given) == {f"s{n}" for n in range(MOST_SECRETS)}
    one = secret("h0.example")
    found = derived(given, dict.fromkeys([f"s{n}" for n in range(MOST_SECRETS + 1)], one))
    assert len([each for each in found.notes if f"beyond the first {MOST_SECRETS}" in each.message]) == 1
    assert not [each for each in found.notes if "secret s0:" in each.message]
    assert len(found.parts) == MOST_SECRETS + 1
