"""Which listeners a route attaches to, and for which hosts: pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from causeway.kube.gateways import GATEWAYS, GROUP, ParentReference
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


def parent_of(reference: ParentReference, namespace: str) -> str:
    """Return the key of the gateway a route in ``namespace`` names, "" if it names no gateway."""
    if (reference.group or GROUP, reference.kind or GATEWAYS.kind) != (GROUP, GATEWAYS.kind):
        return ""
    return f"{reference.namespace or namespace}/{reference.name}"


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
        return Refusal(
            "NotAllowedByListeners", f"no listener takes routes of kind {kind} from this namespace"
        )
    found = [Bound(each, tuple(hosts_at(hostnames, each.hostname))) for each in allowed]
    met = tuple(each for each in found if each.hosts)
    if not met:
        return Refusal("NoMatchingListenerHostname", "no hostname is one of the listeners'")
    working = tuple(each for each in met if each.listener.wrong is None)
    return working or Refusal("NoMatchingParent", "the listeners of this name are not accepted")


def hosts_at(hostnames: Iterable[str], listener: str) -> list[str]:
    """Return the hosts of a route that are also a listener's; "" is every host."""
    named = [each.lower() for each in hostnames] or [""]
    return list(dict.fromkeys(host for each in named for host in _both(each, listener)))


def _both(one: str, other: str) -> Iterable[str]:
    if within(one, other):
        yield one
    elif within(other, one):
        yield other


def within(host: str, other: str) -> bool:
    """Return whether all hosts that ``host`` means are among those ``other`` does."""
    if host == other or not other:
        return True
    if not other.startswith("*."):
        return False
    return host.removeprefix("*").endswith(other[1:])


def nearest(host: str, hosts: Iterable[str]) -> str | None:
    """Return of ``hosts`` the narrowest one that ``host`` is within, None if there is none."""
    return max((each for each in hosts if within(host, each)), key=_narrowness, default=None)


def _narrowness(host: str) -> tuple[bool, int]:
    return bool(host) and not host.startswith("*."), len(host)
