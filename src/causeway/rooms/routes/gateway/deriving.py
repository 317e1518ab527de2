"""All of Gateway API that is ours, at once, as parts and as what statuses are to say. Pure.

All Gateways share the router's address and ports: a listener is told from others by its hostname, and among
those of one namespace the narrowest for a host has it, whichever Gateway it stands in.
"""

from collections.abc import Iterable, Mapping

import msgspec

from causeway.kube.gateways import HTTP_ROUTES, Gateway, HTTPRoute, HTTPRule, ParentReference
from causeway.kube.objects import Meta, Namespace, key_of
from causeway.kube.routes import RouteSpec, RouteTarget
from causeway.rooms.routes.certificates import digest
from causeway.rooms.routes.checking import PATH
from causeway.rooms.routes.gateway.backends import ServiceOf, resolve
from causeway.rooms.routes.gateway.binding import Binding, Bound, bind, nearest, parent_of
from causeway.rooms.routes.gateway.filters import filter_orders, timeout
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.gateway.listeners import Judged, SecretOf, judge
from causeway.rooms.routes.gateway.matching import Candidate, entries
from causeway.rooms.routes.model import MapName, Refusal, Refused
from causeway.rooms.routes.parts import Part, Rule, Table, name_of_rule, name_of_table

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
_LATEST = "9999"  # of a listener that nobody is attached to: who has routes is older


class World(msgspec.Struct, frozen=True):
    """Everything it depends on. ``gateways`` are those of classes of ours."""

    gateways: tuple[Gateway, ...]
    routes: tuple[HTTPRoute, ...]
    namespaces: Mapping[str, Namespace]
    services: ServiceOf
    secrets: SecretOf
    grants: Grants


class Attached(msgspec.Struct, frozen=True):
    """What came of one reference of a route; ``tables`` are the keys of the parts its hosts are in."""

    parent: ParentReference
    accepted: Refusal | None
    resolved: Refusal | None
    tables: tuple[str, ...] = ()


class Derived(msgspec.Struct, frozen=True):
    """Parts by key; listeners by gateway, with how many routes each has; references by route."""

    parts: Mapping[str, Part]
    listeners: Mapping[str, tuple[tuple[Judged, int], ...]]
    attached: Mapping[str, tuple[Attached, ...]]


def derive(world: World) -> Derived:
    """Return what is to be served, and told."""
    return _Deriving(world).derived()


class _Host:
    """All of one host of one namespace, as it is collected."""

    def __init__(self) -> None:
        self.candidates: dict[str, dict[str, list[Candidate]]] = {}  # by scheme and route
        self.schemes: set[str] = set()
        self.pem: dict[str, None] = {}
        self.age = (_LATEST, "")


