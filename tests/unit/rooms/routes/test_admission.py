import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.routes.examples import route

from causeway.kube.objects import key_of
from causeway.kube.routes import Route
from causeway.rooms.routes.admission import Rules, admit, age, generated_host, host_of, refused_alone
from causeway.rooms.routes.parts import Part, Table, name_of, name_of_table
from causeway.rooms.routes.registry import Registry

RULES = Rules(wildcards=True, suffix="apps.example")


def reasons(*routes: Route, rules: Rules = RULES) -> dict[str, str]:
    return {key: verdict.reason if verdict else "" for key, verdict in admit(routes, rules).items()}


def test_the_oldest_owns_a_host_across_namespaces() -> None:
    young, old = route(namespace="one", age=5), route(namespace="two", age=1)
    assert reasons(young, old) == {"one/shop": "HostAlreadyClaimed", "two/shop": ""}


def test_of_the_same_age_the_smaller_uid_owns_it() -> None:
    one, two = route(namespace="one", uid="b"), route(namespace="two", uid="a")
    assert reasons(one, two) == {"one/shop": "HostAlreadyClaimed", "two/shop": ""}


def test_paths_of_a_host_live_together_in_a_namespace_only() -> None:
    root, path, again = route(), route("path", path="/a", age=1), route("again", path="/a", age=2)
    other = route("other", "two", path="/b", age=3)
    assert reasons(root, path, again, other) == {
        "one/shop": "",
        "one/path": "",
        "one/again": "HostAlreadyClaimed",
        "two/other": "HostAlreadyClaimed",
    }


def test_a_passed_through_host_has_no_other_route_with_tls() -> None:
    through = route(tls={"termination": "passthrough"})
    edge = route("edge", path="/a", age=1, tls={"termination": "edge"})
    plain = route("plain", path="/b", age=2)
    assert reasons(through, edge, plain)["one/edge"] == "HostAlreadyClaimed"
    assert reasons(through, edge, plain)["one/plain"] == ""


def test_a_wildcard_and_hosts_beside_it_are_of_one_namespace() -> None:
    wild = route("wild", host="any.apps.example", wildcardPolicy="Subdomain", age=1)
    mine, others = route(age=2), route("other", "two", host="other.apps.example", age=3)
    assert reasons(wild, mine, others) == {"one/wild": "", "one/shop": "", "two/other": "HostAlreadyClaimed"}
    older = route("other", "two", host="other.apps.example", age=0)
    assert reasons(wild, older) == {"one/wild": "HostAlreadyClaimed", "two/other": ""}


def test_a_host_of_the_platform_is_its_own_however_old_another_route_is() -> None:
    rules = RULES._replace(reserved=frozenset({"registry.apps.example"}))
    host = {"host": "registry.apps.example"}
    theirs, ours = route(namespace="two", age=0, **host), route(namespace="kube-system", age=9, **host)
    assert reasons(theirs, ours, rules=rules) == {"two/shop": "HostAlreadyClaimed", "kube-system/shop": ""}
    # Nor does anybody have it before the platform does, or all hosts beside it.
    assert reasons(theirs, rules=rules) == {"two/shop": "HostAlreadyClaimed"}
    wild = route("wild", "two", host="any.apps.example", wildcardPolicy="Subdomain")
    beside = route("beside", "two", host="shop.apps.example")
    assert reasons(wild, beside, rules=rules) == {"two/wild": "HostAlreadyClaimed", "two/beside": ""}


def test_wildcards_differ_by_path() -> None:
    wild = route("wild", host="a.apps.example", wildcardPolicy="Subdomain")
    path = route("path", host="b.apps.example", wildcardPolicy="Subdomain", path="/a", age=1)
    again = route("again", host="c.apps.example", wildcardPolicy="Subdomain", age=2)
    assert reasons(wild, path, again) == {"one/wild": "", "one/path": "", "one/again": "HostAlreadyClaimed"}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"wildcardPolicy": "Everything"}, "RouteNotAdmitted"),
        ({"host": ""}, "NoHostValue"),
        ({"host": "Upper.example"}, "InvalidHost"),
        ({"host": "under_score.example"}, "InvalidHost"),
        ({"host": "a..example"}, "InvalidHost"),
        ({"host": "-a.example"}, "InvalidHost"),
        ({"host": "a.example."}, "InvalidHost"),
        ({"host": ".".join(["a" * 60] * 5)}, "InvalidHost"),
        ({"host": "a" * 64 + ".example"}, "InvalidHost"),
        ({"host": "*.example"}, "InvalidHost"),
        ({"host": "", "subdomain": "www"}, ""),
    ],
)
def test_what_is_refused_whatever_others_ask(spec: dict[str, str], reason: str) -> None:
    assert list(reasons(route(**spec)).values()) == [reason]


