"""Reading what carries our tags in a project, and who lives in a platform.

The cloud is read before Kubernetes: what was made by then had its owner by then.
"""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.connection import explained
from causeway.cloud.ownership import METADATA, VOLUME, Owner, owner_in, owner_of
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Meta
from causeway.kube.resource import (
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    PORT_POOLS,
    SERVICES,
    Resource,
)
from causeway.rooms.platforms import credential, image_store, stack, stored
from causeway.rooms.platforms.belongings import described_record_sets
from causeway.rooms.platforms.image_store import Found
from causeway.rooms.platforms.orphans import claims
from causeway.rooms.platforms.orphans.model import (
    KEYS,
    RECORDS,
    REGISTRY,
    Inhabitants,
    Landscape,
    Thing,
    moment,
)
from causeway.rooms.platforms.stack import LiveStack
from causeway.rooms.platforms.stored import Stored

_NETWORK = {
    "ports": "port",
    "trunks": "trunk",
    "floatingips": "floating IP",
    "security-groups": "security group",
    "address-groups": "address group",
    "networks": "network",
    "subnets": "subnet",
    "routers": "router",
}
_KINDS: Mapping[str, Resource] = {
    "pod": PODS,
    "service": SERVICES,
    "namespace": NAMESPACES,
    "policy": NETWORK_POLICIES,
}
"""Kinds in our tags that are objects of Kubernetes; others are never judged by their UID."""

# Ports that Octavia and its OVN provider make for a load balancer carry its id and nobody's tags.
_VIP_PORT = re.compile(r"^(?:ovn-lb-vip|octavia-lb(?:-vrrp)?)-([0-9a-f-]{36})$")


def landscape(cloud: Connection) -> Landscape:
    """Return what carries our tags in the project of ``cloud``, of whichever cluster."""
    reads: dict[str, Callable[[], list[dict[str, Any]]]] = {
        **{kind: partial(_network, cloud, kind) for kind in _NETWORK},
        "balancers": partial(_listed, cloud.load_balancer, "/lbaas/loadbalancers", "loadbalancers"),
        "servers": partial(_listed, cloud.compute, "/servers/detail", "servers"),
        **{name: partial(stored.listed, cloud, name) for name in stored.COLLECTIONS},
        "stacks": partial(_listed, cloud.orchestration, "/stacks", "stacks"),
        "credentials": partial(credential.all_of, cloud),
        "record sets": partial(described_record_sets, cloud),
    }
    with explained("project"), ThreadPoolExecutor(max_workers=4) as pool:
        parts = {name: pool.submit(read) for name, read in reads.items()}
        containers = pool.submit(image_store.everywhere, cloud)
        found = {name: part.result() for name, part in parts.items()}
        return landscape_of(found, containers.result())


def landscape_of(found: Mapping[str, list[dict[str, Any]]], images: list[Found] | None = None) -> Landscape:
    """Return the landscape from the services' answers by collection. Pure.

    ``images`` are containers of registries' images, None: nobody may look.
    """
    things = [_thing(kind, each) for name, kind in _NETWORK.items() for each in found[name]]
    things += [_thing("load balancer", each) for each in found["balancers"]]
    things += _vip_ports(found)
    for each in found["record sets"]:
        record = _thing(RECORDS, {**each, "id": f"{each['zone_id']}/{each['id']}"})
        things += [replace(record, about=each["type"])] if record is not None else []
    for each in found["servers"]:
        cluster = each.get("metadata", {}).get(METADATA)
        if cluster:
            things.append(_made("server", each, Owner(cluster, "node")))
    kept = [stored.read(kind, each) for name, kind in stored.COLLECTIONS.items() for each in found[name]]
    things += [_stored(each) for each in kept if each.cluster and (each.marked or not each.claimed)]
    strangers = [_stored(each) for each in kept if each.claimed and not each.marked]
    for each in found["credentials"]:
        cluster = credential.cluster_of(each["name"])
        if cluster:
            things.append(_made("application credential", each, Owner(cluster, "platform")))
    for one in images or []:
        things += _images(one)
    stacks = {}
    for each in found["stacks"]:
        owner = [tag.partition("=")[2] for tag in each.get("tags") or [] if tag.startswith(f"{METADATA}=")]
        if owner and each["stack_status"] != "DELETE_COMPLETE":
            stacks[owner[0]] = each["stack_name"]
    unseen = () if images is not None else ("containers of registries' images: this user may not list them",)
    return Landscape(tuple(each for each in things if each is not None), stacks, tuple(strangers), unseen)


