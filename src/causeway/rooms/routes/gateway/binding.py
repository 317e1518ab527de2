"""Which listeners a route attaches to, and for which hosts: pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from causeway.kube.attaching import KINDS, hosts_at, within
from causeway.kube.gateways import ParentReference
from causeway.kube.objects import Namespace
from causeway.rooms.routes.gateway.listeners import Judged
from causeway.rooms.routes.model import Refusal


class Bound(msgspec.Struct, frozen=True):
    """A listener a route is attached to, and the hosts it has there."""

    listener: Judged
    hosts: tuple[str, ...]


class Binding(NamedTuple):
    """What of a route decides where it attaches."""

    kind: str
    namespace: str
    hostnames: Sequence[str]


def bind(
    route: Binding,
    reference: ParentReference,
    listeners: Iterable[Judged],
    namespaces: Mapping[str, Namespace],
) -> tuple[Bound, ...] | Refusal:
    """Return the listeners of a gateway a route attaches to by a reference, or why it does to none."""
    kind, namespace, hostnames = route
    named = [
        each
        for each in listeners
        if reference.section_name in (None, each.listener.name)
        and reference.port in (None, each.listener.port)
    ]
    if not named:
        return Refusal("NoMatchingParent", "the gateway has no listener of this name and port")
    allowed = [each for each in named if each.takes(kind, namespace, namespaces)]
    if not allowed:
        return Refusal("NotAllowedByListeners", _barred(kind, namespace, named))
    found = [Bound(each, tuple(hosts_at(hostnames, each.hostname))) for each in allowed]
    met = tuple(each for each in found if each.hosts)
    if not met:
        return Refusal("NoMatchingListenerHostname", "no hostname is one of the listeners'")
    working = tuple(each for each in met if each.listener.wrong is None)
    return working or Refusal("NoMatchingParent", "the listeners of this name are not accepted")


def _barred(kind: str, namespace: str, listeners: Iterable[Judged]) -> str:
    """Return which of a listener's words keep a route out, of all listeners that it means."""
    protocols = [protocol for protocol, its in KINDS.items() if its == kind]
    able = [each for each in listeners if each.listener.protocol in protocols]
    if not able:
        return (
            f"no listener of this name and port is for {kind}s: add one of protocol {' or '.join(protocols)}"
        )
    if any(kind in each.kinds for each in able):
        return (
            f"no listener lets in routes of namespace {namespace}: its allowedRoutes.namespaces would have "
            "to, by from: All, or a Selector that the labels of the namespace meet"
        )
    # Only what a listener says itself: who else has its port is not for everybody to know.
    wrong = next(
        (each.wrong for each in able if each.wrong and each.wrong.reason == "UnsupportedValue"), None
    )
    if wrong is not None:
        return f"the listeners for {kind}s are not accepted: {wrong.message}"
    return f"no listener takes routes of kind {kind}: its allowedRoutes.kinds would have to name it"


def nearest(host: str, hosts: Iterable[str]) -> str | None:
    """Return of ``hosts`` the narrowest one that ``host`` is within, None if there is none."""
    return max((each for each in hosts if within(host, each)), key=_narrowness, default=None)


def _narrowness(host: str) -> tuple[bool, int]:
    return bool(host) and not host.startswith("*."), len(host)
