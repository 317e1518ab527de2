"""All of Gateway API that is ours, at once, as parts and as what statuses are to say. Pure.

All Gateways share the router's address and ports: a listener is told from others by its hostname, and among
those of one namespace the narrowest for a host has it, whichever Gateway it stands in.
"""

from collections.abc import Iterable, Mapping

import msgspec

from causeway.kube.attaching import parent_of
from causeway.kube.gateways import GATEWAYS, AnyRoute, Gateway, ParentReference, TCPRoute
from causeway.kube.objects import Meta, Namespace, key_of
from causeway.kube.routes import RouteSpec, RouteTarget
from causeway.rooms.routes.gateway.backends import ServiceOf
from causeway.rooms.routes.gateway.binding import Binding, Bound, bind, nearest
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.gateway.listeners import Judged, Offered, SecretOf, judge, taken
from causeway.rooms.routes.gateway.matching import Candidate, entries
from causeway.rooms.routes.gateway.rules import Made, is_of, kind_of, named, rules_of
from causeway.rooms.routes.model import MapName, Refusal, Refused, stumbled
from causeway.rooms.routes.parts import Opening, Part, Table, name_of_opening, name_of_table

_FULL = "too many matches with conditions share one path of one host"
_LATEST = "9999"  # of a listener that nobody is attached to: who has routes is older


class World(msgspec.Struct, frozen=True):
    """Everything it depends on. ``gateways`` are those of classes of ours."""

    gateways: tuple[Gateway, ...]
    routes: tuple[AnyRoute, ...]
    namespaces: Mapping[str, Namespace]
    services: ServiceOf
    secrets: SecretOf
    grants: Grants
    offered: Offered = Offered()


class Attached(msgspec.Struct, frozen=True):
    """What came of one reference of a route; ``tables`` are the keys of the parts its hosts are in."""

    parent: ParentReference
    accepted: Refusal | None
    resolved: Refusal | None
    tables: tuple[str, ...] = ()


class Derived(msgspec.Struct, frozen=True):
    """Parts by key; listeners by gateway, with how many routes each has; references by route's ``named``.

    ``defects`` are what failed in reading an object, by the name of it. It is refused, the others are not.
    """

    parts: Mapping[str, Part]
    listeners: Mapping[str, tuple[tuple[Judged, int], ...]]
    attached: Mapping[str, tuple[Attached, ...]]
    defects: Mapping[str, Exception] = {}


def derive(world: World) -> Derived:
    """Return what is to be served, and told."""
    return _Deriving(world).derived()


class _Host:
    """All of one host of one namespace, as it is collected."""

    def __init__(self) -> None:
        self.candidates: dict[tuple[str, str], dict[str, list[Candidate]]] = {}  # by entrance, route
        self.schemes: set[tuple[str, str]] = set()  # entrances: scheme and port
        self.pem: dict[str, None] = {}
        self.age = (_LATEST, "")
        self.kind = GATEWAYS.kind  # of the oldest
        self.strangers = False

    def attach(self, route: AnyRoute, namespace: str) -> None:
        """Take in that a route is attached, at a Gateway in ``namespace``."""
        self.strangers = self.strangers or route.metadata.namespace != namespace
        if (age := _age(route.metadata)) < self.age:
            self.age, self.kind = age, kind_of(route)