def stack_resources(cloud: Connection, live: LiveStack | None) -> frozenset[str] | None:
    """Return the ids of all resources of a stack, None while Heat is at work on it or it failed."""
    if live is None or not live.status.endswith("_COMPLETE"):
        return None
    with explained(f"stack {live.name}"):
        found = stack.resources(stack.heat_of(cloud), live)
    return frozenset(each.physical_id for each in found)


class _Named(msgspec.Struct, gc=False):
    metadata: Meta


class _Port(msgspec.Struct, gc=False, rename="camel"):
    port_id: str = msgspec.field(name="portID", default="")


class _PoolSpec(msgspec.Struct, gc=False):
    ports: list[_Port] = []


class _Pool(msgspec.Struct, gc=False):
    spec: _PoolSpec


async def inhabitants(kube: Client, cluster: str, resources: frozenset[str] | None) -> Inhabitants:
    """Return who lives in the platform ``cluster``; ``resources`` are the ids of its stack's."""
    uids = {
        each.metadata.uid
        for resource in (*_KINDS.values(), NODES)
        for each in (await kube.list(resource, of=_Named)).items
    }
    ports = {port.port_id for each in await _custom(kube, PORT_POOLS, _Pool) for port in each.spec.ports}
    return Inhabitants(
        cluster,
        frozenset(_KINDS),
        frozenset(uids),
        frozenset(ports),
        resources,
        await claims.volumes(kube),
        await claims.snapshots(kube),
    )


async def _custom(kube: Client, resource: Resource, shape: Any) -> list[Any]:
    try:
        return (await kube.list(resource, of=shape)).items
    except NotFound:  # a platform of a release that does not have it
        return []


def _vip_ports(found: Mapping[str, list[dict[str, Any]]]) -> list[Thing]:
    """Return the ports of load balancers that are gone, on networks of ours."""
    networks = {each["id"]: owner for each in found["networks"] if (owner := _owner(each))}
    balancers = {each["id"] for each in found["balancers"]}
    return [
        _made("port", port, networks[port["network_id"]], described=False)
        for port in found["ports"]
        if (named := _VIP_PORT.match(port["name"]))
        and named[1] not in balancers
        and port["network_id"] in networks
    ]


def _thing(kind: str, each: Mapping[str, Any]) -> Thing | None:
    owner = _owner(each)
    return _made(kind, each, owner) if owner is not None else None


def _owner(each: Mapping[str, Any]) -> Owner | None:
    return owner_of(each.get("tags") or []) or owner_in(each.get("description") or "")


def _made(kind: str, each: Mapping[str, Any], owner: Owner, *, described: bool = True) -> Thing:
    return Thing(
        type=kind,
        id=each["id"],
        name=each.get("name") or each.get("floating_ip_address") or "",
        owner=owner,
        made=moment(each.get("created_at") or each.get("created")),
        described=described,
    )


def _stored(each: Stored) -> Thing:
    """Return what is stored; a node's volume may be in use, as its server goes before."""
    return Thing(
        each.type,
        each.id,
        each.name,
        Owner(each.cluster, VOLUME if each.claimed else "node"),
        moment(each.created),
        about=each.about() if each.claimed else "",
        users=each.servers if each.claimed else (),
    )


def _images(each: Found) -> list[Thing]:
    """Return a container of images, and the keys that users have made for it."""
    one = each.container
    owner, made = Owner(one.cluster, REGISTRY), moment(one.created)
    keys = [Thing(KEYS, image_store.access_of(one.cluster, user), user, owner, made) for user in each.users]
    return [*keys, Thing(one.type, one.id, one.name, owner, made, about=one.about())]


def _network(cloud: Connection, kind: str) -> list[dict[str, Any]]:
    """Return a collection of the project itself: an administrator sees everybody's."""
    project = cloud.current_project_id or ""
    return _listed(cloud.network, f"/{kind}", kind.replace("-", "_"), {"project_id": project})


def _listed(
    service: Any, path: str, key: str, query: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    response = service.get(path, params=dict(query or {}))
    sdk.raise_from_response(response)
    found: list[dict[str, Any]] = response.json()[key]
    return found
