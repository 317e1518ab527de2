"""What each Octavia provider can do, asked before a plan is made instead of learnt from a refusal.

Pure data. Sources: Octavia's provider feature matrix, and what the OVN provider (8.0) accepted and refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """The abilities of one provider; names of protocols and algorithms are those of Octavia's API."""

    name: str
    algorithms: tuple[str, ...]  # the first is the one to use by default
    listener_protocols: frozenset[str]
    health_monitors: frozenset[str]
    persistence: frozenset[str]
    allowed_cidrs: bool  # a listener can refuse by source range
    keeps_source: bool  # members see the client's address, so that security groups can refuse by it
    layer_7: bool  # HTTP policies, TLS termination
    own_servers: bool  # runs servers of its own, counted against nobody but slow to come


_AMPHORA_PROTOCOLS = frozenset(
    {"TCP", "UDP", "SCTP", "HTTP", "HTTPS", "TERMINATED_HTTPS", "PROMETHEUS"},
)

OVN = Provider(
    name="ovn",
    algorithms=("SOURCE_IP_PORT",),
    listener_protocols=frozenset({"TCP", "UDP", "SCTP"}),
    health_monitors=frozenset({"TCP", "UDP-CONNECT"}),
    persistence=frozenset({"SOURCE_IP"}),
    allowed_cidrs=False,
    keeps_source=True,
    layer_7=False,
    own_servers=False,
)
AMPHORA = Provider(
    name="amphora",
    algorithms=("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP"),
    listener_protocols=_AMPHORA_PROTOCOLS,
    health_monitors=frozenset({"HTTP", "HTTPS", "PING", "TCP", "TLS-HELLO", "UDP-CONNECT", "SCTP"}),
    persistence=frozenset({"SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"}),
    allowed_cidrs=True,
    keeps_source=False,
    layer_7=True,
    own_servers=True,
)

# In the order of preference: OVN's load balancers cost nothing and are there at once.
PROVIDERS = {"ovn": OVN, "amphora": AMPHORA, "octavia": AMPHORA}  # octavia: amphora's name of old


def known(name: str) -> Provider | None:
    """Return the abilities of a provider, None when nothing is known of it."""
    return PROVIDERS.get(name)


def preferred(enabled: Iterable[str]) -> str | None:
    """Return the name of the best provider we know among the enabled ones."""
    names = set(enabled)
    return next((name for name in PROVIDERS if name in names), None)