class _Deriving:
    def __init__(self, world: World) -> None:
        self._world = world
        self._defects: dict[str, Exception] = {}
        self._judged = self._judge()
        self._routes_at: dict[tuple[str, str], set[str]] = {}  # by gateway and listener
        self._hosts: dict[tuple[str, str], _Host] = {}  # by namespace of the gateway, and host
        self._parts: dict[str, Part] = {}
        self._connections: dict[tuple[str, int], list[tuple[tuple[str, str], str]]] = {}  # ages, rules
        self._narrow: dict[tuple[str, str, str], set[str]] = {}  # hostnames by namespace, scheme and port
        for judged in self._judged.values():
            for each in judged:
                if each.serves:
                    self._open(each)
        for judged in self._judged.values():
            for each in judged:
                for name in each.named if each.serves else ():
                    if self._is_nearest(name, each):
                        self._collect(name, each)

    def _judge(self) -> dict[str, tuple[Judged, ...]]:
        """Judge all listeners, the gateways from the oldest on: of two that cannot share a port it has it."""
        world, found = self._world, dict[str, tuple[Judged, ...]]()
        ports: dict[int, Judged] = {}
        for gateway in sorted(world.gateways, key=lambda each: _age(each.metadata)):
            judged = self._judge_one(gateway)
            for number, each in enumerate(judged):
                if each.wrong is None and not each.idle and each.further:
                    before = ports.setdefault(each.listener.port, each)
                    wrong = taken(each, before) if before.gateway != each.gateway else None
                    judged[number] = msgspec.structs.replace(each, wrong=wrong)
            found[key_of(gateway)] = tuple(judged)
        return found

    def _judge_one(self, gateway: Gateway) -> list[Judged]:
        key, world = key_of(gateway), self._world
        try:
            return judge(gateway, world.secrets, world.grants, world.offered)
        except Exception as error:
            self._defects[f"{GATEWAYS.kind} {key}"] = error
            wrong = Refusal("UnsupportedValue", stumbled(error))
            return [Judged(gateway=key, listener=each, wrong=wrong) for each in gateway.spec.listeners]

    def _open(self, listener: Judged) -> None:
        """Enter what is there of a listener without any route."""
        namespace = listener.gateway.partition("/")[0]
        self._narrow.setdefault((namespace, listener.scheme, listener.place), set()).add(listener.hostname)
        if listener.scheme in ("p", "s"):
            self._collect(listener.hostname, listener)
        if listener.further and listener.leads != "tcp":
            self._lead(namespace, listener.listener.port, listener.leads)

    def _is_nearest(self, host: str, listener: Judged) -> bool:
        """Return whether no narrower listener has a host."""
        namespace = listener.gateway.partition("/")[0]
        return nearest(host, self._narrow[namespace, listener.scheme, listener.place]) == listener.hostname

    def _collect(self, host: str, listener: Judged) -> _Host:
        """Return what is collected of a host at a listener."""
        collected = self._hosts.setdefault((listener.gateway.partition("/")[0], host), _Host())
        collected.schemes.add((listener.scheme, listener.place))
        collected.pem |= listener.shown(host)  # also below a wildcard, which another namespace may have
        return collected

    def _lead(self, namespace: str, port: int, leads: str) -> None:
        meta = Meta(name=name_of_opening(port), namespace=namespace, uid=f"port/{port}")
        made = Opening(metadata=meta, spec=RouteSpec(to=RouteTarget("")), port=port, leads=leads)
        self._parts[key_of(made)] = made

    def derived(self) -> Derived:
        attached = {named(route): self._attach(route) for route in self._world.routes}
        for (namespace, port), rules in self._connections.items():
            self._lead(namespace, port, f"@{min(rules)[1]}")
        crowded: set[str] = set()
        broken: dict[str, Refusal] = {}  # by table
        for (namespace, host), collected in self._hosts.items():
            try:
                table, out = _table(namespace, host, collected)
            except Exception as error:
                place = f"{namespace}/{name_of_table(host)}"
                self._defects[place] = error
                broken[place] = Refusal("UnsupportedValue", stumbled(error))
                continue
            self._parts[key_of(table)] = table
            crowded |= out

        def told(key: str, each: Attached) -> Attached:
            wrong = next((broken[table] for table in each.tables if table in broken), None)
            if any(is_of(rule, key) for rule in crowded):
                wrong = Refusal("UnsupportedValue", _FULL)
            return msgspec.structs.replace(each, accepted=each.accepted or wrong)

        attached = {
            key: tuple(told(key, each) for each in references)
            for key, references in attached.items()
            if references
        }
        listeners = {
            key: tuple((each, len(self._routes_at.get((key, each.listener.name), ()))) for each in judged)
            for key, judged in self._judged.items()
        }
        return Derived(self._parts, listeners, attached, self._defects)

    # routes

    def _attach(self, route: AnyRoute) -> tuple[Attached, ...]:
        namespace = route.metadata.namespace
        ours = [each for each in route.spec.parent_refs if parent_of(each, namespace) in self._judged]
        if not ours:
            return ()
        try:
            return self._attach_to(ours, route)
        except Refused as error:
            refused = Refusal("UnsupportedValue", str(error))
        except Exception as error:
            self._defects[named(route)] = error
            refused = Refusal("UnsupportedValue", stumbled(error))
        return tuple(Attached(each, refused, None) for each in ours)

    def _attach_to(self, ours: Iterable[ParentReference], route: AnyRoute) -> tuple[Attached, ...]:
        namespace = route.metadata.namespace
        rules, resolved = rules_of(route, self._world.services, self._world.grants)
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
            self._parts |= {key_of(made): made for _, made in rules}
            if isinstance(route, TCPRoute):  # which has one rule
                at_port = self._connections.setdefault((namespace, listener.listener.port), [])
                at_port += [(_age(route.metadata), key_of(made)) for _, made in rules]
                continue
            entrance = (listener.scheme, listener.place)
            for host in (*each.hosts, *(listener.named if "" in each.hosts else ())):
                if not self._is_nearest(host, listener):
                    continue
                collected = self._collect(host, listener)
                collected.attach(route, namespace)
                candidates = collected.candidates.setdefault(entrance, {})
                candidates[named(route)] = list(_candidates(route, rules))
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
    for entrance in sorted(collected.schemes):
        candidates = [each for some in collected.candidates.get(entrance, {}).values() for each in some]
        scheme, port = entrance
        if scheme == "t":
            by_name: MapName = "passthrough-wildcard" if host.startswith("*.") else "passthrough"
            found.append((by_name, f"{port}{place}", f"@{min(candidates, key=lambda each: each.age).rule}"))
            continue
        made = entries(candidates)
        found += [("exact", f"{scheme}{port}{place}{path}", value) for path, value in made.exact.items()]
        found += [("prefix", f"{scheme}{port}{place}{path}", value) for path, value in made.prefix.items()]
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
        kind=collected.kind,
        strangers=collected.strangers,
    )
    return table, crowded


def _age(meta: Meta) -> tuple[str, str]:
    return meta.creation_timestamp or "", f"{meta.namespace}/{meta.name}"
