"""All of Gateway API that is ours, at once, as parts and as what statuses are to say. Pure.

All Gateways share the router's address and ports: a listener is told from others by its hostname, and among
those of one namespace the narrowest for a host has it, whichever Gateway it stands in.
"""

from collections.abc import Iterable, Mapping

import msgspec

from causeway.kube.gateways import AnyRoute, Gateway, ParentReference
from causeway.kube.objects import Meta, Namespace, key_of
from causeway.kube.routes import RouteSpec, RouteTarget
from causeway.rooms.routes.gateway.backends import ServiceOf
from causeway.rooms.routes.gateway.binding import Binding, Bound, bind, nearest, parent_of
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.gateway.listeners import Judged, SecretOf, judge
from causeway.rooms.routes.gateway.matching import Candidate, entries
from causeway.rooms.routes.gateway.rules import Made, is_of, kind_of, named, rules_of
from causeway.rooms.routes.model import MapName, Refusal, Refused
from causeway.rooms.routes.parts import Part, Table, name_of_table

_LATEST = "9999"  # of a listener that nobody is attached to: who has routes is older


class World(msgspec.Struct, frozen=True):
    """Everything it depends on. ``gateways`` are those of classes of ours."""

    gateways: tuple[Gateway, ...]
    routes: tuple[AnyRoute, ...]
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
    """Parts by key; listeners by gateway, with how many routes each has; references by route's ``named``."""

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
        attached = {named(route): self._attach(route) for route in self._world.routes}
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
                if each.accepted is None and any(is_of(rule, key) for rule in crowded)
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

    def _attach(self, route: AnyRoute) -> tuple[Attached, ...]:
        namespace = route.metadata.namespace
        ours = [each for each in route.spec.parent_refs if parent_of(each, namespace) in self._judged]
        if not ours:
            return ()
        try:
            rules, resolved = rules_of(route, self._world.services, self._world.grants)
        except Refused as error:
            refused = Refusal("UnsupportedValue", str(error))
            return tuple(Attached(each, refused, None) for each in ours)
        found: list[Attached] = []
        for each in ours:
            gateway = parent_of(each, namespace)
            bound = bind(
                Binding(kind_of(route), namespace, route.spec.hostnames),
                each,
                self._judged[gateway],
                self._world.namespaces,
            )
            if isinstance(bound, Refusal):
                found.append(Attached(each, bound, resolved))
                continue
            found.append(Attached(each, None, resolved, tuple(self._enter(route, rules, bound))))
        return tuple(found)

    def _enter(self, route: AnyRoute, rules: Made, bound: Iterable[Bound]) -> Iterable[str]:
        """Enter the rules of a route for its hosts at listeners; yield the keys of the hosts' tables."""
        for each in bound:
            listener = each.listener
            at = (listener.gateway, listener.listener.name)
            self._routes_at.setdefault(at, set()).add(named(route))
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
                candidates[named(route)] = list(_candidates(route, rules))
                self._parts |= {key_of(made): made for _, made in rules}
                yield f"{namespace}/{name_of_table(host)}"


def _candidates(route: AnyRoute, rules: Made) -> Iterable[Candidate]:
    created, name = _age(route.metadata)
    for number, (matches, made) in enumerate(rules):
        for place, match in enumerate(matches):
            yield Candidate(key_of(made), match, (created, name, number, place))


def _table(namespace: str, host: str, collected: _Host) -> tuple[Table, frozenset[str]]:
    """Return the part that has a host, and the rules there was no room for."""
    place = f"**.{host.removeprefix('*.')}" if host.startswith("*.") else host
    found: list[tuple[MapName, str, str]] = []
    crowded: frozenset[str] = frozenset()
    for scheme in sorted(collected.schemes):
        candidates = [each for some in collected.candidates.get(scheme, {}).values() for each in some]
        if scheme == "t":
            by_name: MapName = "passthrough-wildcard" if host.startswith("*.") else "passthrough"
            found.append((by_name, place, f"@{min(candidates, key=lambda each: each.age).rule}"))
            continue
        made = entries(candidates)
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
