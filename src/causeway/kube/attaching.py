"""Where routes of Gateway API attach: what their references and a listener's words mean. Pure.

The router and whoever publishes names decide by the same words. The semantics are those of
``gateway.networking.k8s.io/v1``.
"""

from collections.abc import Iterable, Mapping

from causeway.kube.gateways import GATEWAYS, GROUP, AllowedRoutes, ParentReference
from causeway.kube.policies import matches

KINDS = {"HTTP": "HTTPRoute", "HTTPS": "HTTPRoute", "TLS": "TLSRoute", "TCP": "TCPRoute"}
"""The kind of routes that a listener may take, by its protocol."""


def parent_of(reference: ParentReference, namespace: str) -> str:
    """Return the key of the gateway a route in ``namespace`` names, "" if it names no gateway."""
    if (reference.group or GROUP, reference.kind or GATEWAYS.kind) != (GROUP, GATEWAYS.kind):
        return ""
    return f"{reference.namespace or namespace}/{reference.name}"


def lets_in(
    allowed: AllowedRoutes, gateway_namespace: str, namespace: str, labels: Mapping[str, str] | None
) -> bool:
    """Return whether routes of a namespace may attach; ``labels`` are its labels, None if there is none."""
    words = allowed.namespaces
    if words.origin == "All":
        return True
    if words.origin == "Same":
        return namespace == gateway_namespace
    if words.origin != "Selector" or words.selector is None or labels is None:
        return False
    return matches(words.selector, labels)


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
