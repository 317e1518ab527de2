"""What a platform file says, as frozen records.

The records hold every rule that can be judged from the file alone; what needs the cloud is judged by
``preflight``. Rules over several keys raise ``Violations``, which name the keys, so that ``document`` can
point to the line of each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from itertools import combinations
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

OLDEST_MINOR = 31  # the first minor release whose kubeadm reads configuration v1beta4
LARGEST_SERVICE_PREFIX = 11  # half of it goes to Kubernetes, whose service range is at most a /12
SMALLEST_SERVICE_PREFIX = 27  # the lower half must hold range + 10, the address of the cluster's DNS
SMALLEST_PREFIX = 28
IPV6_PREFIX = 64  # of every IPv6 subnet but the services': with it servers can find their own address
LARGEST_IPV6_SERVICE_PREFIX = 107  # Kubernetes' half is at most a /108
SMALLEST_IPV6_SERVICE_PREFIX = 120
UNIQUE_LOCAL = IPv6Network("fc00::/7")
NODE_SUBNET_EXTRAS = 4  # router, DHCP, the router load balancer's VIP, and one address to spare

Role = Literal["master", "infra", "compute"]
ServerGroupPolicy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]

_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_ZONE = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?\.?$"
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Zone = Annotated[str, Field(max_length=200, pattern=_ZONE)]
Affix = Annotated[str, Field(max_length=40, pattern=r"^([-.a-z0-9_]|%\{record_type\})*$")]


@dataclass(frozen=True)
class Violation:
    """One broken rule: the path of the key below the record that was checked, and both sides of the rule."""

    path: tuple[str | int, ...]
    expected: str
    found: str
    remedy: str = ""  # without it, what the key means


class Violations(ValueError):
    """All rules over several keys that a record breaks."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(
            "; ".join(f"expected {each.expected}, found {each.found}" for each in self.violations)
        )


class Record(BaseModel):
    """Base of all parts: camelCase keys in the file, nothing unknown, no silent conversion, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class Metadata(Record):
    """What the platform is called."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=_LABEL)] = Field(
        description="Name of the platform and of its Heat stack: a DNS label of at most 40 characters."
    )


class Kubernetes(Record):
    """Which Kubernetes the nodes run."""

    version: Annotated[str, Field(pattern=r"^v1\.\d{1,3}\.\d{1,3}$")] = Field(
        description="Release to run, such as v1.35.4; the images of all pools must carry exactly this one."
    )

    @field_validator("version")
    @classmethod
    def _not_too_old(cls, version: str) -> str:
        if int(version.split(".")[1]) < OLDEST_MINOR:
            raise Violations([Violation((), f"v1.{OLDEST_MINOR}.0 or newer", version)])
        return version


