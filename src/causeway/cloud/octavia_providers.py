"""What each Octavia provider can do, asked before a plan is made instead of learnt from a refusal.

Pure data. Sources: Octavia's provider feature matrix, and what the OVN provider (8.0) accepted, refused and
silently left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Ability(StrEnum):
    """Something only some providers can do, in the words a refusal uses."""

    CONNECTION_LIMIT = "limits of connections"
    TIME_LIMITS = "time limits of a listener"
    PROXY_PROTOCOL = "the PROXY protocol"
    FORWARDED_FOR = "HTTP headers with the client's address"
    TLS = "termination of TLS"
    SOURCE_RANGES = "source ranges"
    FLAVOR = "flavors"
    ZONE = "availability zones"


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
    abilities: frozenset[Ability]
    updates: bool  # pools and health monitors may be changed; else they are made anew
    tells_early: bool  # says ACTIVE of a load balancer while its listeners and members are still to come

    def can(self, ability: Ability) -> bool:
        """Return whether the provider does this; what it accepts without doing it counts as no."""
        return ability in self.abilities


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
    abilities=frozenset(),
    updates=False,
    tells_early=True,
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
    abilities=frozenset(Ability),
    updates=True,
    tells_early=False,
)

# In the order of preference: OVN's load balancers cost nothing and are there at once.
PROVIDERS = {"ovn": OVN, "amphora": AMPHORA, "octavia": AMPHORA}  # octavia: amphora's name of old


def known(name: str) -> Provider | None:
    """Return the abilities of a provider, None when nothing is known of it."""
    return PROVIDERS.get(name)


def able(ability: Ability) -> tuple[str, ...]:
    """Return the names of the providers that can do something, for whoever was refused it."""
    return tuple(dict.fromkeys(one.name for one in PROVIDERS.values() if one.can(ability)))


def offering(protocol: str) -> tuple[str, ...]:
    """Return the names of the providers that have listeners of ``protocol``."""
    return tuple(dict.fromkeys(one.name for one in PROVIDERS.values() if protocol in one.listener_protocols))


def balancing_by(algorithm: str) -> tuple[str, ...]:
    """Return the names of the providers that have an algorithm."""
    return tuple(dict.fromkeys(one.name for one in PROVIDERS.values() if algorithm in one.algorithms))


def preferred(enabled: Iterable[str]) -> str | None:
    """Return the name of the best provider we know among the enabled ones."""
    names = set(enabled)
    return next((name for name in PROVIDERS if name in names), None)
