"""What the cloud has for a Service, in the room's own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from causeway.rooms.services.model import (
    Front,
    ListenerOptions,
    Member,
    Monitor,
    PoolOptions,
    Role,
    Vip,
)


@dataclass(frozen=True)
class Pool:
    """A pool the cloud has; ``broken``: it or one of its parts ended in ERROR."""

    id: str
    options: PoolOptions
    members: frozenset[Member] = frozenset()
    monitor_id: str = ""
    monitor: Monitor | None = None
    broken: bool = False


@dataclass(frozen=True)
class Listener:
    """A listener the cloud has; ``uid``: the Service it was made for, "" if its tags do not say."""

    id: str
    front: Front
    options: ListenerOptions
    uid: str = ""
    pool: Pool | None = None
    broken: bool = False


@dataclass(frozen=True)
class Balancer:
    """A load balancer the cloud has for a Service.

    ``busy``: Octavia works on it, nothing can be changed; ``stray_pools`` hang below no listener; ``owners``
    are the Services that share it; ``ours``: this cluster made it, ``alien``: another did; ``share``: the
    name it is shared by.
    """

    id: str
    vip: Vip
    name: str = ""
    role: Role = Role.INSIDE
    provider: str = ""
    flavor: str = ""
    zone: str = ""
    share: str = ""
    owners: frozenset[str] = frozenset()
    ours: bool = True
    alien: bool = False
    busy: bool = False
    broken: bool = False
    created_at: str = ""
    listeners: tuple[Listener, ...] = ()
    stray_pools: tuple[str, ...] = ()

    def holds(self, uid: str) -> bool:
        """Return whether anything in it is there for the Service ``uid``."""
        return uid in self.owners or any(listener.uid == uid for listener in self.listeners)


@dataclass(frozen=True)
class Address:
    """A floating IP; ``borrowed``: it was there before the Service and stays after it."""

    id: str
    ip: str
    network_id: str = ""
    port_id: str | None = None
    tagged: bool = True
    borrowed: bool = False


@dataclass(frozen=True)
class Verdict:
    """The condition ``CONDITION`` of a Service: whether it is served as asked, and why not."""

    ready: bool
    reason: str
    message: str


@dataclass(frozen=True)
class Actual:
    """Everything there is for a Service, and what the Service itself says.

    ``others`` are floating IPs that are not the Service's but matter to it: the one its user chose, and those
    on the VIPs of its load balancers. ``subnets`` are those a floating IP may come from (id, range), None
    when any will do.
    """

    balancers: tuple[Balancer, ...] = ()
    addresses: tuple[Address, ...] = ()
    others: tuple[Address, ...] = ()
    subnets: tuple[tuple[str, str], ...] | None = None
    finalizer: bool = False
    ingress: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None