def test_wildcards_are_refused_where_they_are_not_allowed() -> None:
    verdicts = admit([route(wildcardPolicy="Subdomain")], Rules())
    assert verdicts["one/shop"] is not None
    assert verdicts["one/shop"].message.startswith("wildcardPolicy Subdomain: wildcards are not allowed: ")
    assert "spec.router.routeAdmission.wildcardPolicy: WildcardsAllowed" in verdicts["one/shop"].message


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("n" * 60, f"{'n' * 60}-one has 64 characters, 63 are possible"),
        (".".join(["n" * 59] * 4), "has 256 characters, 253 are possible"),
    ],
    ids=["label", "whole"],
)
def test_a_host_that_the_api_would_refuse_is_not_written_but_refused(name: str, cause: str) -> None:
    (verdict,) = admit([route(name, host="")], RULES).values()
    assert verdict is not None
    assert verdict.reason == "InvalidHost"
    assert "give spec.host: " in verdict.message
    assert cause in verdict.message


def test_a_host_as_long_as_can_be_is_written() -> None:
    assert reasons(route("n" * 59, host="")) == {f"one/{'n' * 59}": "NoHostValue"}
    # Without a suffix none is made.
    assert reasons(route("n" * 60, host=""), rules=Rules()) == {f"one/{'n' * 60}": "NoHostValue"}


def test_a_refused_route_claims_nothing() -> None:
    bad = route("bad", "two", wildcardPolicy="Everything")
    assert reasons(bad, route(age=5))["one/shop"] == ""


def test_hosts_are_made_of_what_there_is() -> None:
    assert generated_host(route(host=""), RULES) == "shop-one.apps.example"
    assert generated_host(route(host="", subdomain="www"), RULES) == ""
    assert host_of(route(host="", subdomain="www"), RULES) == "www.apps.example"
    assert generated_host(route(), RULES) == ""
    assert generated_host(route(host=""), Rules()) == ""


def _held(older: str, younger: str, namespace: str, host: str = "www.apps.example", **given: Any) -> str:
    """Return what is told to who asks second for a host, in another namespace or in the same."""
    made: list[Route] = []
    for number, (kind, where) in enumerate([(older, "one"), (younger, namespace)]):
        asked = given.get("wildcard", host) if number == 0 else host
        like = route(f"secret{number}", where, age=number, host=asked)
        if kind == "Ingress":
            named = msgspec.structs.replace(like.metadata, name=name_of(f"secret{number}", "digest"))
            like = Part(metadata=named, spec=like.spec)
        elif kind != "Route":
            table = _table(where, asked, number)
            like = msgspec.structs.replace(table, kind=kind, strangers=given.get("strangers", False))
        made.append(like)
    verdict = admit(made, RULES)[key_of(made[1])]
    assert verdict is not None
    return verdict.message


@pytest.mark.parametrize("younger", ["Route", "Ingress", "HTTPRoute"])
@pytest.mark.parametrize(
    ("older", "called"),
    [
        ("Route", "a Route in another namespace"),
        ("Ingress", "an Ingress in another namespace"),
        ("HTTPRoute", "an HTTPRoute of a Gateway in another namespace"),
        ("TLSRoute", "a TLSRoute of a Gateway in another namespace"),
        ("Gateway", "a Gateway in another namespace"),
    ],
)
def test_who_holds_a_host_in_another_namespace_is_told_by_its_kind(
    older: str, called: str, younger: str
) -> None:
    told = _held(older, younger, "two")
    than = " than the Gateway's" if younger == "HTTPRoute" and older in ("Route", "Ingress") else ""
    assert told.startswith(f"{called}{than} holds www.apps.example and is older")
    assert "secret0" not in told


def test_who_holds_a_host_in_the_same_namespace_is_told_by_its_name() -> None:
    assert _held("Ingress", "HTTPRoute", "one") == "Ingress secret0 holds www.apps.example and is older"
    gateway = "an HTTPRoute of a Gateway in this namespace holds www.apps.example and is older"
    assert _held("HTTPRoute", "Route", "one") == gateway
    # Routes of other namespaces are attached to the Gateway, too, and read the same.
    told = _held("Ingress", "HTTPRoute", "one", strangers=True)
    assert told == "an Ingress in the Gateway's namespace holds www.apps.example and is older"


