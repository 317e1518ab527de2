"""Reads from a cloud what ``preflight`` judges: reads only, each call once, the services in parallel.

The calls are plain GETs instead of the SDK's finders: one request each, and nothing is fetched twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar
from urllib.parse import quote

import keystoneauth1.exceptions as auth
from keystoneauth1.access import AccessInfo, AccessInfoV3
from keystoneauth1.identity.base import BaseIdentityPlugin
from openstack import exceptions as sdk
from openstack.connection import Connection
from openstack.proxy import Proxy

from causeway.cloud import ownership
from causeway.cloud.connection import explain, explained
from causeway.kit.errors import Finding
from causeway.rooms.platforms import addons, need, registering, stored
from causeway.rooms.platforms.facts import (
    OBJECT_STORE,
    SERVICES,
    CloudFacts,
    Compute,
    Identity,
    Image,
    LoadBalancing,
    Naming,
    Network,
    Networking,
    Quota,
    Quotas,
    Sharing,
    Stack,
    Subnet,
    Volumes,
    absent,
)
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.need import Flavor, Kind

RANGES = ("nodes", "pods", "services")
EMBEDDED_FLAVOR = "2.47"  # from this version on, Nova tells a server's cores and RAM with the server
MANILA = "2.55"  # of 2019, what the driver of shares needs

Part = TypeVar("Part")


def gather(cloud: Connection, platform: Platform) -> CloudFacts:
    """Return what the cloud is like; raise ``Problem`` if not even the identity service answers."""
    with explained(f"cloud {platform.spec.cloud}"):
        identity = _identity(cloud)
    with ThreadPoolExecutor(max_workers=len(SERVICES)) as pool:

        def part(service: str, read: Callable[[], Part]) -> Callable[[], Part | Finding]:
            if service not in identity.services:
                return lambda: absent(service)
            return pool.submit(_read, service, read).result

        compute = part("compute", lambda: _compute(cloud, platform))
        images = part("image", lambda: _images(cloud, platform))
        network = part("network", lambda: _network(cloud, platform, identity.project))
        volumes = part("block-storage", lambda: _volumes(cloud))
        load_balancing = part("load-balancer", lambda: _load_balancing(cloud, identity.project))
        stack = part("orchestration", lambda: _stack(cloud, platform))
        return CloudFacts(
            identity,
            compute(),
            images(),
            network(),
            volumes(),
            load_balancing(),
            stack(),
            _naming(cloud, platform),
            _sharing(cloud, platform),
        )


def _naming(cloud: Connection, platform: Platform) -> Naming | Finding | None:
    """Return which zones the platform asks for there are; None if it asks for none."""
    if platform.spec.names is None:
        return None
    if not cloud.endpoint_for("dns"):
        remedy = "Leave spec.names out, or have Designate installed."
        return Finding("service dns", "the catalogue has no endpoint of it, needed for names", remedy)
    wanted = platform.spec.names.zones

    def zones() -> Naming:
        found = [each for zone in wanted for each in _get(cloud.dns, "/zones", name=zone)["zones"]]
        return Naming({each["name"]: each["type"] for each in found})

    return _read("dns", zones)


def _sharing(cloud: Connection, platform: Platform) -> Sharing | Finding | None:
    """Return which share types there are; None for a platform without a driver of shares."""
    if platform.spec.shares is None:
        return None
    if not cloud.endpoint_for("shared-file-system"):
        remedy = "Leave spec.shares out, or have Manila installed."
        return Finding(
            "service shared-file-system", "the catalogue has no endpoint of it, needed for shares", remedy
        )

    def types() -> Sharing:
        found = _get(cloud.shared_file_system, "/types", MANILA)["share_types"]
        return Sharing(
            frozenset(name for each in found for name in (each["id"], each["name"])),
            any(each["is_default"] for each in found),
        )

    return _read("shared-file-system", types)


def _read(service: str, read: Callable[[], Part]) -> Part | Finding:
    try:
        return read()
    except (auth.ClientException, sdk.SDKException) as error:
        return explain(error, f"service {service}")


def _get(service: Proxy, path: str, microversion: str | None = None, **query: str) -> Any:
    response = service.get(path, params=query, microversion=microversion)
    sdk.raise_from_response(response)
    return response.json()


def _get_if_allowed(service: Proxy, path: str) -> Any | None:
    """Return None for what is not there, or not for everybody's eyes."""
    try:
        return _get(service, path)
    except (sdk.NotFoundException, sdk.ForbiddenException):
        return None


def _identity(cloud: Connection) -> Identity:
    plugin = cloud.session.auth
    if not isinstance(plugin, BaseIdentityPlugin):
        raise sdk.ConfigException("its auth_type does not sign in with an identity service")
    access = plugin.get_access(cloud.session)
    if access.project_id is None:
        raise sdk.ConfigException("it names no project")
    credential = _credential(access)
    return Identity(
        project=access.project_id,
        roles=frozenset(access.role_names or ()),
        services=frozenset(service for service in (*SERVICES, OBJECT_STORE) if cloud.endpoint_for(service)),
        restricted=credential is not None and bool(credential.get("restricted", True)),
    )


