"""A part of an Ingress, one path of one host, as a route: what admits and compiles routes takes it as one."""

from typing import Literal

from causeway.kube.ingresses import INGRESSES
from causeway.kube.routes import ROUTES, Route

Match = Literal["prefix", "exact", "default"]
"""Which requests: to the path and below it, to the path alone, or those that nobody else of the host has."""

_MARK = "ingress:"  # no name of an object has a colon


class Part(Route, gc=False, frozen=True, kw_only=True):
    """A route that stands in no API. Its host may be "" (every host), or begin with ``*.``.

    ``rewrite`` is a value of HAProxy's map of that name. ``wrong`` says why requests are not to be served,
    though the host is held.
    """

    match: Match = "prefix"
    rewrite: str = ""
    wrong: str = ""


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


def called(route: Route) -> str:
    """Return what people call a route: its kind and the name of its object."""
    name = route.metadata.name
    if isinstance(route, Part):
        return f"{INGRESSES.kind} {name.split(':')[1]}"
    return f"{ROUTES.kind.lower()} {name}"