class Range(Record):
    """A network of the platform: either ``cidr`` for a new one, or ``network`` and ``subnet`` that exist."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["cidr"]}, {"required": ["network", "subnet"]}]}
    )

    cidr: IPv4Network | None = Field(None, description="Range of the network that is to be created.")
    network: Name | None = Field(None, description="Existing network, by name or ID.")
    subnet: Name | None = Field(None, description="Existing subnet of that network, by name or ID.")

    @property
    def exists(self) -> bool:
        """Return whether the platform uses a network it did not create."""
        return self.cidr is None

    @field_validator("cidr")
    @classmethod
    def _usable(cls, cidr: IPv4Network | None) -> IPv4Network | None:
        if cidr is None:
            return None
        if (
            cidr.is_loopback
            or cidr.is_multicast
            or cidr.is_link_local
            or cidr.is_unspecified
            or cidr.is_reserved
        ):
            raise Violations([Violation((), "a range that hosts may have", f"{cidr}")])
        if cidr.prefixlen > SMALLEST_PREFIX:
            raise Violations([Violation((), f"/{SMALLEST_PREFIX} or larger", f"{cidr}")])
        return cidr

    @model_validator(mode="after")
    def _one_form(self) -> "Range":
        expected = "either cidr, or network and subnet of an existing one"
        named = {"network": self.network, "subnet": self.subnet}
        if self.cidr is not None:
            extra = [key for key, value in named.items() if value is not None]
            if extra:
                raise Violations(Violation((key,), expected, f"cidr and {key}") for key in extra)
        else:
            absent = [key for key, value in named.items() if value is None]
            if absent:
                given = [key for key in named if key not in absent]
                raise Violations([Violation((), expected, f"only {given[0]}" if given else "neither")])
        return self


class Ipv6(Record):
    """The second address of everything: networks of its own for it are not needed."""

    nodes: IPv6Network = Field(description="Range of the servers' second addresses: a /64 of fc00::/7.")
    pods: IPv6Network = Field(description="Range of the pods' second addresses: a /64.")
    services: IPv6Network = Field(
        description="Range of the services' second addresses, /107 to /120; divided as the first."
    )

    @model_validator(mode="after")
    def _ranges_fit(self) -> "Ipv6":
        violations = [
            Violation((key,), f"a /{IPV6_PREFIX}", f"{cidr}")
            for key, cidr in (("nodes", self.nodes), ("pods", self.pods))
            if cidr.prefixlen != IPV6_PREFIX
        ]
        if not violations and not self.nodes.subnet_of(UNIQUE_LOCAL):
            # Neutron shows a port's addresses sorted as text, and the first is taken to be the IPv4 one.
            violations.append(Violation(("nodes",), f"a range of {UNIQUE_LOCAL}", f"{self.nodes}"))
        if not (LARGEST_IPV6_SERVICE_PREFIX <= self.services.prefixlen <= SMALLEST_IPV6_SERVICE_PREFIX):
            expected = f"a prefix length from {LARGEST_IPV6_SERVICE_PREFIX} to {SMALLEST_IPV6_SERVICE_PREFIX}"
            violations.append(Violation(("services",), expected, f"{self.services}"))
        if violations:
            raise Violations(violations)
        return self


class NamespaceNetworks(Record):
    """Ranges of the networks that namespaces have of their own."""

    cidr: IPv4Network = Field(description="Range their subnets are taken from.")
    prefix_length: Annotated[int, Field(ge=16, le=SMALLEST_PREFIX)] = Field(
        24, description="Prefix length of each subnet."
    )
    ipv6_cidr: IPv6Network | None = Field(
        None, description="Range of which each gets a /64 as well; only with networks.ipv6."
    )
    default: Literal["shared", "own"] = Field(
        "shared", description="What a namespace has that does not say: the pods' network, or one of its own."
    )

    @model_validator(mode="after")
    def _subnets_fit(self) -> "NamespaceNetworks":
        violations = []
        if self.cidr.prefixlen > self.prefix_length:
            expected = f"at least {self.cidr.prefixlen}, for {self.cidr}"
            violations.append(Violation(("prefixLength",), expected, f"{self.prefix_length}"))
        if self.ipv6_cidr is not None and self.ipv6_cidr.prefixlen > IPV6_PREFIX:
            violations.append(Violation(("ipv6Cidr",), f"a /{IPV6_PREFIX} or larger", f"{self.ipv6_cidr}"))
        if violations:
            raise Violations(violations)
        return self


class Networks(Record):
    """Where nodes, pods and services have their addresses."""

    external: Name = Field(description="External network the floating IPs come from, by name or ID.")
    nodes: Range = Field(description="Network of the servers.")
    pods: Range = Field(description="Network of the pods' ports.")
    services: Range = Field(
        description="Network of the services' load balancers. Kubernetes gets the lower half of the range "
        "for its services, Neutron the upper half for ports of its own."
    )
    namespaces: NamespaceNetworks | None = Field(
        None, description="Where namespaces that have a network of their own get it from."
    )
    ipv6: Ipv6 | None = Field(
        None, description="Ranges of second addresses; with them nodes, pods and services have both."
    )
    dns_nameservers: tuple[IPv4Address, ...] = Field((), description="Name servers of new subnets.")

    @model_validator(mode="after")
    def _ranges_fit(self) -> "Networks":
        violations = []
        services = self.services.cidr
        if services is not None and not (
            LARGEST_SERVICE_PREFIX <= services.prefixlen <= SMALLEST_SERVICE_PREFIX
        ):
            expected = f"a prefix length from {LARGEST_SERVICE_PREFIX} to {SMALLEST_SERVICE_PREFIX}"
            violations.append(Violation(("services", "cidr"), expected, f"{services}"))
        for (one, first), (other, second) in combinations(self.claimed_ranges().items(), 2):
            if first.overlaps(second):
                expected = f"a range apart from {one} ({first})"
                found = f"{second}, which overlaps it"
                violations.append(
                    Violation((other, "cidr"), expected, found, "Choose ranges that share nothing.")
                )
        violations += self._ipv6_violations()
        if violations:
            raise Violations(violations)
        return self

    def _ipv6_violations(self) -> Iterable[Violation]:
        own = self.namespaces.ipv6_cidr if self.namespaces else None
        if self.ipv6 is None:
            if own is not None:
                yield Violation(("namespaces", "ipv6Cidr"), "networks.ipv6 as well", f"only {own}")
            return
        if old := [key for key in ("nodes", "pods", "services") if key not in self.new_ranges()]:
            expected = "nodes, pods and services whose networks are created"
            yield Violation(("ipv6",), expected, f"existing networks for {', '.join(old)}")
        ranges = {"nodes": self.ipv6.nodes, "pods": self.ipv6.pods, "services": self.ipv6.services}
        paths = {key: ("ipv6", key) for key in ranges}
        if own is not None:
            ranges["namespaces"], paths["namespaces"] = own, ("namespaces", "ipv6Cidr")
        for (one, first), (other, second) in combinations(ranges.items(), 2):
            if first.overlaps(second):
                found = f"{second}, which overlaps it"
                yield Violation(paths[other], f"a range apart from {one} ({first})", found)

    def claimed_ranges(self) -> dict[str, IPv4Network]:
        """Return the ranges nothing else on the router may have, by their key."""
        return self.new_ranges() | ({"namespaces": self.namespaces.cidr} if self.namespaces else {})

    def new_ranges(self) -> dict[str, IPv4Network]:
        """Return the ranges of the networks that are to be created, by their key."""
        ranges = {"nodes": self.nodes.cidr, "pods": self.pods.cidr, "services": self.services.cidr}
        return {key: cidr for key, cidr in ranges.items() if cidr is not None}


class ContainerStorage(Record):
    """A volume for images and containers, one per server."""

    size: Annotated[int, Field(ge=1, le=16384)] = Field(description="Size in GiB.")
    type: Name | None = Field(None, description="Volume type; the cloud's default without it.")


class ReadyPorts(Record):
    """How many ports a node keeps ready for pods that come, beyond those its pods have."""

    minimum: Annotated[int, Field(ge=0, le=1000)] = Field(5, description="Fewer are filled up at once.")
    maximum: Annotated[int, Field(ge=0, le=1000)] = Field(
        50, description="More are not kept, however fast pods came."
    )
    batch: Annotated[int, Field(ge=1, le=100)] = Field(
        10, description="How many are made at least at a time."
    )

    @model_validator(mode="after")
    def _in_order(self) -> "ReadyPorts":
        if self.minimum > self.maximum:
            raise ValueError("minimum must not be larger than maximum")
        return self


class Pool(Record):
    """Servers of one kind."""

    name: Annotated[str, Field(min_length=1, max_length=16, pattern=_LABEL)] = Field(
        description="Name of the pool, part of its nodes' names: a DNS label of at most 16 characters."
    )
    role: Role = Field(description="What the nodes do: control plane, router and registry, or applications.")
    count: Annotated[int, Field(ge=0, le=1000)] = Field(description="How many servers.")
    flavor: Name = Field(description="Flavor, by name or ID.")
    image: Name = Field(description="Node image, by name or ID.")
    container_storage: ContainerStorage | None = Field(None, description="Volume for images and containers.")
    zone: Name | None = Field(None, description="Availability zone of the servers and their volumes.")
    server_group_policy: ServerGroupPolicy | None = Field(
        None, description="How the servers are spread over the cloud's hosts; no server group without it."
    )
    ready_ports: ReadyPorts = Field(
        default_factory=ReadyPorts, description="Ports each node keeps ready for pods that come."
    )


class Api(Record):
    """How the Kubernetes API is reached."""

    exposure: Literal["public", "internal"] = Field(
        "public", description="public: with a floating IP; internal: only from the cloud's networks."
    )
    allowed_cidrs: tuple[IPv4Network, ...] = Field(
        (), description="Ranges that may reach the API; everyone without it. Not every provider can do this."
    )


class LoadBalancerClass(Record):
    """What Services mean that name this class by the annotation loadbalancer.openstack.org/class."""

    floating_network_id: Name | None = Field(None, description="External network of their floating IPs.")
    floating_subnet_id: Name | None = Field(None, description="The subnet of it the floating IPs come from.")
    floating_subnet: Name | None = Field(None, description="Its subnets by name or pattern.")
    floating_subnet_tags: Name | None = Field(None, description="Its subnets by tags.")
    network_id: Name | None = Field(None, description="Network their load balancers answer on.")
    subnet_id: Name | None = Field(None, description="Subnet their load balancers answer on.")
    member_subnet_id: Name | None = Field(None, description="Subnet their members are reached from.")


class Names(Record):
    """Zones of the cloud's name service that the platform writes into; zones are not made."""

    zone: Zone = Field(
        description="Zone of the platform's API, its router, its nodes, and of services that name no other."
    )
    further_zones: tuple[Zone, ...] = Field((), description="Zones objects may ask for names in as well.")
    owner_id: Annotated[str, Field(min_length=1, max_length=36, pattern=r"^[-.\w]+$")] | None = Field(
        None, description="Owner written beside each record set; the platform's UUID without it."
    )
    txt_prefix: Affix = Field("", description="As external-dns's --txt-prefix, if it wrote the zone before.")
    txt_suffix: Affix = Field("", description="As external-dns's --txt-suffix, if it wrote the zone before.")
    txt_wildcard_replacement: Annotated[str, Field(max_length=40, pattern=_LABEL)] = Field(
        "wildcard", description="As external-dns's --txt-wildcard-replacement."
    )

    @model_validator(mode="after")
    def _one_affix(self) -> "Names":
        if self.txt_prefix and self.txt_suffix:
            expected = "either txtPrefix or txtSuffix"
            raise Violations([Violation(("txtSuffix",), expected, "both", "external-dns takes one of them.")])
        return self

    @property
    def zones(self) -> tuple[str, ...]:
        """Return the zones as absolute names, the platform's own first."""
        return tuple(dict.fromkeys(f"{each.rstrip('.')}." for each in (self.zone, *self.further_zones)))


