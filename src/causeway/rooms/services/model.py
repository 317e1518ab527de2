"""What the room speaks of: the desired load balancer, what the cloud has, and the steps in between."""

import re
from dataclasses import dataclass, field

from causeway.cloud.octavia_providers import Provider

KIND = "service"
"""The ``causeway-kind`` of everything this room creates."""

FINALIZER = "causeway.dev/load-balancer"
CONDITION = "causeway.dev/Ready"


@dataclass(frozen=True)
class Place:
    """A subnet addresses may lie in."""

    cidr: str
    subnet_id: str


@dataclass(frozen=True)
class Setting:
    """What the room has to know of its platform; ``places`` are where members live, the default first."""

    cluster: str
    service_subnet_id: str
    external_network_id: str
    provider: Provider
    places: tuple[Place, ...]


@dataclass(frozen=True, order=True)
class Member:
    """Where traffic goes: an address and a port (1-65535)."""

    address: str
    port: int


@dataclass(frozen=True, order=True)
class Front:
    """What a client connects to: a protocol (TCP, UDP, SCTP) and a port."""

    protocol: str
    port: int


@dataclass(frozen=True)
class Backend:
    """Where a front's traffic goes; ``sticky``: a client's address stays with one member."""

    sticky: bool = False
    members: frozenset[Member] = frozenset()


@dataclass(frozen=True)
class Note:
    """Something of the Service that cannot be had, for its user: ``reason`` is one CamelCase word."""

    reason: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Desired:
    """The load balancer a Service asks for; ``vip`` None: it asks for none."""

    service: str  # namespace/name
    uid: str
    vip: str | None = None
    listeners: dict[Front, Backend] = field(default_factory=dict)
    floating: bool = False
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Pool:
    """A pool the cloud has; ``broken``: it or one of its members ended in ERROR."""

    id: str
    backend: Backend
    broken: bool = False


@dataclass(frozen=True)
class Listener:
    """A listener the cloud has; ``front`` is None when its name does not say (not made by us)."""

    id: str
    front: Front | None
    pool: Pool | None = None
    broken: bool = False


@dataclass(frozen=True)
class Balancer:
    """A load balancer the cloud has for a Service.

    ``busy``: Octavia works on it, nothing can be changed; ``stray_pools`` hang below no listener.
    """

    id: str
    vip: str
    vip_port_id: str | None = None
    busy: bool = False
    broken: bool = False
    created_at: str = ""
    listeners: tuple[Listener, ...] = ()
    stray_pools: tuple[str, ...] = ()


@dataclass(frozen=True)
class Address:
    """A floating IP the cloud has for a Service."""

    id: str
    ip: str
    port_id: str | None = None
    tagged: bool = True


@dataclass(frozen=True)
class Verdict:
    """The condition ``CONDITION`` of a Service: whether it is served as asked, and why not."""

    ready: bool
    reason: str
    message: str


@dataclass(frozen=True)
class Actual:
    """Everything that carries the Service's tags, and what the Service itself says."""

    balancers: tuple[Balancer, ...] = ()
    addresses: tuple[Address, ...] = ()
    finalizer: bool = False
    ingress: tuple[str, ...] = ()
    verdict: Verdict | None = None


def listener_name(service: str, front: Front) -> str:
    """Return the name of a listener; it says what the status tree leaves out."""
    return f"{service}:{front.port}/{front.protocol}"


def pool_name(service: str, front: Front, *, sticky: bool) -> str:
    """Return the name of a pool; it says about client affinity, which the status tree leaves out."""
    return listener_name(service, front) + (" by client" if sticky else "")


_NAME = re.compile(r":(?P<port>[0-9]{1,5})/(?P<protocol>[A-Z]+)(?P<sticky> by client)?$")


def front_in(name: str) -> Front | None:
    """Return the front a listener's name tells of, or None."""
    match = _NAME.search(name)
    return Front(match["protocol"], int(match["port"])) if match else None


def sticky_in(name: str) -> bool:
    """Return whether a pool's name tells of client affinity."""
    match = _NAME.search(name)
    return bool(match and match["sticky"])
