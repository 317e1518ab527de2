"""What a platform file says, as frozen records.

The records hold every rule that can be judged from the file alone; what needs the cloud is judged by
``preflight``. Rules over several keys raise ``Violations``, which name the keys, so that ``document`` can
point to the line of each.
"""

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from causeway.rooms.platforms.ranges import Networks
from causeway.rooms.platforms.records import LABEL, Affix, Name, Record, Violation, Violations, Zone
from causeway.rooms.platforms.registry import OLDEST_MINOR as OLDEST_WITH_REGISTRY
from causeway.rooms.platforms.registry import Registry
from causeway.rooms.platforms.router import Router
from causeway.rooms.platforms.storage import ShareDriver, VolumeDriver

OLDEST_MINOR = 31  # the first minor release whose kubeadm reads configuration v1beta4
NODE_SUBNET_EXTRAS = 4  # router, DHCP, the router load balancer's VIP, and one address to spare

Role = Literal["master", "infra", "compute"]
ServerGroupPolicy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]


class Metadata(Record):
    """What the platform is called."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=LABEL)] = Field(
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

    name: Annotated[str, Field(min_length=1, max_length=16, pattern=LABEL)] = Field(
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
    txt_wildcard_replacement: Annotated[str, Field(max_length=40, pattern=LABEL)] = Field(
        "wildcard", description="As external-dns's --txt-wildcard-replacement."
    )

    nameservers: tuple[IPv4Address, ...] = Field(
        (), description="Name servers the platform's DNS asks for the zones; without it those of the nodes."
    )

    @model_validator(mode="after")
    def _one_affix(self) -> "Names":
        if self.txt_prefix and self.txt_suffix:
            expected = "either txtPrefix or txtSuffix"
            raise Violations([Violation(("txtSuffix",), expected, "both", "external-dns takes one of them.")])
        return self

    @property
    def api(self) -> str:
        """Return the name of the platform's API, without a dot at its end."""
        return f"api.{self.zone.rstrip('.')}"

    @property
    def zones(self) -> tuple[str, ...]:
        """Return the zones as absolute names, the platform's own first."""
        return tuple(dict.fromkeys(f"{each.rstrip('.')}." for each in (self.zone, *self.further_zones)))


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
    shares: ShareDriver | None = Field(
        None, description="Shares of the cloud for claims of pods; no driver of them without it."
    )
    registry: Registry | None = Field(None, description="Where images are pushed to; none without it.")

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
    def _registry_has_what_it_needs(self) -> "Spec":
        if self.registry is None:
            return self
        violations = []
        if int(self.kubernetes.version.split(".")[1]) < OLDEST_WITH_REGISTRY:
            expected = f"v1.{OLDEST_WITH_REGISTRY}.0 or newer, for a registry"
            violations.append(Violation(("kubernetes", "version"), expected, self.kubernetes.version))
        if self.registry.host is None and self.router.suffix is None and self.names is None:
            expected = "a host, as neither router.suffix nor names gives one"
            violations.append(Violation(("registry",), expected, "none", "Add registry.host."))
        if self.router.namespace_selector is not None:
            remedy = "Use routeSelector: the registry's Route gets its labels."
            expected = "none, for a registry: its Route is in kube-system"
            violations.append(Violation(("router", "namespaceSelector"), expected, "one", remedy))
        if self.registry.storage == "cinder" and not self.volumes.install:
            expected = "true, for a registry on a volume"
            violations.append(Violation(("volumes", "install"), expected, "false"))
        if violations:
            raise Violations(violations)
        return self

    @model_validator(mode="after")
    def _shares_have_what_they_need(self) -> "Spec":
        if self.shares is not None and not self.volumes.install:
            expected = "true, for shares: what snapshots need comes with the volume driver"
            raise Violations([Violation(("volumes", "install"), expected, "false")])
        return self

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
