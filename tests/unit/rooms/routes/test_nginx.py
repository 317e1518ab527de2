import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.routes.examples import behind
from tests.unit.rooms.routes.ingress_examples import (
    NGINX,
    compiled,
    derived,
    entry,
    ingress,
    part,
    path,
    rule,
)

from causeway.rooms.routes import annotations, nginx
from causeway.rooms.routes.annotations import Options, RateLimits
from causeway.rooms.routes.model import Refusal


def options(**given: str) -> Options:
    """Return what annotations (with _ for -) mean, as those of a Route are read."""
    only = part(
        ingress(annotations={f"{NGINX}{name.replace('_', '-')}": text for name, text in given.items()})
    )
    return annotations.read(only.metadata.annotations)


def refusal(text: str = "/", kind: str = "ImplementationSpecific", **given: str) -> str:
    named = {f"{NGINX}{name.replace('_', '-')}": text for name, text in given.items()}
    (only,) = derived(ingress(annotations=named, rules=[rule("a.example", path(text, kind))])).parts
    found = compiled(only)
    assert isinstance(found, Refusal)
    return found.message


def test_what_means_the_same_is_followed() -> None:
    assert options(proxy_read_timeout="90") == Options(timeout=90_000, tunnel=90_000)
    allowed = options(whitelist_source_range="10.0.0.0/8, 192.0.2.1").allowed
    assert [str(each) for each in allowed] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert options(allowlist_source_range="2001:db8::/32").allowed
    assert options(load_balance="round_robin").balance == "roundrobin"
    assert options(upstream_hash_by="$remote_addr").balance == "source"
    cookie = options(affinity="cookie", session_cookie_name="own", session_cookie_samesite="Lax")
    assert (cookie.cookies, cookie.cookie, cookie.same_site) == (True, "own", "Lax")


def test_limits_are_counted_over_ten_seconds() -> None:
    assert options(limit_rps="5").limits == RateLimits(rate_http=50)
    assert options(limit_rpm="61").limits == RateLimits(rate_http=11)
    both = options(limit_rps="1", limit_rpm="600", limit_connections="4").limits
    assert both == RateLimits(concurrent_tcp=4, rate_http=10)
    assert options(limit_rps="0").limits is None


def test_openshifts_annotations_come_first() -> None:
    named = {f"{NGINX}proxy-read-timeout": "90", "haproxy.router.openshift.io/timeout": "5s"}
    read = annotations.read(part(ingress(annotations=named)).metadata.annotations)
    assert (read.timeout, read.tunnel) == (5_000, 90_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("whitelist-source-range", "10.0.0.0/8,nonsense"),
        ("proxy-read-timeout", "soon"),
        ("limit-rps", "-1"),
        ("ssl-redirect", "maybe"),
        ("load-balance", "ewma"),
        ("backend-protocol", "GRPC"),
        ("upstream-hash-by", "$request_uri"),
    ],
)
def test_a_value_that_cannot_be_followed_has_the_ingress_refused(name: str, value: str) -> None:
    assert f"{NGINX}{name}" in refusal(**{name: value})


@pytest.mark.parametrize(
    "name", ["auth-url", "auth-tls-secret", "denylist-source-range", "canary", "server-snippet", "auth-type"]
)
def test_what_keeps_somebody_out_is_never_left_out(name: str) -> None:
    assert f"annotation {NGINX}{name}: is not supported: " in refusal(**{name: "true"})


@pytest.mark.parametrize("name", ["proxy-body-size", "enable-cors", "cors-allow-origin", "unheard-of"])
def test_what_is_left_out_is_told(name: str) -> None:
    found = derived(ingress(annotations={f"{NGINX}{name}": "1m"}))
    (note,) = found.notes
    assert note.reason == "AnnotationIgnored"
    assert f"annotation {NGINX}{name}: has no effect: " in note.message
    entry(found.parts[0])


def test_what_is_so_anyway_is_not_told() -> None:
    part(ingress(annotations={f"{NGINX}proxy-buffering": "off", f"{NGINX}enable-cors": "false"}))


def test_the_tables_do_not_contradict_each_other() -> None:
    known = [*nginx.SAME, *nginx.ELSEWHERE, *nginx.NOTHING_TO_DO]
    assert len(known) == len(set(known))
    for name in known:
        assert not any(name.startswith(start) for start in nginx.GUARDS), name


