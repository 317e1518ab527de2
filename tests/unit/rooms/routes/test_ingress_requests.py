"""Which part of which Ingress a request reaches, beside what the specification of Ingresses says."""

from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rooms.routes.ingress_examples import derived, entry, ingress, path, rule

from causeway.kube.ingresses import Ingress, IngressPath
from causeway.kube.objects import key_of
from causeway.rooms.routes.admission import Rules, admit
from causeway.rooms.routes.compiling import wishes
from causeway.rooms.routes.model import MapKey
from causeway.rooms.routes.parts import Part
from causeway.rooms.routes.site import Wanted


def looked_up(maps: Mapping[MapKey, str], host: str, text: str) -> str:
    """Look a plain request up as the configuration does: the host, one label less, every host."""
    for name in (host, f"*.{host.partition('.')[2]}", ""):
        key = f"p{name}{text}"
        exact = maps.get(MapKey("exact", key))
        if exact is not None:
            return exact
        beginnings = [each.key for each in maps if each.map == "prefix" and key.startswith(each.key)]
        if beginnings:
            return maps[MapKey("prefix", max(beginnings, key=len))]
    return ""


def maps_of(parts: Iterable[Part]) -> dict[MapKey, str]:
    """Return the maps of all parts that may have their place; a backend is called by its service."""
    chosen, wanted = list(parts), Wanted()
    verdicts = admit(chosen, Rules(wildcards=True))
    for each in chosen:
        if verdicts[key_of(each)] is None:
            wanted.put(key_of(each), dict(wishes(entry(each), each.spec.to.name)))
    return {item: str(wish.value) for item, wish in wanted.items.items() if isinstance(item, MapKey)}


def elements(text: str) -> list[str]:
    return [each for each in text.split("/") if each]


def matches(each: IngressPath, text: str) -> bool:
    if each.path_type == "Exact":
        return each.path == text
    if each.path_type == "Prefix":
        return elements(text)[: len(elements(each.path))] == elements(each.path)
    return each.path in ("", "/", text) or text.startswith(each.path.rstrip("/") + "/")


def weight(each: IngressPath, text: str) -> tuple[bool, int]:
    """The longest has it, exact before prefix."""
    return each.path_type == "Exact", len(elements(each.path)) * 2 + (
        each.path_type != "Prefix" and each.path[-1:] == "/"
    )


def answered(given: Ingress, host: str, text: str) -> str:
    """Return the service that is to answer, by the specification; "" for nobody."""
    tiers = [host, f"*.{host.partition('.')[2]}", ""]
    default = given.spec.default_backend
    hosts = {each.host for each in given.spec.rules} or {""}
    for tier in tiers:
        found = [
            each
            for one in given.spec.rules
            if one.host == tier
            for each in (one.http.paths if one.http else ())
            if matches(each, text)
        ]
        if found:
            best = max(found, key=lambda each: weight(each, text))  # the first of equals
            assert best.backend.service is not None
            return best.backend.service.name
        if default is not None and tier in hosts:
            assert default.service is not None
            return default.service.name
    return ""


WORD = st.sampled_from(["a", "ab", "b"])
PATH = st.builds(
    lambda words, slash: "/" + "/".join(words) + ("/" if slash and words else ""),
    st.lists(WORD, max_size=3),
    st.booleans(),
)
HOST = st.sampled_from(["", "x.example", "y.example", "*.example", "*.x.example"])
KIND = st.sampled_from(["Prefix", "Exact"])


@st.composite
def ingresses(draw: st.DrawFn, kinds: st.SearchStrategy[str] = KIND) -> Ingress:
    rules = []
    for number, host in enumerate(draw(st.lists(HOST, max_size=4))):
        paths = draw(st.lists(st.tuples(PATH, kinds), min_size=1, max_size=4))
        listed = [path(text, kind, f"s{number}-{place}") for place, (text, kind) in enumerate(paths)]
        rules.append(rule(host, *listed))
    given: dict[str, Any] = {"rules": rules}
    if draw(st.booleans()) or not rules:
        given["defaultBackend"] = path("/", service="rest")["backend"]
    return ingress(**given)


@settings(max_examples=60)
@given(ingresses(), st.sampled_from(["x.example", "y.example", "z.example", "z.x.example", "q"]), PATH)
def test_a_request_reaches_whom_the_specification_says(one: Ingress, host: str, text: str) -> None:
    assert looked_up(maps_of(derived(one).parts), host, text) == answered(one, host, text)


@settings(max_examples=60)
@given(ingresses(st.just("ImplementationSpecific")), PATH)
def test_ours_alone_is_as_the_path_of_a_route(one: Ingress, text: str) -> None:
    assert looked_up(maps_of(derived(one).parts), "x.example", text) == answered(one, "x.example", text)


@settings(max_examples=60)
@given(ingresses(), ingresses())
def test_every_part_is_admitted_or_told_who_is_older(one: Ingress, other: Ingress) -> None:
    later = ingress("later", "two", age=1, rules=[], tls=[])
    parts = [*derived(one).parts, *derived(later).parts]
    assert all(verdict is None for verdict in admit(parts, Rules(wildcards=True)).values())
    second = Ingress(later.metadata, other.spec)
    verdicts = admit([*parts, *derived(second).parts], Rules(wildcards=True))
    held = {each.spec.host for each in parts}
    for each in derived(second).parts:
        if each.spec.host in held:
            verdict = verdicts[key_of(each)]
            assert verdict is not None
            assert verdict.reason == "HostAlreadyClaimed"