def test_who_holds_a_wildcard_is_told_by_its_kind() -> None:
    wild = {"wildcard": "*.example"}
    some = "an HTTPRoute of a Gateway in another namespace"
    told = _held("HTTPRoute", "Route", "two", **wild)
    assert told == f"{some} holds *.example, and so host www.apps.example"
    wild = {"wildcard": "*.apps.example"}
    assert _held("HTTPRoute", "Ingress", "two", **wild) == f"{some} holds host www.apps.example"
    older, younger = route(namespace="two", age=1), _table("one", "*.example", 2)
    verdict = admit([older, younger], RULES)[key_of(younger)]
    assert verdict is not None
    assert verdict.message == "a Route in another namespace than the Gateway's holds a host of *.example"


def _table(namespace: str, host: str, age: int) -> Table:
    wild = "Subdomain" if host.startswith("*.") else ""
    like = route("t", namespace, age=age, host=host, wildcardPolicy=wild)
    named = msgspec.structs.replace(like.metadata, name=name_of_table(host), uid=f"{namespace}/{host}")
    return Table(metadata=named, spec=like.spec)


_TABLES = st.builds(
    _table,
    st.sampled_from(["one", "two"]),
    st.sampled_from(["*.example", "*.x.example", "*.a.x.example", "c.y.example", ""]),
    st.integers(0, 3),
)
_ROUTES = st.builds(
    lambda number, namespace, host, path, wild, tls, age: route(
        f"r{number}",
        namespace,
        age=age,
        host=host,
        path=path,
        wildcardPolicy="Subdomain" if wild else "None",
        tls={"termination": tls} if tls else None,
    ),
    st.integers(0, 9),
    st.sampled_from(["one", "two"]),
    st.sampled_from(["a.x.example", "b.x.example", "c.y.example", "", "Bad"]),
    st.sampled_from(["", "/a", "/b"]),
    st.booleans(),
    st.sampled_from(["", "edge", "passthrough"]),
    st.integers(0, 3),
)
POPULATION = st.lists(st.one_of(_ROUTES, _TABLES), max_size=12, unique_by=key_of)


def test_nor_does_a_wildcard_above_a_host_of_the_platform_have_it() -> None:
    rules = RULES._replace(reserved=frozenset({"registry.apps.example"}))
    for host in ("*.example", "*.apps.example"):
        theirs, ours = _table("two", host, 0), _table("kube-system", host, 0)
        assert reasons(theirs, rules=rules) == {key_of(theirs): "HostAlreadyClaimed"}
        assert reasons(ours, rules=rules) == {key_of(ours): ""}
    beside = _table("two", "*.other.example", 0)
    assert reasons(beside, rules=rules) == {key_of(beside): ""}


@given(POPULATION, st.randoms(use_true_random=False))
def test_the_order_of_learning_changes_nothing(routes: list[Route], chance: random.Random) -> None:
    before = admit(routes, RULES)
    chance.shuffle(routes)
    assert admit(routes, RULES) == before


@given(POPULATION)
def test_a_refused_host_is_held_by_an_older_admitted_route(routes: list[Route]) -> None:
    verdicts = admit(routes, RULES)
    admitted = [each for each in routes if verdicts[key_of(each)] is None]
    for each in routes:
        verdict = verdicts[key_of(each)]
        if verdict is not None and verdict.reason == "HostAlreadyClaimed":
            assert any(age(other) <= age(each) for other in admitted if other is not each)
    owners: dict[str, set[str]] = {}
    for each in admitted:
        owners.setdefault(each.spec.host, set()).add(each.metadata.namespace)
    assert all(len(each) == 1 for each in owners.values())


@given(POPULATION, st.data())
def test_change_by_change_is_as_all_at_once(routes: list[Route], data: st.DataObject) -> None:
    registry = Registry(RULES)
    present: dict[str, Route] = {}
    told: dict[str, object] = {}
    for each in routes:
        chosen: int = data.draw(st.integers(0, 23))
        if chosen < len(present):
            key = sorted(present)[chosen]
            registry.remove(key)
            del present[key]
            told.pop(key, None)
        registry.put(each)
        present[key_of(each)] = each
        if chosen % 2:
            for key in registry.settle():
                told[key] = registry.verdict(key)
    for key in registry.settle():
        told[key] = registry.verdict(key)
    expected = admit(present.values(), RULES)
    assert {key: registry.verdict(key) for key in present} == expected
    assert {key: told[key] for key in present} == expected


def test_a_wildcard_needs_a_domain() -> None:
    verdict = refused_alone(route(host="foo", wildcardPolicy="Subdomain"), Rules(wildcards=True))
    assert verdict is not None
    assert (verdict.reason, "needs a domain" in verdict.message) == ("RouteNotAdmitted", True)
    assert refused_alone(route(host="foo"), Rules()) is None