class Router(Record):
    """What answers for the hosts of Routes and Ingresses, on the nodes of role infra."""

    enabled: bool = Field(True, description="Whether there is one, as long as there are nodes for it.")
    suffix: Zone | None = Field(
        None, description="Completes hosts of Routes that name none; apps.ZONE of names without it."
    )


class Sidecars(Record):
    """Where nodes find the images of Kubernetes' own companions of a volume driver."""

    provisioner: Name = Field("localhost/csi-provisioner:v6.3.0", description="Image of csi-provisioner.")
    attacher: Name = Field("localhost/csi-attacher:v4.12.0", description="Image of csi-attacher.")
    resizer: Name = Field("localhost/csi-resizer:v2.2.0", description="Image of csi-resizer.")
    snapshotter: Name = Field("localhost/csi-snapshotter:v8.6.0", description="Image of csi-snapshotter.")
    snapshot_controller: Name = Field(
        "localhost/snapshot-controller:v8.6.0", description="Image of snapshot-controller."
    )


class VolumeDriver(Record):
    """Volumes of the cloud for claims of pods."""

    install: bool = Field(True, description="Whether the driver and a StorageClass are put in.")
    type: Name | None = Field(
        None, description="Volume type of the StorageClass; the cloud's default without it."
    )
    sidecars: Sidecars = Field(
        default_factory=Sidecars, description="Images of the driver's companions, from a node image of ours."
    )


