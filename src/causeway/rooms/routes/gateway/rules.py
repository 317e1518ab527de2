"""The rules of a route as parts: who answers, and how. Pure."""

from collections.abc import Sequence

from causeway.kube.gateways import (
    HTTP_ROUTES,
    TCP_ROUTES,
    TLS_ROUTES,
    AnyRoute,
    HTTPMatch,
    HTTPRoute,
    HTTPRule,
    TLSRoute,
)
from causeway.kube.objects import Meta, key_of
from causeway.kube.routes import RouteSpec, RouteTarget
from causeway.rooms.routes.bounds import LONGEST_PATH
from causeway.rooms.routes.certificates import digest
from causeway.rooms.routes.checking import PATH
from causeway.rooms.routes.gateway.backends import ServiceOf, resolve
from causeway.rooms.routes.gateway.filters import filter_orders, timeout
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.model import Refusal, Refused
from causeway.rooms.routes.parts import Rule, name_of_rule

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)

Made = Sequence[tuple[Sequence[HTTPMatch], Rule]]
"""Rules with what they are for; of connections there is nothing to match."""


def kind_of(route: AnyRoute) -> str:
    """Return the kind of a route."""
    match route:
        case HTTPRoute():
            return HTTP_ROUTES.kind
        case TLSRoute():
            return TLS_ROUTES.kind
    return TCP_ROUTES.kind


def named(route: AnyRoute) -> str:
    """Return what tells a route from all others: its kind and its key."""
    return f"{kind_of(route)} {key_of(route)}"


def is_of(rule: str, name: str) -> bool:
    """Return whether the key of a rule is of the route that is ``named`` so."""
    kind, _, key = name.partition(" ")
    namespace, _, own = key.partition("/")
    return rule.startswith(f"{namespace}/{name_of_rule(kind, own, '')}")


def rules_of(route: AnyRoute, services: ServiceOf, grants: Grants) -> tuple[Made, Refusal | None]:
    """Return the rules of a route, and which reference of them cannot be followed; raises ``Refused``."""
    wrong: Refusal | None = None
    seen: dict[str, int] = {}
    found: list[tuple[Sequence[HTTPMatch], Rule]] = []
    meta, kind = route.metadata, kind_of(route)
    for rule in route.spec.rules:
        backends = resolve(kind, meta.namespace, rule.backend_refs, services, grants)
        wrong = wrong or backends.wrong
        orders, wait, answers = "", 0, False
        matches: Sequence[HTTPMatch] = (HTTPMatch(),)
        if isinstance(rule, HTTPRule):
            _check(rule)
            orders, wait, matches = filter_orders(rule), timeout(rule), rule.matches
            answers = any(each.type == "RequestRedirect" for each in rule.filters)
        # A rule that does something else is another one: until all of it is there, the former has requests.
        # One with other shares is the same, and changes as it runs; the number tells two of those apart.
        whom = sorted(f"{each.service} {each.port}" for each in backends.targets)
        does = digest(orders, str(wait), *whom)[:12]
        seen[does] = seen.get(does, -1) + 1
        name = name_of_rule(kind, meta.name, f"{does}.{seen[does]}")
        made = Rule(
            metadata=Meta(name=name, namespace=meta.namespace, uid=f"{meta.uid}/{name}"),
            spec=RouteSpec(to=RouteTarget("")),
            targets=backends.targets,
            orders=orders,
            lost=backends.lost,
            answers=answers,
            timeout=wait,
            passthrough=not isinstance(route, HTTPRoute),
        )
        found.append((matches, made))
    return found, wrong


def _check(rule: HTTPRule) -> None:
    """Raise ``Refused`` for matches that cannot be followed."""
    for match in rule.matches:
        kinds = [match.path.type, *(each.type for each in (*match.headers, *match.query_params))]
        if "RegularExpression" in kinds:
            raise Refused("matches: regular expressions are not supported")
        if match.method and match.method not in _METHODS:
            raise Refused(f"matches: method {match.method} is not known")
        if len(match.path.value) > LONGEST_PATH:
            raise Refused(f"matches: a path is longer than {LONGEST_PATH} characters")
        if not PATH.fullmatch(match.path.value):
            raise Refused(f"matches: {match.path.value!r} is no path that can be had")