@pytest.mark.parametrize(
    ("text", "target", "where", "rewrite"),
    [
        ("/shop", "/new", "/shop", "w:n:/new"),
        ("/shop(/|$)(.*)", "/$2", "/shop", "1:a:"),
        ("/shop(/|$)(.*)", "/api/$2", "/shop", "1:a:/api"),
        ("/a/b/(.*)", "/$1", "/a/b/", "2:a:"),
        ("/(.*)", "/$1", "", "0:a:"),
        ("/(.*)", "/api/$1", "", "0:a:/api"),
    ],
)
def test_paths_are_rewritten(text: str, target: str, where: str, rewrite: str) -> None:
    named = {f"{NGINX}rewrite-target": target, f"{NGINX}use-regex": "true"}
    only = part(ingress(annotations=named, rules=[rule("a.example", path(text, "ImplementationSpecific"))]))
    assert only.spec.path == where
    assert ("rewrite", "", rewrite) in behind(entry(only)).options


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/shop(/|$)(.*)", "/$1"),
        ("/shop(.*)", "/$1"),
        ("/shop/([0-9]+)", "/$1"),
        ("/shop(/|$)(.*)", "/$2/$1"),
        ("/shop(/|$)(.*)", "/api$2"),
        ("/shop", "no-path"),
        ("/shop", "/a b"),
    ],
)
def test_other_expressions_are_refused(text: str, target: str) -> None:
    assert refusal(text, rewrite_target=target)


def test_an_expression_without_a_rewrite_is_refused() -> None:
    assert "expressions are not supported" in refusal("/a/[0-9]+", use_regex="true")


@pytest.mark.parametrize("name", ["proxy-read-timeout", "limit-rps", "limit-rpm", "limit-connections"])
@pytest.mark.parametrize("digits", [400, 4300, 5000])
def test_a_number_of_many_digits_is_refused(name: str, digits: int) -> None:
    assert name in refusal(**{name: "9" * digits})


@given(
    st.dictionaries(
        st.sampled_from([*nginx.SAME, *nginx.ELSEWHERE, *nginx.GUARDS, *nginx.INSTEAD]),
        st.text() | st.from_regex(r"[0-9]+s?", fullmatch=True),
    )
)
def test_any_annotations_are_translated_or_misread(given: dict[str, str]) -> None:
    with contextlib.suppress(annotations.Misread):
        nginx.translate({NGINX + name: value for name, value in given.items()})


def test_a_path_that_all_are_rewritten_to_is_bounded() -> None:
    assert "rewrite-target: is longer than 1024" in refusal(rewrite_target="/" + "a" * 1024)


def test_the_newer_name_of_ranges_counts() -> None:
    both = options(allowlist_source_range="10.1.0.0/16", whitelist_source_range="10.0.0.0/8").allowed
    assert [str(each) for each in both] == ["10.1.0.0/16"]
    older = options(allowlist_source_range="", whitelist_source_range="10.0.0.0/8").allowed
    assert [str(each) for each in older] == ["10.0.0.0/8"]


@pytest.mark.parametrize("name", ["ip_whitelist", "ip_allowlist"])
def test_ranges_of_a_route_come_before_those_of_nginx(name: str) -> None:
    named = {f"{NGINX}allowlist-source-range": "10.0.0.0/8"}
    own = {f"haproxy.router.openshift.io/{name}": "10.1.0.0/16"}
    read = annotations.read(part(ingress(annotations=named | own)).metadata.annotations)
    assert [str(each) for each in read.allowed] == ["10.1.0.0/16"]
    empty = {f"haproxy.router.openshift.io/{name}": " "}
    if name == "ip_whitelist":
        read = annotations.read(part(ingress(annotations=named | empty)).metadata.annotations)
        assert [str(each) for each in read.allowed] == ["10.0.0.0/8"]


@pytest.mark.parametrize("value", ["True", "TRUE", "1", "t", "T"])
def test_true_is_written_as_go_reads_it(value: str) -> None:
    asked = nginx.translate({f"{NGINX}{name}": value for name in ("ssl-passthrough", "use-regex")})
    assert (asked.passthrough, asked.regex, asked.redirect, asked.forced) == (True, True, True, False)
    assert "is not supported" in refusal(canary=value)


@pytest.mark.parametrize("value", ["False", "FALSE", "0", "f", "F", "false"])
def test_and_so_is_false(value: str) -> None:
    off = ("ssl-redirect", "force-ssl-redirect", "canary", "enable-modsecurity", "enable-cors")
    asked = nginx.translate({f"{NGINX}{name}": value for name in off})
    assert (asked.redirect, asked.forced, asked.notes) == (False, False, ())


@pytest.mark.parametrize("value", ["lax", "LAX", "Lax", " lax "])
def test_case_does_not_count_in_samesite(value: str) -> None:
    assert options(session_cookie_samesite=value).same_site == "Lax"


@pytest.mark.parametrize("name", ["auth-secret", "auth-tls-secret", "denylist-source-range"])
def test_what_keeps_somebody_out_may_be_called_f(name: str) -> None:
    assert "is not supported" in refusal(**{name: "f"})


def test_switches_are_among_the_tables() -> None:
    for name in nginx.SWITCHES:
        assert any(name.startswith(start) for start in (*nginx.GUARDS, *nginx.INSTEAD)), name