class Spec(Record):
    """What the platform consists of."""

    cloud: Name = Field(description="Entry of clouds.yaml: who deploys, in which project and region.")
    kubernetes: Kubernetes
    networks: Networks
    pools: Annotated[tuple[Pool, ...], Field(min_length=1)] = Field(description="Groups of equal servers.")
    api: Api = Field(default_factory=Api)
    ssh_key: Name | None = Field(None, description="Key pair of the cloud put on every server.")
    load_balancer_provider: Name | None = Field(
        None,
        description="Octavia provider, ovn or amphora; without it ovn where the cloud has it, else amphora.",
    )
    load_balancer_classes: dict[str, LoadBalancerClass] = Field(
        {}, description="Where Services are reached that name one of these classes."
    )
    names: Names | None = Field(
        None, description="Where the platform and what runs on it have names; nowhere without it."
    )
    router: Router = Field(default_factory=Router)
    volumes: VolumeDriver = Field(default_factory=VolumeDriver, description="Volumes for claims of pods.")

    @field_validator("pools")
    @classmethod
    def _pools_fit(cls, pools: tuple[Pool, ...]) -> tuple[Pool, ...]:
        violations = []
        seen: set[str] = set()
        for index, pool in enumerate(pools):
            if pool.name in seen:
                violations.append(
                    Violation((index, "name"), "a name no other pool has", f"{pool.name!r} again")
                )
            seen.add(pool.name)
        masters = [index for index, pool in enumerate(pools) if pool.role == "master"]
        if not masters:
            violations.append(Violation((), "one pool with role master", "none"))
        violations += [
            Violation((index, "role"), "one pool with role master", "another", "Raise its count instead.")
            for index in masters[1:]
        ]
        for index in masters[:1]:
            if pools[index].count not in (1, 3, 5):
                expected = "1, 3 or 5 masters, so that etcd keeps a majority"
                violations.append(Violation((index, "count"), expected, f"{pools[index].count}"))
        if masters and sum(pool.count for pool in pools if pool.role != "master") == 0:
            violations.append(Violation((), "at least one node of role infra or compute", "none"))
        if violations:
            raise Violations(violations)
        return pools

    @model_validator(mode="after")
    def _nodes_have_addresses(self) -> "Spec":
        cidr = self.networks.nodes.cidr
        if cidr is not None:
            needed = sum(pool.count for pool in self.pools) + len({pool.role for pool in self.pools})
            needed += NODE_SUBNET_EXTRAS
            usable = cidr.num_addresses - 2
            if usable < needed:
                expected = (
                    f"room for {needed} addresses (nodes, one more of each role, router, DHCP, load balancer)"
                )
                raise Violations(
                    [Violation(("networks", "nodes", "cidr"), expected, f"{cidr} with {usable}")]
                )
        return self


class Platform(Record):
    """A container platform in an OpenStack project."""

    api_version: Literal["causeway.dev/v1alpha1"]
    kind: Literal["Platform"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        """Return the name of the platform, which is the name of its stack."""
        return self.metadata.name

    @property
    def masters(self) -> Pool:
        """Return the one pool of masters."""
        return self.pools("master")[0]

    def pools(self, role: Role) -> tuple[Pool, ...]:
        """Return the pools of a role in the order of the file."""
        return tuple(pool for pool in self.spec.pools if pool.role == role)


AnyNetwork = TypeVar("AnyNetwork", IPv4Network, IPv6Network)


def kubernetes_services(services: AnyNetwork) -> AnyNetwork:
    """Return the lower half of the services' range: where Kubernetes takes its ClusterIPs from."""
    return next(iter(services.subnets()))


def neutron_services(services: AnyNetwork) -> AnyNetwork:
    """Return the upper half of the services' range: where Neutron puts router ports and the like."""
    return list(services.subnets())[1]
