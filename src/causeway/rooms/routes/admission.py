"""Who owns a host: pure, and the same whatever order routes are learnt of in.

Routes are looked at from the oldest on (by creation, then UID), and each is accepted unless an accepted one
is in its way. That is where OpenShift's router arrives, too, event by event.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from causeway.kube.objects import key_of
from causeway.kube.routes import Route
from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.parts import Part, Table, called, claim, holder

SUBDOMAIN = "Subdomain"
PLATFORM = "kube-system"
"""The namespace of the platform's own routes."""
_ALLOWING = (
    "spec.router.routeAdmission.wildcardPolicy: WildcardsAllowed in the platform file (for a router by hand: "
    "CAUSEWAY_ROUTER_WILDCARDS=true)"
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LONGEST_LABEL, _LONGEST = 63, 253  # characters of a label, and of a host name


class Rules(NamedTuple):
    """What this router allows; ``suffix`` completes the hosts of routes that name none ("": no host).

    ``reserved`` are hosts of the platform itself: nobody has them but ``kube-system``, however old his route.
    """

    wildcards: bool = False
    suffix: str = ""
    reserved: frozenset[str] = frozenset()


def host_of(route: Route, rules: Rules) -> str:
    """Return the host of a route: its own, its subdomain below the suffix, or ""."""
    spec = route.spec
    if spec.host:
        return spec.host
    return f"{spec.subdomain}.{rules.suffix}" if spec.subdomain and rules.suffix else ""


def generated_host(route: Route, rules: Rules) -> str:
    """Return the host to write into a route that names none; "" if it has one or none can be made."""
    if host_of(route, rules) or not rules.suffix:
        return ""
    return f"{route.metadata.name}-{route.metadata.namespace}.{rules.suffix}"


def domain_of(host: str) -> str:
    """Return what follows the first label of a host."""
    return host.partition(".")[2]


def domains_of(host: str) -> list[str]:
    """Return every domain a host is below, the nearest first."""
    labels = host.split(".")
    return [".".join(labels[number:]) for number in range(1, len(labels))]


def age(route: Route) -> tuple[str, str]:
    """Return the order of seniority, oldest first."""
    return route.metadata.creation_timestamp or "", route.metadata.uid


def is_wildcard(route: Route) -> bool:
    """Return whether a route stands for all hosts beside its own."""
    return route.spec.wildcard_policy == SUBDOMAIN


def is_deep(route: Route) -> bool:
    """Return whether a route stands for all that is below its domain, however far."""
    return isinstance(route, Table) and is_wildcard(route)


def refused_alone(route: Route, rules: Rules) -> Refusal | None:
    """Return why a route cannot claim its host whatever other routes there are."""
    policy, host = route.spec.wildcard_policy, host_of(route, rules)
    if policy not in ("", "None", SUBDOMAIN):
        return Refusal("RouteNotAdmitted", f"unknown wildcard policy {policy}")
    if policy == SUBDOMAIN and not rules.wildcards and not isinstance(route, Table):
        asked, instead = f"wildcardPolicy {SUBDOMAIN}", "leave it out"
        if isinstance(route, Part):  # an Ingress has no such field
            asked, instead = f"host {host}", "name hosts without *"
        return Refusal(
            "RouteNotAdmitted", f"{asked}: wildcards are not allowed: {instead}, or have {_ALLOWING} set"
        )
    if isinstance(route, Part):
        if not host:
            return None
        host = host.removeprefix("*.")
    if not host:
        return _without_host(route, rules)
    if cause := _unfit(host):
        return Refusal("InvalidHost", f"host name validation errors: spec.host {host!r}: {cause}")
    return _without_domain(route, rules) or _reserved(route, rules)


def _without_host(route: Route, rules: Rules) -> Refusal:
    """Return that a route has no host, or that the one to write into it would be refused by the API."""
    cause = _unfit(generated_host(route, rules))
    if not cause:
        return Refusal("NoHostValue", "no host value was defined for the route")
    return Refusal("InvalidHost", f"no host can be made of name and namespace: give spec.host: {cause}")


def _unfit(host: str) -> str:
    """Return what of a host is none of a DNS name; "" if nothing is, or there is no host."""
    for label in host.split(".") if host else ():
        if len(label) > _LONGEST_LABEL:
            return f"{label} has {len(label)} characters, {_LONGEST_LABEL} are possible"
        if not _LABEL.fullmatch(label):
            return f"{label!r} is no label of a DNS name"
    if len(host) > _LONGEST:
        return f"{host} has {len(host)} characters, {_LONGEST} are possible"
    return ""


def _without_domain(route: Route, rules: Rules) -> Refusal | None:
    """Return whether a route stands for all hosts of no domain."""
    host = host_of(route, rules)
    if not is_wildcard(route) or domain_of(host):
        return None
    return Refusal("RouteNotAdmitted", f"a wildcard needs a domain, and {host} is in none: add one")


def _reserved(route: Route, rules: Rules) -> Refusal | None:
    """Return whether a route claims what is the platform's: a host of its own, or all beside or above one."""
    if route.metadata.namespace == PLATFORM:
        return None
    host = host_of(route, rules)
    for own in sorted(rules.reserved):
        domains = domains_of(own) if is_deep(route) else [domain_of(own)]
        if host == own or (is_wildcard(route) and domain_of(host) in domains):
            return _refusal(f"host {own} is the platform's own, and no namespace's")
    return None


def admit(routes: Iterable[Route], rules: Rules) -> Mapping[str, Refusal | None]:
    """Return for each route, by key, why it may not have its host, or None.

    ``routes`` must hold all that share a host with any of them, all of a domain with a wildcard in it, and
    all below the domain of a wildcard that is deep.
    """
    verdicts: dict[str, Refusal | None] = {}
    hosts: dict[str, list[Route]] = {}
    domains: dict[str, list[Route]] = {}  # exact hosts
    wildcards: dict[str, list[Route]] = {}
    deep: dict[str, list[Route]] = {}
    below: dict[str, dict[str, Route]] = {}  # by domain and namespace, the oldest
    for route in sorted(routes, key=age):
        host, key = host_of(route, rules), key_of(route)
        domain = domain_of(host)
        verdict = (
            refused_alone(route, rules)
            or _claimed(route, host, hosts.get(host, ()), wildcards.get(domain, ()), domains.get(domain, ()))
            or _spanned(route, host, deep, below)
        )
        verdicts[key] = verdict
        if verdict is None:
            hosts.setdefault(host, []).append(route)
            (wildcards if is_wildcard(route) else domains).setdefault(domain, []).append(route)
            if is_deep(route):
                deep.setdefault(domain, []).append(route)
            for each in domains_of(host):
                below.setdefault(each, {}).setdefault(route.metadata.namespace, route)
    return verdicts


def _claimed(
    route: Route, host: str, same: Iterable[Route], wildcards: Iterable[Route], exact: Iterable[Route]
) -> Refusal | None:
    """Return what older, accepted routes forbid: those of the same host, and those of its domain."""
    rivals = [*same, *(wildcards if is_wildcard(route) else ())]
    if isinstance(route, Table):
        beside = [*wildcards, *(exact if is_wildcard(route) else ())]
        return _whole_claimed(route, host, rivals, beside)
    if (table := next((each for each in rivals if isinstance(each, Table)), None)) is not None:
        return _refusal(f"{holder(table, route)} holds {host or 'every host'} and is older")
    return (
        _claimed_at_host(route, host, same)
        or _claimed_by_wildcard(route, host, wildcards)
        or _claimed_beside(route, host, exact)
    )


def _claimed_at_host(route: Route, host: str, same: Iterable[Route]) -> Refusal | None:
    """Return what routes of the same host forbid."""
    held, name = host or "every host", called(route).partition(" ")[2]
    for other in same:
        if other.metadata.namespace != route.metadata.namespace:
            return _refusal(f"{holder(other, route)} holds {held} and is older than {name}")
        if claim(other) == claim(route) or _passthrough_beside(other, route):
            return _refusal(f"{called(other)} already exposes {held} and is older")
    return None


def _claimed_by_wildcard(route: Route, host: str, wildcards: Iterable[Route]) -> Refusal | None:
    """Return what wildcards of the host's domain forbid."""
    for other in wildcards:
        if other.metadata.namespace != route.metadata.namespace:
            return _refusal(f"{holder(other, route)} holds host {host}")
        if is_wildcard(route) and claim(other) == claim(route):
            held = f"*.{domain_of(host)}"
            return _refusal(f"wildcard {called(other)} has host {held}, blocking {host}")
    return None


def _claimed_beside(route: Route, host: str, exact: Iterable[Route]) -> Refusal | None:
    """Return what routes of hosts forbid a wildcard that would stand for them."""
    other = _foreign(route, exact) if is_wildcard(route) else None
    return _refusal(f"{holder(other, route)} holds host {host}") if other is not None else None


def _whole_claimed(
    table: Table, host: str, rivals: Sequence[Route], beside: Iterable[Route]
) -> Refusal | None:
    """Return what forbids a table: whoever has any of its host, for it has the whole.

    So does another namespace ``beside`` it: a wildcard has what the hosts below it leave out.
    """
    if rivals:
        return _refusal(f"{holder(rivals[0], table)} holds {host or 'every host'} and is older")
    other = _foreign(table, beside)
    return _refusal(f"{holder(other, table)} holds host {host}") if other is not None else None


def _spanned(
    route: Route, host: str, deep: Mapping[str, Sequence[Route]], below: Mapping[str, Mapping[str, Route]]
) -> Refusal | None:
    """Return what forbids a host far below another namespace's wildcard, or such a wildcard above hosts."""
    other = _foreign(route, [each for domain in domains_of(host) for each in deep.get(domain, ())])
    if other is not None:
        return _refusal(f"{holder(other, route)} holds {other.spec.host}, and so host {host}")
    other = _foreign(route, below.get(domain_of(host), {}).values()) if is_deep(route) else None
    return _refusal(f"{holder(other, route)} holds a host of {host}") if other is not None else None


def _foreign(route: Route, others: Iterable[Route]) -> Route | None:
    """Return the first that is of another namespace."""
    return next((each for each in others if each.metadata.namespace != route.metadata.namespace), None)


def _passthrough_beside(one: Route, other: Route) -> bool:
    """Return whether two routes of a host cannot be told apart: of a passed-through one no path is seen."""
    if one.spec.tls is None or other.spec.tls is None:
        return False
    return "passthrough" in (one.spec.tls.termination, other.spec.tls.termination)


def _refusal(message: str) -> Refusal:
    return Refusal("HostAlreadyClaimed", message)
