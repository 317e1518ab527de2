"""What the room speaks of: what a Service asks for. What the cloud has for it is in ``present``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from causeway.cloud.octavia_providers import Provider

KIND = "service"
"""The ``causeway-kind`` of everything this room creates."""

FINALIZER = "causeway.dev/load-balancer"
CONDITION = "causeway.dev/Ready"
SERVED = "Served"
"""The condition's reason when a Service has all it asks for."""


class Role(StrEnum):
    """Which of a Service's load balancers one is."""

    INSIDE = "inside"  # at the ClusterIP
    SECOND = "second"  # at the ClusterIP of the other address family
    OUTSIDE = "outside"  # elsewhere: on another subnet, of another provider, or shared


@dataclass(frozen=True)
class Place:
    """A subnet addresses may lie in."""

    cidr: str
    subnet_id: str


@dataclass(frozen=True)
class SubnetChoice:
    """Which subnets of a network are meant: one by id, or those that match a pattern of names and tags."""

    id: str = ""
    pattern: str = ""
    tags: str = ""

    def __bool__(self) -> bool:
        return bool(self.id or self.pattern or self.tags)


ANY_SUBNET = SubnetChoice()


@dataclass(frozen=True)
class BalancerClass:
    """What the platform's administrator means by the name of a class."""

    floating_network_id: str = ""
    floating_subnet: SubnetChoice = ANY_SUBNET
    network_id: str = ""
    subnet_id: str = ""
    member_subnet_id: str = ""


@dataclass(frozen=True)
class Setting:
    """What the room has to know of its platform.

    ``places`` are where members live, the default first; ``service_subnets`` where ClusterIPs lie, by IP
    version; ``providers`` are the names of those the cloud offers; ``balancer_class`` is the
    ``loadBalancerClass`` that means us.
    """

    cluster: str
    service_subnet_id: str
    external_network_id: str
    provider: Provider
    places: Sequence[Place]
    providers: frozenset[str] = frozenset()
    classes: Mapping[str, BalancerClass] = field(default_factory=dict)
    second_service_subnet_id: str = ""
    balancer_class: str = "causeway.dev/octavia"


@dataclass(frozen=True, order=True)
class Member:
    """Where traffic goes: an address and a port (1-65535)."""

    address: str
    port: int


@dataclass(frozen=True, order=True)
class Front:
    """What a client connects to: a transport protocol (TCP, UDP, SCTP) and a port."""

    protocol: str
    port: int


@dataclass(frozen=True)
class TimeLimits:
    """How long a listener waits, in milliseconds; the defaults are Octavia's own."""

    client_data: int = 50000
    member_connect: int = 5000
    member_data: int = 50000
    tcp_inspect: int = 0


@dataclass(frozen=True)
class ListenerOptions:
    """How a listener takes connections; None where the provider knows no such option."""

    protocol: str
    connection_limit: int | None = None
    limits: TimeLimits | None = None
    allowed_cidrs: frozenset[str] | None = None
    forwarded_for: bool = False
    tls: str = ""


@dataclass(frozen=True)
class PoolOptions:
    """How a pool chooses members; ``affinity``: for how many seconds a client stays with one, 0 by default.

    ``subnet_id`` is the subnet all members are reached from; "" means the one each lies in.
    """

    protocol: str
    algorithm: str
    sticky: bool = False
    affinity: int = 0
    subnet_id: str = ""


@dataclass(frozen=True)
class Monitor:
    """How members are watched; times in seconds."""

    type: str
    delay: int = 5
    timeout: int = 3
    max_retries: int = 1
    max_retries_down: int = 3


@dataclass(frozen=True)
class Serving:
    """What happens with what arrives at a front."""

    listener: ListenerOptions
    pool: PoolOptions
    members: frozenset[Member] = frozenset()
    monitor: Monitor | None = None


@dataclass(frozen=True)
class Note:
    """Something of the Service that cannot be had, for its user: ``reason`` is one CamelCase word.

    ``closes``: served without it the Service would be open to whom it should not, or speak what nobody
    expects, so it gets no address outside the cloud.
    """

    reason: str
    cause: str
    remedy: str
    closes: bool = False


@dataclass(frozen=True)
class Vip:
    """Where a load balancer answers: an address of a subnet, any of a subnet or network, or a port's."""

    address: str = ""
    subnet_id: str = ""
    network_id: str = ""
    port_id: str = ""


@dataclass(frozen=True)
class Sharing:
    """The load balancer several Services share: an existing one by id, or ours by a name in a namespace."""

    id: str = ""
    name: str = ""


@dataclass(frozen=True)
class Wanted:
    """A load balancer a Service asks for."""

    role: Role
    name: str
    vip: Vip
    provider: str
    fronts: dict[Front, Serving] = field(default_factory=dict)
    flavor: str = ""
    zone: str = ""
    sharing: Sharing | None = None


@dataclass(frozen=True)
class Subject:
    """Whom something is made for: a Service by its key and uid."""

    service: str
    uid: str


@dataclass(frozen=True)
class Floating:
    """The floating IP a Service asks for; ``address`` is one its user has chosen."""

    network_id: str
    subnets: SubnetChoice = ANY_SUBNET
    address: str = ""


@dataclass(frozen=True)
class Desired:
    """What a Service asks for; without ``balancers`` it asks for none.

    ``addressed``: its status tells where it is reached; ``foreign``: that is another controller's business;
    ``keep``: a floating IP outlives the Service.
    """

    service: str  # namespace/name
    uid: str
    balancers: tuple[Wanted, ...] = ()
    floating: Floating | None = None
    addressed: bool = False
    foreign: bool = False
    keep: bool = False
    hostname: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def subject(self) -> Subject:
        """Whom everything is made for."""
        return Subject(self.service, self.uid)

    def balancer(self, role: Role) -> Wanted | None:
        """Return the wanted load balancer of a role."""
        return next((one for one in self.balancers if one.role == role), None)


def listener_name(service: str, front: Front) -> str:
    """Return the name of a listener, and of its pool."""
    return f"{service}:{front.port}/{front.protocol}"
