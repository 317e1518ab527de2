"""How much of each quota a platform takes: always, and while its nodes are replaced.

The steady need is what the finished platform holds: the stack's resources, what the cloud makes along with
them (default rules of a security group, the port of a load balancer, the metadata port of a network), and the
cluster's DNS, which is the first application on it: two pods and one service of three ports. A registry of
images is another, with a volume if images are on one.

The surge is what a rolling replacement holds on top: one more node per role at the same time, each with the
largest flavor and the largest volume of that role. It needs no more than that, because the old node goes
before the next new one comes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import get_args

from causeway.rooms.platforms import routing
from causeway.rooms.platforms.model import Platform, Pool, Role


class Kind(StrEnum):
    """What clouds set quotas on; RAM is in MiB, gigabytes are GiB of volumes."""

    INSTANCES = "instances"
    CORES = "cores"
    RAM = "ram"
    SERVER_GROUPS = "server_groups"
    SERVER_GROUP_MEMBERS = "server_group_members"  # of one group, the largest
    PORTS = "ports"
    NETWORKS = "networks"
    SUBNETS = "subnets"
    ROUTERS = "routers"
    SECURITY_GROUPS = "security_groups"
    RULES = "security_group_rules"
    FLOATING_IPS = "floating_ips"
    VOLUMES = "volumes"
    GIGABYTES = "gigabytes"
    LOAD_BALANCERS = "load_balancers"
    LISTENERS = "listeners"
    POOLS = "pools"
    MEMBERS = "members"
    HEALTH_MONITORS = "health_monitors"


Amounts = Mapping[Kind, int]


@dataclass(frozen=True)
class Flavor:
    """A size of servers: cores, RAM in MiB, disk in GiB (0: as large as the image)."""

    id: str
    name: str
    cores: int
    ram: int
    disk: int


@dataclass(frozen=True)
class Need:
    """What a platform takes of each kind; ``surge`` comes on top of ``steady`` during a replacement."""

    steady: Amounts
    surge: Amounts


SECURITY_GROUPS = 7  # common, master, node, infra, lb, etcd, pods
RULES_PER_GROUP = 6  # two that come with a group, and those of the template on average, rounded up
API_LISTENERS = 2  # with one pool behind both
ROUTER_LISTENERS = 2  # with a pool each
POOLS_OF: Mapping[Role, int] = {"master": 1, "infra": ROUTER_LISTENERS, "compute": 0}
SECOND_INTERFACES = 3  # of the router, on the IPv6 subnets
CHECKING_PORTS = 1  # from which the OVN provider looks at the members of a subnet
DNS: Amounts = {
    Kind.PORTS: 3,
    Kind.LOAD_BALANCERS: 1,
    Kind.LISTENERS: 3,
    Kind.POOLS: 3,
    Kind.MEMBERS: 6,
}

REGISTRY: Amounts = {  # its service and its pod, and the pod that collects unused blobs
    Kind.PORTS: 3,
    Kind.LOAD_BALANCERS: 1,
    Kind.LISTENERS: 1,
    Kind.POOLS: 1,
    Kind.MEMBERS: 1,
}

# What one resource of a stack takes of each kind. Two of a router's three interfaces are ports that come with
# it; the third is a resource of its own. Cores, RAM and gigabytes depend on more than the type.
TAKES: Mapping[str, Amounts] = {
    "OS::Nova::Server": {Kind.INSTANCES: 1},
    "OS::Nova::ServerGroup": {Kind.SERVER_GROUPS: 1},
    "OS::Neutron::Port": {Kind.PORTS: 1},
    "OS::Neutron::Net": {Kind.NETWORKS: 1, Kind.PORTS: 1},
    "OS::Neutron::Subnet": {Kind.SUBNETS: 1},
    "OS::Neutron::Router": {Kind.ROUTERS: 1, Kind.PORTS: 2},
    "OS::Neutron::SecurityGroup": {Kind.SECURITY_GROUPS: 1, Kind.RULES: RULES_PER_GROUP},
    "OS::Neutron::FloatingIP": {Kind.FLOATING_IPS: 1},
    "OS::Cinder::Volume": {Kind.VOLUMES: 1},
    "OS::Octavia::LoadBalancer": {Kind.LOAD_BALANCERS: 1, Kind.PORTS: 1},
    "OS::Octavia::Listener": {Kind.LISTENERS: 1},
    "OS::Octavia::Pool": {Kind.POOLS: 1},
    "OS::Octavia::PoolMember": {Kind.MEMBERS: 1},
    "OS::Octavia::HealthMonitor": {Kind.HEALTH_MONITORS: 1},
}


def need(platform: Platform, flavors: Mapping[str, Flavor]) -> Need:
    """Return what the platform takes; ``flavors`` by the name or ID the pools give.

    A pool whose flavor is not among them adds no cores and no RAM (preflight refuses it anyway).
    """
    steady = Counter(taken(resources(platform)))
    if steady[Kind.HEALTH_MONITORS]:
        steady[Kind.PORTS] += CHECKING_PORTS
    steady.update(DNS)
    if platform.spec.registry is not None:
        steady.update(REGISTRY)
        if platform.spec.registry.storage == "cinder":
            steady.update({Kind.VOLUMES: 1, Kind.GIGABYTES: platform.spec.registry.size})
    if platform.spec.networks.ipv6 is not None:
        steady[Kind.PORTS] += SECOND_INTERFACES
    surge: Counter[Kind] = Counter()
    for pool in platform.spec.pools:
        for _ in range(pool.count):
            steady.update(_sizes(pool, flavors))
    for role in get_args(Role):
        pools = [pool for pool in platform.pools(role) if pool.count]
        if not pools:
            continue
        surge.update({Kind.INSTANCES: 1, Kind.PORTS: 1, Kind.MEMBERS: POOLS_OF[role]})
        sizes = [_sizes(pool, flavors) for pool in pools]
        surge.update({kind: max(size[kind] for size in sizes) for kind in sizes[0]})
        surge.update({Kind.VOLUMES: int(any(pool.container_storage for pool in pools))})
    grouped = [pool.count for pool in platform.spec.pools if pool.server_group_policy]
    if grouped:
        steady[Kind.SERVER_GROUP_MEMBERS] = max(grouped)
        surge[Kind.SERVER_GROUP_MEMBERS] = 1
    return Need({kind: steady[kind] for kind in Kind}, {kind: surge[kind] for kind in Kind})


def resources(platform: Platform) -> Mapping[str, int]:
    """Return how many resources of each type the platform's stack has, as far as they take any quota."""
    networks = platform.spec.networks
    public = int(platform.spec.api.exposure == "public")
    router = int(bool(platform.pools("infra")))
    new = len(networks.new_ranges())
    nodes = sum(pool.count for pool in platform.spec.pools)
    return {
        "OS::Nova::Server": nodes,
        "OS::Nova::ServerGroup": sum(1 for pool in platform.spec.pools if pool.server_group_policy),
        "OS::Neutron::Port": nodes + int(not networks.services.exists),
        "OS::Neutron::Net": new,
        "OS::Neutron::Subnet": new * (2 if networks.ipv6 else 1),
        "OS::Neutron::Router": int(new == 3),
        "OS::Neutron::SecurityGroup": SECURITY_GROUPS,
        "OS::Neutron::FloatingIP": router + public,
        "OS::Cinder::Volume": sum(pool.count for pool in platform.spec.pools if pool.container_storage),
        "OS::Octavia::LoadBalancer": 1 + router,
        "OS::Octavia::Listener": API_LISTENERS + router * ROUTER_LISTENERS,
        "OS::Octavia::Pool": 1 + router * ROUTER_LISTENERS,
        "OS::Octavia::PoolMember": sum(pool.count * POOLS_OF[pool.role] for pool in platform.spec.pools),
        "OS::Octavia::HealthMonitor": int(platform.masters.count > 1)
        + (ROUTER_LISTENERS if routing.nodes(platform) else 0),
    }


def taken(types: Mapping[str, int]) -> Amounts:
    """Return what that many resources of each type take."""
    amounts: Counter[Kind] = Counter()
    for name, count in types.items():
        for kind, amount in TAKES.get(name, {}).items():
            amounts[kind] += amount * count
    return amounts


def _sizes(pool: Pool, flavors: Mapping[str, Flavor]) -> dict[Kind, int]:
    """Return what the sizes of one server of the pool add up to."""
    flavor = flavors.get(pool.flavor)
    return {
        Kind.CORES: flavor.cores if flavor else 0,
        Kind.RAM: flavor.ram if flavor else 0,
        Kind.GIGABYTES: pool.container_storage.size if pool.container_storage else 0,
    }
