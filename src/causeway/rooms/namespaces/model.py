"""What this room thinks in: a namespace's wish, what there is of its network, and the steps in between."""

from dataclasses import dataclass

from causeway.cloud.networks import Network, Subnet
from causeway.cloud.security_groups import Rule, SecurityGroup
from causeway.kit.errors import Finding

KIND = "namespace"
"""The ownership kind of everything this room makes."""

RANGE = "causeway.dev/network-cidr"
"""Annotation of a namespace with its own network: its range, or one of each family after a comma."""


@dataclass(frozen=True, slots=True)
class Range:
    """Where a subnet gets its addresses from: ``cidr`` itself, or the next free range of a subnet pool."""

    ip_version: int
    cidr: str | None = None
    pool_id: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What the room has to know of its platform; ``nearby`` are ranges of nodes and load balancers."""

    cluster: str
    router_id: str | None
    own_by_default: bool
    pools: tuple[Range, ...]
    nearby: tuple[str, ...]
    global_namespaces: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a namespace asks for; with a ``finding`` it cannot be understood, or not be had here."""

    own: bool
    ranges: tuple[Range, ...] = ()
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Desired:
    """A namespace that has its own network; ``everybody`` may reach it if it is a global one.

    ``peers`` are the ranges of those who may reach every namespace, where the cloud has no address groups.
    """

    uid: str
    name: str
    ranges: tuple[Range, ...]
    openings: frozenset[Rule] = frozenset()
    everybody: bool = False
    peers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Actual:
    """What there is of one namespace's network.

    ``joined`` are the subnets the router is on, ``peers`` is the address group of those who may reach every
    namespace.
    """

    networks: tuple[Network, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    joined: frozenset[str] = frozenset()
    groups: tuple[SecurityGroup, ...] = ()
    peers: str | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """The network a namespace has, ready for pods; MTU in bytes."""

    network_id: str
    mtu: int
    subnets: tuple[Subnet, ...]
    security_group_id: str


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    """Make the namespace's network."""

    desired: Desired

    def __str__(self) -> str:
        return f"create network {self.desired.name}"


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """Make the namespace's security group."""

    desired: Desired

    def __str__(self) -> str:
        return f"create security group {self.desired.name}"


@dataclass(frozen=True, slots=True)
class CreateSubnets:
    """Make the subnets the network still lacks."""

    desired: Desired
    network_id: str
    ranges: tuple[Range, ...]

    def __str__(self) -> str:
        return f"create {len(self.ranges)} subnets of network {self.network_id}"


@dataclass(frozen=True, slots=True)
class Join:
    """Put the platform's router on a subnet."""

    subnet_id: str

    def __str__(self) -> str:
        return f"join subnet {self.subnet_id} to the router"


@dataclass(frozen=True, slots=True)
class AddRules:
    """Let more in."""

    group_id: str
    rules: tuple[Rule, ...]

    def __str__(self) -> str:
        return f"add {len(self.rules)} rules to security group {self.group_id}"


@dataclass(frozen=True, slots=True)
class RemoveRule:
    """Let less in."""

    group_id: str
    rule_id: str

    def __str__(self) -> str:
        return f"remove rule {self.rule_id} of security group {self.group_id}"


@dataclass(frozen=True, slots=True)
class Part:
    """Take the platform's router off a subnet."""

    subnet_id: str

    def __str__(self) -> str:
        return f"part subnet {self.subnet_id} from the router"


@dataclass(frozen=True, slots=True)
class DeleteSubnet:
    """Delete a subnet nobody lives on."""

    subnet_id: str

    def __str__(self) -> str:
        return f"delete subnet {self.subnet_id}"


@dataclass(frozen=True, slots=True)
class DeleteNetwork:
    """Delete a network with its subnets."""

    network_id: str

    def __str__(self) -> str:
        return f"delete network {self.network_id}"


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """Delete a security group."""

    group_id: str

    def __str__(self) -> str:
        return f"delete security group {self.group_id}"


Step = (
    CreateNetwork
    | CreateGroup
    | CreateSubnets
    | Join
    | AddRules
    | RemoveRule
    | Part
    | DeleteSubnet
    | DeleteNetwork
    | DeleteGroup
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the user of a namespace is told; ``ready``: its pods have the network it asks for."""

    ready: bool
    reason: str
    message: str = ""
