"""Parts of objects that are no Routes, as routes: what admits and compiles routes takes them as such.

Of an Ingress that is one path of one host (``Part``). Of Gateway API a rule of a route is a part that claims
nothing (``Rule``); what leads to rules is another, all of one host together (``Table``).
"""

from typing import Literal

import msgspec

from causeway.kube.gateways import GATEWAYS
from causeway.kube.ingresses import INGRESSES
from causeway.kube.routes import ROUTES, Route
from causeway.rooms.routes.model import MapName

Match = Literal["prefix", "exact", "default"]
"""Which requests: to the path and below it, to the path alone, or those that nobody else of the host has."""

_MARK = "ingress:"  # no name of an object has a colon
_TABLE = "gateway:"
_EVERY_HOST = "every-host"


class Part(Route, gc=False, frozen=True, kw_only=True):
    """A route that stands in no API. Its host may be "" (every host), or begin with ``*.``.

    ``rewrite`` is a value of HAProxy's map of that name. ``wrong`` says why requests are not to be served,
    though the host is held.
    """

    match: Match = "prefix"
    rewrite: str = ""
    wrong: str = ""


class Barred(Route, gc=False, frozen=True, kw_only=True):
    """A Route that holds its host and is not served, for what is ``wrong`` with the certificate it names."""

    wrong: str


class Target(msgspec.Struct, frozen=True):
    """A service's key, the name of the port of its endpoints (None for the only one), and its share."""

    service: str
    port: str | None
    weight: int = 1


class Rule(Part, gc=False, frozen=True, kw_only=True):
    """Who answers, and how: ``orders`` are for HAProxy's ``filter``, ``timeout`` is milliseconds, 0 for none.

    ``lost`` is the share of requests whose backend cannot be had, of the sum of all shares. ``passthrough``
    rules have connections instead of requests.
    """

    targets: tuple[Target, ...] = ()
    orders: str = ""
    lost: int = 0
    answers: bool = False
    timeout: int = 0
    passthrough: bool = False


class Table(Part, gc=False, frozen=True, kw_only=True):
    """All of a host: entries of routing maps, and (host, PEM text) of certificates.

    ``kind`` is that of its oldest object, a Gateway as long as no route is attached. ``strangers`` says that
    routes of other namespaces than its own are among them.
    """

    entries: tuple[tuple[MapName, str, str], ...] = ()
    certificates: tuple[tuple[str, str], ...] = ()
    kind: str = GATEWAYS.kind
    strangers: bool = False


class Opening(Part, gc=False, frozen=True, kw_only=True):
    """What connections to one of the further ports (``port``) are: ``leads`` is a value of HAProxy's map.

    It claims nothing: whose a port is has been decided among Gateways.
    """

    port: int
    leads: str


def claim(route: Route) -> tuple[str, Match]:
    """Return the path of a route, and how it is meant: no two have the same on one host."""
    return route.spec.path, route.match if isinstance(route, Part) else "prefix"


def name_of(ingress: str, digest: str) -> str:
    """Return the name of the part of an Ingress (its name) that ``digest`` tells from its others."""
    return f"{_MARK}{ingress}:{digest}"


def ingress_of(key: str) -> str:
    """Return the key of the Ingress that the key of a route is a part of, "" if it is of none."""
    namespace, _, name = key.partition("/")
    return f"{namespace}/{name.split(':')[1]}" if name.startswith(_MARK) else ""


def name_of_rule(kind: str, name: str, digest: str) -> str:
    """Return the name of a rule of a route of Gateway API."""
    return f"{kind.lower()}:{name}:{digest}"


def name_of_table(host: str) -> str:
    """Return the name of the part that has a host."""
    return f"{_TABLE}{host or _EVERY_HOST}"


def host_of_table(key: str) -> str:
    """Return the host of the part that has one, by its key; "" for every host."""
    host = key.partition("/")[2].removeprefix(_TABLE)
    return "" if host == _EVERY_HOST else host


def name_of_opening(port: int) -> str:
    """Return the name of the part that has a port."""
    return f"port:{port}"


def of_gateways(key: str) -> bool:
    """Return whether a key is of a part of Gateway API."""
    _, _, name = key.partition("/")
    return ":" in name and not name.startswith(_MARK)


def called(route: Route) -> str:
    """Return what people in its namespace call a route: its kind and the name of its object.

    A table is of many objects: the oldest is told by its kind.
    """
    name = route.metadata.name
    if isinstance(route, Table):
        return f"{_some(route)} in this namespace"
    if isinstance(route, Part):
        return f"{INGRESSES.kind} {name.split(':')[1]}"
    return f"{ROUTES.kind.lower()} {name}"


def holder(other: Route, route: Route) -> str:
    """Return what those are told who ask for ``route``, and ``other`` has its host: never a foreign name.

    Routes of Gateway API may be in other namespaces than their Gateway, whose namespace counts.
    """
    some = _some(other)
    if other.metadata.namespace == route.metadata.namespace:
        strangers = isinstance(route, Table) and route.strangers
        return f"{some} in the Gateway's namespace" if strangers else called(other)
    than = " than the Gateway's" if isinstance(route, Table) and not isinstance(other, Table) else ""
    return f"{some} in another namespace{than}"


def _some(route: Route) -> str:
    """Return the kind of a route's object, with its article."""
    kind = INGRESSES.kind if isinstance(route, Part) else ROUTES.kind
    if isinstance(route, Table):
        kind = route.kind if route.kind == GATEWAYS.kind else f"{route.kind} of a {GATEWAYS.kind}"
    return f"{'an' if kind[0] in 'HI' else 'a'} {kind}"  # an HTTPRoute, an Ingress