def _credential(access: AccessInfo) -> Mapping[str, Any] | None:
    """Return the application credential that was signed in with, None without one."""
    try:
        return access.application_credential if isinstance(access, AccessInfoV3) else None
    except KeyError:
        return None


def _compute(cloud: Connection, platform: Platform) -> Compute:
    limits = _get(cloud.compute, "/limits")["limits"]["absolute"]
    pairs = {
        Kind.INSTANCES: ("maxTotalInstances", "totalInstancesUsed"),
        Kind.CORES: ("maxTotalCores", "totalCoresUsed"),
        Kind.RAM: ("maxTotalRAMSize", "totalRAMUsed"),
        Kind.SERVER_GROUPS: ("maxServerGroups", "totalServerGroupsUsed"),
    }
    quotas = _quotas(limits, pairs)
    if "maxServerGroupMembers" in limits:
        quotas[Kind.SERVER_GROUP_MEMBERS] = Quota(limits["maxServerGroupMembers"], 0)
    key = platform.spec.ssh_key
    found = key and _get_if_allowed(cloud.compute, f"/os-keypairs/{quote(key, safe='')}")
    zones = _get(cloud.compute, "/os-availability-zone")["availabilityZoneInfo"]
    return Compute(
        flavors=tuple(
            Flavor(id=each["id"], name=each["name"], cores=each["vcpus"], ram=each["ram"], disk=each["disk"])
            for each in _get(cloud.compute, "/flavors/detail")["flavors"]
        ),
        zones=_available(zones),
        key_pairs=frozenset([key] if key and found else []),
        quotas=quotas,
    )


def _images(cloud: Connection, platform: Platform) -> tuple[Image, ...]:
    found: dict[str, dict[str, Any]] = {}
    for name in {pool.image for pool in platform.spec.pools}:
        images = _get(cloud.image, "/images", name=name)["images"]
        by_id = None if images else _get_if_allowed(cloud.image, f"/images/{quote(name, safe='')}")
        found |= {each["id"]: each for each in [*images, *([by_id] if by_id else [])]}
    return tuple(
        Image(
            id=each["id"],
            name=each["name"] or "",
            status=each["status"],
            min_disk=each.get("min_disk") or 0,
            min_ram=each.get("min_ram") or 0,
            properties={key: value for key, value in each.items() if isinstance(value, str)},
        )
        for each in found.values()
    )


def _network(cloud: Connection, platform: Platform, project: str) -> Networking:
    networks = _get(cloud.network, "/networks")
    external = [
        each["id"]
        for each in networks["networks"]
        if platform.spec.networks.external in (each["id"], each["name"]) and each["router:external"]
    ]
    told = [_get_if_allowed(cloud.network, f"/network-ip-availabilities/{each}") for each in external]
    availabilities = [each["network_ip_availability"] for each in told if each]
    details = _get_if_allowed(cloud.network, f"/quotas/{project}/details.json")
    routers: dict[str, set[str]] = {}
    if len(platform.spec.networks.new_ranges()) < len(RANGES):
        for port in _get(cloud.network, "/ports", device_owner="network:router_interface")["ports"]:
            for address in port["fixed_ips"]:
                routers.setdefault(address["subnet_id"], set()).add(port["device_id"])
    return Networking(
        extensions=frozenset(
            each["alias"] for each in _get(cloud.network, "/extensions", fields="alias")["extensions"]
        ),
        networks=tuple(
            Network(each["id"], each["name"], each["router:external"], each.get("mtu") or 0)
            for each in networks["networks"]
        ),
        subnets=tuple(
            Subnet(
                id=each["id"],
                name=each["name"],
                network_id=each["network_id"],
                cidr=IPv4Network(each["cidr"]),
                pools=tuple(
                    (IPv4Address(pool["start"]), IPv4Address(pool["end"]))
                    for pool in each["allocation_pools"]
                ),
            )
            for each in _get(cloud.network, "/subnets", ip_version="4")["subnets"]
        ),
        gateways={
            each["id"]: (each["external_gateway_info"] or {}).get("network_id", "")
            for each in _get(cloud.network, "/routers")["routers"]
        },
        routers_of={subnet: frozenset(ids) for subnet, ids in routers.items()},
        free={each["network_id"]: each["total_ips"] - each["used_ips"] for each in availabilities},
        quotas=_network_quotas(details["quota"] if details else {}),
    )


def _network_quotas(details: Mapping[str, Any]) -> Quotas:
    names = {
        Kind.PORTS: "port",
        Kind.NETWORKS: "network",
        Kind.SUBNETS: "subnet",
        Kind.ROUTERS: "router",
        Kind.SECURITY_GROUPS: "security_group",
        Kind.RULES: "security_group_rule",
        Kind.FLOATING_IPS: "floatingip",
    }
    return {
        kind: Quota(details[name]["limit"], details[name]["used"] + details[name].get("reserved", 0))
        for kind, name in names.items()
        if name in details
    }


