"""The precedence of HTTPRoute, against a direct reading of the specification."""

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from causeway.kube.gateways import HTTPMatch, PathMatch, ValueMatch
from causeway.rooms.routes.gateway.matching import Candidate, Entries, entries

PATHS = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"]
VALUES = ["1", "~|&=%", "a b"]
NAMED = st.builds(ValueMatch, name=st.sampled_from(["X-A", "x-a", "x-b"]), value=st.sampled_from(VALUES))
MATCH = st.builds(
    HTTPMatch,
    path=st.builds(PathMatch, type=st.sampled_from(["PathPrefix", "Exact"]), value=st.sampled_from(PATHS)),
    headers=st.lists(NAMED, max_size=2).map(tuple),
    query_params=st.lists(NAMED, max_size=2).map(tuple),
    method=st.sampled_from(["", "", "GET", "POST"]),
)
CANDIDATES = st.lists(st.tuples(MATCH, st.integers(0, 3)), max_size=8).map(
    lambda found: [
        Candidate(f"one/rule:{number}", match, (str(age), "one/shop", number, 0))
        for number, (match, age) in enumerate(found)
    ]
)
REQUEST = st.fixed_dictionaries(
    {
        "path": st.sampled_from([*PATHS, "/a/x", "/abc", "/a/b/", "/b"]),
        "method": st.sampled_from(["GET", "POST", "PUT"]),
        "headers": st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(VALUES)),
        "query": st.dictionaries(st.sampled_from(["X-A", "x-a", "x-b"]), st.sampled_from(VALUES)),
    }
)


def _first(named: tuple[ValueMatch, ...], *, lower: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in named:
        found.setdefault(each.name.lower() if lower else each.name, each.value)
    return found


def _met(match: HTTPMatch, request: Mapping[str, object]) -> bool:
    path, value = str(request["path"]), match.path.value
    if match.path.type == "Exact":
        if path != value:
            return False
    elif path != value.rstrip("/") and not path.startswith(value.rstrip("/") + "/"):
        return False
    headers, query = request["headers"], request["query"]
    assert isinstance(headers, dict)
    assert isinstance(query, dict)
    return (
        match.method in ("", request["method"])
        and _first(match.headers, lower=True).items() <= headers.items()
        and _first(match.query_params, lower=False).items() <= query.items()
    )


def _direct(candidates: list[Candidate], request: Mapping[str, object]) -> str:
    """Return the rule the specification's words give a request to, read one after the other."""
    left = [each for each in candidates if _met(each.match, request)]
    steps: list[Callable[[Candidate], int]] = [
        lambda each: each.match.path.type == "Exact",
        lambda each: len(each.match.path.value.rstrip("/")),
        lambda each: bool(each.match.method),
        lambda each: len(_first(each.match.headers, lower=True)),
        lambda each: len(_first(each.match.query_params, lower=False)),
    ]
    for step in steps:
        best = max(map(step, left), default=None)
        left = [each for each in left if step(each) == best]
    return min(left, key=lambda each: each.age).rule if left else ""


def chosen(found: Entries, request: Mapping[str, object]) -> str:
    """Return the rule HAProxy's maps and its look at candidates give a request to."""
    path = str(request["path"])
    value = found.exact.get(path)
    if value is None:
        longest = max((each for each in found.prefix if path.startswith(each)), key=len)
        value = found.prefix[longest]
    if value.startswith("@"):
        return value[1:]
    for part in value[1:].split("|") if value.startswith("?") else ():
        conditions, _, rule = part.partition("~")
        if all(_holds(each.split("="), request) for each in conditions.split("&") if each):
            return rule
    return ""


def _holds(words: list[str], request: Mapping[str, object]) -> bool:
    kind, *rest = words
    name, *value = [unquote(each) for each in rest]
    if kind == "m":
        return request["method"] == name
    held = request["headers" if kind == "h" else "query"]
    assert isinstance(held, dict)
    return held.get(name) == value[0]


@given(CANDIDATES, REQUEST)
def test_maps_and_candidates_choose_as_the_specification_does(
    candidates: list[Candidate], request: Mapping[str, object]
) -> None:
    assert chosen(entries(candidates), request) == _direct(candidates, request)


def test_nearly_always_the_map_alone_decides() -> None:
    made = entries([Candidate("one/a", HTTPMatch(path=PathMatch(value="/a")))])
    assert made.exact == {"/a": "@one/a"}
    assert made.prefix == {"/": "404", "/a/": "@one/a"}


def test_what_finds_no_room_is_told() -> None:
    def match(number: int) -> HTTPMatch:
        return HTTPMatch(headers=(ValueMatch("x", "v" * 4000 + str(number)),))

    made = entries([Candidate(f"one/{n}", match(n), ("", "", n, 0)) for n in range(9)])
    assert made.crowded
    assert all(len(each) <= 24_000 for each in made.prefix.values())


def test_what_finds_no_room_takes_nothing_from_those_after_it() -> None:
    long = HTTPMatch(headers=tuple(ValueMatch(f"x{number}", "v" * 4000) for number in range(7)))
    made = entries(
        [Candidate("one/long", long, ("", "", 0, 0)), Candidate("one/plain", HTTPMatch(), ("", "", 1, 0))]
    )
    assert made.crowded == {"one/long"}
    assert set(made.prefix.values()) == {"@one/plain"}
