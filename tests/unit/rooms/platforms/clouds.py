"""A cloud on which the right file of ``wrong_files`` can be deployed, to be spoilt by one thing at a time."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network

from causeway.rooms.platforms.checks.access import REQUIRED_EXTENSIONS, WELCOME_EXTENSIONS
from causeway.rooms.platforms.facts import (
    SERVICES,
    CloudFacts,
    Compute,
    Identity,
    Image,
    LoadBalancing,
    Network,
    Networking,
    Quota,
    Subnet,
    Volumes,
)
from causeway.rooms.platforms.need import Flavor, Kind

EXTENSIONS = frozenset({*REQUIRED_EXTENSIONS, *WELCOME_EXTENSIONS})


def quotas(*kinds: Kind, limit: int = 100_000, used: int = 0) -> Mapping[Kind, Quota]:
    return {kind: Quota(limit, used) for kind in kinds}


def subnet(name: str, network: str, cidr: str, first: int = 2, last: int = -2) -> Subnet:
    range_ = IPv4Network(cidr)
    pool: tuple[IPv4Address, IPv4Address] = (range_[first], range_[last])
    return Subnet(name, name, network, range_, (pool,))


FLAVORS = (Flavor("1", "m", 2, 2048, 20), Flavor("2", "n", 1, 1024, 10), Flavor("3", "tiny", 1, 512, 1))
NODE_IMAGE = Image("i1", "node", "active", 0, 0, {"causeway_kubernetes_version": "v1.35.4"})
COMPUTE = Compute(
    flavors=FLAVORS,
    zones=frozenset({"nova"}),
    key_pairs=frozenset({"me"}),
    quotas=quotas(Kind.INSTANCES, Kind.CORES, Kind.RAM, Kind.SERVER_GROUPS, Kind.SERVER_GROUP_MEMBERS),
)
NETWORK = Networking(
    extensions=EXTENSIONS,
    networks=(Network("x1", "ext", True, 1500), Network("p1", "private", False, 1442)),
    subnets=(subnet("ext-subnet", "x1", "172.24.4.0/24"),),
    gateways={"r1": "x1", "r2": ""},
    routers_of={},
    free={"x1": 50},
    quotas=quotas(
        Kind.PORTS,
        Kind.NETWORKS,
        Kind.SUBNETS,
        Kind.ROUTERS,
        Kind.SECURITY_GROUPS,
        Kind.RULES,
        Kind.FLOATING_IPS,
    ),
)
VOLUMES = Volumes(frozenset({"ssd"}), frozenset({"nova"}), quotas(Kind.VOLUMES, Kind.GIGABYTES))
LOAD_BALANCING = LoadBalancing(
    frozenset({"ovn", "amphora"}),
    quotas(Kind.LOAD_BALANCERS, Kind.LISTENERS, Kind.POOLS, Kind.MEMBERS, Kind.HEALTH_MONITORS),
)
CLOUD = CloudFacts(
    identity=Identity("p", frozenset({"member"}), frozenset(SERVICES), restricted=False),
    compute=COMPUTE,
    images=(NODE_IMAGE,),
    network=NETWORK,
    volumes=VOLUMES,
    load_balancing=LOAD_BALANCING,
    stack=None,
)
