"""Which rule has a request: the precedence of HTTPRoute as entries of HAProxy's maps. Pure.

A path leads to one entry, which has all that could answer at this path in their order: its own rules, then
those of the prefixes above it, up to the first that asks for nothing more than the path. Nearly always that
is one, and HAProxy needs no more than the map; else it looks at one after the other
(``templates/gateway.lua``).
"""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

import msgspec

from causeway.kube.gateways import HTTPMatch
from causeway.rooms.routes.bounds import LONGEST_TEXT

NOBODY = "404"
"""Leads to the answer that there is nothing here."""


class Candidate(msgspec.Struct, frozen=True):
    """A rule that may answer, by one of its matches; ``age`` orders routes, rules and matches."""

    rule: str
    match: HTTPMatch
    age: tuple[str, str, int, int] = ("", "", 0, 0)

    @property
    def exact(self) -> bool:
        """Return whether only this path is meant."""
        return self.match.path.type == "Exact"

    @property
    def path(self) -> str:
        """Return the path; of a prefix without a slash at its end."""
        value = self.match.path.value
        return value if self.exact else value.rstrip("/")

    @property
    def order(self) -> tuple[bool, int, bool, int, int, tuple[str, str, int, int]]:
        """Return what sorts candidates: first who comes first."""
        match = self.match
        return (
            not self.exact,
            -len(self.path),
            not match.method,
            -len(headers(match)),
            -len(parameters(match)),
            self.age,
        )

    @property
    def conditions(self) -> str:
        """Return what is asked for beside the path, "" for nothing; words without space."""
        match = self.match
        words = [f"m={_word(match.method)}"] if match.method else []
        words += [f"h={_word(name)}={_word(value)}" for name, value in headers(match).items()]
        words += [f"q={_word(name)}={_word(value)}" for name, value in parameters(match).items()]
        return "&".join(words)


def headers(match: HTTPMatch) -> dict[str, str]:
    """Return the headers asked for, in lower case; of several with one name the first counts."""
    return {each.name.lower(): each.value for each in reversed(match.headers)}


def parameters(match: HTTPMatch) -> dict[str, str]:
    """Return the parameters of the query asked for; of several with one name the first counts."""
    return {each.name: each.value for each in reversed(match.query_params)}


class Entries(msgspec.Struct, frozen=True):
    """Entries of the maps by path, and the rules that found no room in one."""

    exact: Mapping[str, str]
    prefix: Mapping[str, str]
    crowded: frozenset[str]


def entries(candidates: Iterable[Candidate]) -> Entries:
    """Return the entries for all candidates of a host; what is left of the host leads to nobody."""
    exact: dict[str, list[Candidate]] = {}
    prefix: dict[str, list[Candidate]] = {"": []}
    for each in sorted(candidates, key=lambda one: one.order):
        (exact if each.exact else prefix).setdefault(each.path, []).append(each)
    crowded: set[str] = set()

    def entry(path: str, own: Iterable[Candidate]) -> str:
        above = [*own, *(each for part in _above(path) for each in prefix.get(part, ()))]
        return _entry(above, crowded)

    return Entries(
        exact={
            path: entry(path, exact.get(path, ()))
            for path in [*exact, *(each for each in prefix if each and each not in exact)]
        },
        prefix={f"{path}/": entry(path, ()) for path in prefix},
        crowded=frozenset(crowded),
    )


def _above(path: str) -> Iterator[str]:
    """Yield the prefixes that mean a path, the longest first: itself, and each up to a slash in it."""
    yield path
    place = path.rfind("/")
    while place >= 0:
        yield path[:place]
        place = path.rfind("/", 0, place)


def _entry(candidates: Iterable[Candidate], crowded: set[str]) -> str:
    words: list[str] = []
    length = 0
    for each in candidates:
        conditions = each.conditions
        if not conditions and not words:
            return f"@{each.rule}"
        word = f"{conditions}~{each.rule}"
        if length + len(word) >= LONGEST_TEXT:
            crowded.add(each.rule)  # those that come after it go on: they may be another's
        else:
            words.append(word)
            length += len(word) + 1
        if not conditions:
            break
    return "?" + "|".join(words) if words else NOBODY


def _word(text: str) -> str:
    return quote(text, safe="").replace("~", "%7E")