class _Deriving:
    def __init__(self, world: World) -> None:
        self._world = world
        self._judged = {key_of(each): judge(each, world.secrets, world.grants) for each in world.gateways}
        self._routes_at: dict[tuple[str, str], set[str]] = {}  # by gateway and listener
        self._hosts: dict[tuple[str, str], _Host] = {}  # by namespace of the gateway, and host
        self._parts: dict[str, Part] = {}
        self._narrow: dict[tuple[str, str], set[str]] = {}  # hostnames by namespace and scheme
        for judged in self._judged.values():
            for each in judged:
                if each.serves:
                    namespace = each.gateway.partition("/")[0]
                    self._narrow.setdefault((namespace, each.scheme), set()).add(each.hostname)
                    if each.scheme in "ps":
                        host = self._host(namespace, each.hostname)
                        host.schemes.add(each.scheme)
                        host.pem |= dict.fromkeys(each.pem)

    def derived(self) -> Derived:
        attached = {key_of(route): self._attach(route) for route in self._world.routes}
        crowded: set[str] = set()
        for (namespace, host), collected in self._hosts.items():
            if not host and not collected.candidates:
                continue  # hosts that nobody has are not told that there is nothing
            table, out = _table(namespace, host, collected)
            self._parts[key_of(table)] = table
            crowded |= out
        full = Refusal("UnsupportedValue", "too many matches with conditions share one path of one host")
        attached = {
            key: tuple(
                msgspec.structs.replace(each, accepted=full)
                if each.accepted is None and any(rule.startswith(_rules_of(key)) for rule in crowded)
                else each
                for each in references
            )
            for key, references in attached.items()
            if references
        }
        listeners = {
            key: tuple((each, len(self._routes_at.get((key, each.listener.name), ()))) for each in judged)
            for key, judged in self._judged.items()
        }
        return Derived(self._parts, listeners, attached)

    def _host(self, namespace: str, host: str) -> _Host:
        return self._hosts.setdefault((namespace, host), _Host())

    # routes

    def _attach(self, route: HTTPRoute) -> tuple[Attached, ...]:
        namespace = route.metadata.namespace
        ours = [each for each in route.spec.parent_refs if parent_of(each, namespace) in self._judged]
        if not ours:
            return ()
        resolved: Refusal | None = None
        try:
            rules = [self._rule(route, rule) for rule in route.spec.rules]
        except Refused as error:
            refused = Refusal("UnsupportedValue", str(error))
            return tuple(Attached(each, refused, None) for each in ours)
        resolved = next((wrong for _, wrong in rules if wrong is not None), None)
        named = _numbered([rule for rule, _ in rules])
        found: list[Attached] = []
        for each in ours:
            gateway = parent_of(each, namespace)
            bound = bind(
                Binding(HTTP_ROUTES.kind, namespace, route.spec.hostnames),
                each,
                self._judged[gateway],
                self._world.namespaces,
            )
            if isinstance(bound, Refusal):
                found.append(Attached(each, bound, resolved))
                continue
            found.append(Attached(each, None, resolved, tuple(self._enter(route, named, bound))))
        return tuple(found)

    def _enter(self, route: HTTPRoute, rules: list[Rule], bound: Iterable[Bound]) -> Iterable[str]:
        """Enter the rules of a route for its hosts at listeners; yield the keys of the hosts' tables."""
        for each in bound:
            listener = each.listener
            at = (listener.gateway, listener.listener.name)
            self._routes_at.setdefault(at, set()).add(key_of(route))
            if not listener.serves:
                continue
            namespace = listener.gateway.partition("/")[0]
            for host in each.hosts:
                if nearest(host, self._narrow[namespace, listener.scheme]) != listener.hostname:
                    continue  # a narrower listener has it
                collected = self._host(namespace, host)
                collected.schemes.add(listener.scheme)
                if host.partition(".")[2] != listener.hostname.removeprefix("*."):
                    collected.pem |= dict.fromkeys(listener.pem)  # else shown for the wildcard
                collected.age = min(collected.age, _age(route.metadata))
                candidates = collected.candidates.setdefault(listener.scheme, {})
                candidates[key_of(route)] = list(_candidates(route, rules))
                self._parts |= {key_of(rule): rule for rule in rules}
                yield f"{namespace}/{name_of_table(host)}"

    def _rule(self, route: HTTPRoute, rule: HTTPRule) -> tuple[Rule, Refusal | None]:
        """Return a rule as a part that has no number yet, and what it refers to in vain."""
        for match in rule.matches:
            kinds = [match.path.type, *(each.type for each in (*match.headers, *match.query_params))]
            if "RegularExpression" in kinds:
                raise Refused("matches: regular expressions are not supported")
            if match.method and match.method not in _METHODS:
                raise Refused(f"matches: method {match.method} is not known")
            if not PATH.fullmatch(match.path.value):
                raise Refused(f"matches: {match.path.value!r} is no path that can be had")
        meta = route.metadata
        world = self._world
        backends = resolve(HTTP_ROUTES.kind, meta.namespace, rule.backend_refs, world.services, world.grants)
        orders, wait = filter_orders(rule), timeout(rule)
        # A rule that does something else is another one: until all of it is there, the former has requests.
        whom = sorted(f"{each.service} {each.port}" for each in backends.targets)
        name = name_of_rule(HTTP_ROUTES.kind, meta.name, digest(orders, str(wait), *whom)[:12])
        made = Rule(
            metadata=Meta(name=name, namespace=meta.namespace, uid=f"{meta.uid}/{name}"),
            spec=RouteSpec(to=RouteTarget("")),
            targets=backends.targets,
            orders=orders,
            lost=backends.lost,
            answers=any(each.type == "RequestRedirect" for each in rule.filters),
            timeout=wait,
        )
        return made, backends.wrong


def _numbered(rules: list[Rule]) -> list[Rule]:
    """Return rules with names of their own, also those that do the same with other shares."""
    seen: dict[str, int] = {}
    found: list[Rule] = []
    for each in rules:
        meta = each.metadata
        number = seen[meta.name] = seen.get(meta.name, -1) + 1
        meta = msgspec.structs.replace(meta, name=f"{meta.name}.{number}")
        found.append(msgspec.structs.replace(each, metadata=meta))
    return found


def _candidates(route: HTTPRoute, rules: list[Rule]) -> Iterable[Candidate]:
    created, name = _age(route.metadata)
    for number, (rule, made) in enumerate(zip(route.spec.rules, rules, strict=True)):
        for place, match in enumerate(rule.matches):
            yield Candidate(key_of(made), match, (created, name, number, place))


def _table(namespace: str, host: str, collected: _Host) -> tuple[Table, frozenset[str]]:
    """Return the part that has a host, and the rules there was no room for."""
    place = f"**.{host.removeprefix('*.')}" if host.startswith("*.") else host
    found: list[tuple[MapName, str, str]] = []
    crowded: frozenset[str] = frozenset()
    for scheme in sorted(collected.schemes):
        made = entries(each for some in collected.candidates.get(scheme, {}).values() for each in some)
        found += [("exact", f"{scheme}{place}{path}", value) for path, value in made.exact.items()]
        found += [("prefix", f"{scheme}{place}{path}", value) for path, value in made.prefix.items()]
        crowded |= made.crowded
    created, uid = collected.age
    table = Table(
        metadata=Meta(
            name=name_of_table(host),
            namespace=namespace,
            uid=f"{uid}/{namespace}/{host}",
            creation_timestamp=created,
        ),
        spec=RouteSpec(
            to=RouteTarget(""), host=host, wildcard_policy="Subdomain" if host.startswith("*.") else ""
        ),
        entries=tuple(found),
        certificates=tuple((host, text) for text in collected.pem) if host else (),
    )
    return table, crowded


def _age(meta: Meta) -> tuple[str, str]:
    return meta.creation_timestamp or "", f"{meta.namespace}/{meta.name}"


def _rules_of(route: str) -> str:
    namespace, _, name = route.partition("/")
    return f"{namespace}/{name_of_rule(HTTP_ROUTES.kind, name, '')}"
