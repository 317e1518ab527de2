"""What a cloud is like, as far as a platform depends on it: records to be judged.

``gather`` fills them, ``preflight`` judges them. A part of the cloud that could not be read is the
``Finding`` that says why, so that the rest is judged all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from causeway.kit.errors import Finding
from causeway.rooms.platforms.need import Amounts, Flavor, Kind

# Service of the catalogue: what the platform uses it for.
SERVICES = {
    "identity": "signing in",
    "compute": "servers",
    "image": "node images",
    "network": "networks and the pods' ports",
    "block-storage": "container storage",
    "orchestration": "the stack that is the platform",
    "load-balancer": "the API and every service",
}
OBJECT_STORE = "object-store"
"""A service that a platform can do without."""


def absent(service: str) -> Finding:
    """Return the finding for a service that is not in the catalogue."""
    return Finding(
        f"service {service}",
        f"the catalogue has no endpoint of it, needed for {SERVICES[service]}",
        "Check region_name and interface of the clouds.yaml entry, or have the service installed.",
    )


@dataclass(frozen=True)
class Quota:
    """A limit (-1: none) and how much of it is used by the whole project; ``used`` None: cannot be told."""

    limit: int
    used: int | None


Quotas = Mapping[Kind, Quota]


@dataclass(frozen=True)
class Identity:
    """Who asks, and which services the catalogue has endpoints of for him."""

    project: str
    roles: frozenset[str]
    services: frozenset[str]
    restricted: bool  # signed in with an application credential that must not make another


@dataclass(frozen=True)
class Image:
    """An image: sizes in GiB and MiB it asks for at least, and its properties."""

    id: str
    name: str
    status: str
    min_disk: int
    min_ram: int
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Network:
    """A network."""

    id: str
    name: str
    external: bool
    mtu: int


@dataclass(frozen=True)
class Subnet:
    """A subnet; ``pools`` are the first and last addresses of its allocation pools. IPv4 only."""

    id: str
    name: str
    network_id: str
    cidr: IPv4Network
    pools: tuple[tuple[IPv4Address, IPv4Address], ...]


@dataclass(frozen=True)
class Compute:
    """Nova."""

    flavors: tuple[Flavor, ...]
    zones: frozenset[str]
    key_pairs: frozenset[str]
    quotas: Quotas


@dataclass(frozen=True)
class Networking:
    """Neutron. ``free`` are free addresses by network ID, for the networks that tell."""

    extensions: frozenset[str]
    networks: tuple[Network, ...]
    subnets: tuple[Subnet, ...]
    gateways: Mapping[str, str]  # router ID -> ID of its external network, "" without one
    routers_of: Mapping[str, frozenset[str]]  # subnet ID -> IDs of the routers it is joined to
    free: Mapping[str, int]
    quotas: Quotas


@dataclass(frozen=True)
class Volumes:
    """Cinder."""

    types: frozenset[str]
    zones: frozenset[str]
    quotas: Quotas


@dataclass(frozen=True)
class LoadBalancing:
    """Octavia."""

    providers: frozenset[str]
    quotas: Quotas


@dataclass(frozen=True)
class Naming:
    """Designate: the type (PRIMARY, SECONDARY) of those zones of the platform that exist, by name."""

    zones: Mapping[str, str]


@dataclass(frozen=True)
class Sharing:
    """Manila: its share types by id and name, and whether one of them is meant where none is named."""

    types: frozenset[str]
    has_default: bool


@dataclass(frozen=True)
class Stack:
    """The stack of the platform's name: its status, what of each kind it holds, its resources' IDs."""

    status: str
    holds: Amounts
    ids: frozenset[str]
    ours: bool = True  # else somebody else's, which only has the name; it holds nothing of ours


@dataclass(frozen=True)
class CloudFacts:
    """Everything ``preflight`` asks a cloud.

    ``stack`` is None when there is none yet, ``names`` when the platform writes none, ``shares`` when it has
    no driver of them.
    """

    identity: Identity
    compute: Compute | Finding
    images: tuple[Image, ...] | Finding
    network: Networking | Finding
    volumes: Volumes | Finding
    load_balancing: LoadBalancing | Finding
    stack: Stack | Finding | None
    names: Naming | Finding | None = None
    shares: Sharing | Finding | None = None