def _volumes(cloud: Connection) -> Volumes:
    pairs = {
        Kind.VOLUMES: ("maxTotalVolumes", "totalVolumesUsed"),
        Kind.GIGABYTES: ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
    }
    zones = _get(cloud.block_storage, "/os-availability-zone")["availabilityZoneInfo"]
    return Volumes(
        types=frozenset(
            name
            for each in _get(cloud.block_storage, "/types")["volume_types"]
            for name in (each["id"], each["name"])
        ),
        zones=_available(zones),
        quotas=_quotas(_get(cloud.block_storage, "/limits")["limits"]["absolute"], pairs),
    )


def _load_balancing(cloud: Connection, project: str) -> LoadBalancing:
    octavia = cloud.load_balancer
    limits = _get(octavia, f"/lbaas/quotas/{project}")["quota"]
    pools = _get(octavia, "/lbaas/pools", project_id=project)["pools"]
    used = {
        Kind.LOAD_BALANCERS: len(_get(octavia, "/lbaas/loadbalancers", project_id=project)["loadbalancers"]),
        Kind.LISTENERS: len(_get(octavia, "/lbaas/listeners", project_id=project)["listeners"]),
        Kind.POOLS: len(pools),
        Kind.MEMBERS: sum(len(pool["members"]) for pool in pools),
        Kind.HEALTH_MONITORS: len(
            _get(octavia, "/lbaas/healthmonitors", project_id=project)["healthmonitors"]
        ),
    }
    names = {
        Kind.LOAD_BALANCERS: "load_balancer",
        Kind.LISTENERS: "listener",
        Kind.POOLS: "pool",
        Kind.MEMBERS: "member",
        Kind.HEALTH_MONITORS: "health_monitor",
    }
    providers = _get(octavia, "/lbaas/providers")["providers"]
    return LoadBalancing(
        providers=frozenset(each["name"] for each in providers),
        quotas={
            kind: Quota(limits[name], used[kind])
            for kind, name in names.items()
            if limits.get(name) is not None
        },
    )


def _stack(cloud: Connection, platform: Platform) -> Stack | None:
    heat = cloud.orchestration
    stacks = _get(heat, "/stacks", name=platform.name)["stacks"]
    if not stacks:
        return None
    stack = stacks[0]
    if ownership.MARK not in (stack.get("tags") or ()):
        return Stack(stack["stack_status"], {}, frozenset(), ours=False)
    listed = _get(heat, f"/stacks/{stack['stack_name']}/{stack['id']}/resources", nested_depth="5")[
        "resources"
    ]
    living = [each for each in listed if each["physical_resource_id"]]
    ids = {each["physical_resource_id"] for each in living}
    holds = Counter(need.taken(Counter(each["resource_type"] for each in living)))
    servers = _get(cloud.compute, "/servers/detail", EMBEDDED_FLAVOR, name=f"^{platform.name}-")["servers"]
    for server in servers:
        if server["id"] in ids:
            holds.update({Kind.CORES: server["flavor"]["vcpus"], Kind.RAM: server["flavor"]["ram"]})
    cluster = next(
        (each.partition("=")[2] for each in stack["tags"] if each.startswith(ownership.METADATA)), ""
    )
    images = f"{addons.NAMESPACE}/{registering.NAME}"  # the registry's claim, and its load balancer
    for volume in _get(cloud.block_storage, "/volumes/detail")["volumes"]:
        if volume["id"] in ids:
            holds[Kind.GIGABYTES] += volume["size"]
        kept = stored.read("volume", volume)
        if kept.claimed and (kept.cluster, kept.claim) == (cluster, images):
            holds.update({Kind.VOLUMES: 1, Kind.GIGABYTES: kept.size})
    if holds[Kind.INSTANCES]:
        holds.update(need.DNS)
    if holds[Kind.HEALTH_MONITORS]:
        holds[Kind.PORTS] += need.CHECKING_PORTS
    if platform.spec.registry is not None:
        balancers = _get(cloud.load_balancer, "/lbaas/loadbalancers", name=images)["loadbalancers"]
        owners = [ownership.owner_of(each["tags"]) for each in balancers]
        if any(each is not None and each.cluster == cluster for each in owners):
            holds.update(need.REGISTRY)
    return Stack(stack["stack_status"], dict(holds), frozenset(ids))


def _quotas(limits: Mapping[str, int], pairs: Mapping[Kind, tuple[str, str]]) -> dict[Kind, Quota]:
    return {
        kind: Quota(limits[limit], limits.get(used))
        for kind, (limit, used) in pairs.items()
        if limit in limits
    }


def _available(zones: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(zone["zoneName"] for zone in zones if zone["zoneState"]["available"])
