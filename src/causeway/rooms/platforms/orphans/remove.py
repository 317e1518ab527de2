"""Deleting orphans, in an order in which nothing holds what comes after it; the only writer."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.connection import explained
from causeway.cloud.networks import ROUTER_OWNERS
from causeway.rooms.platforms import credential, image_store, stored, stored_removal
from causeway.rooms.platforms.orphans.model import KEYS, RECORDS, Orphan, Thing
from causeway.rooms.platforms.stored import Stored

ORDER = (
    KEYS,
    "application credential",  # whoever still acts by it must not make anew what is being deleted
    RECORDS,  # before the address it leads to can be somebody else's
    "load balancer",
    "floating IP",
    "server",
    "trunk",
    "port",
    "network",
    "subnet",
    "router",
    "security group",
    "address group",
    "backup",
    "snapshot",
    "volume",
    "share snapshot",
    "share",
    stored.CONTAINER,
)
_COLLECTIONS = {
    "floating IP": "floatingips",
    "trunk": "trunks",
    "port": "ports",
    "network": "networks",
    "subnet": "subnets",
    "router": "routers",
    "security group": "security-groups",
    "address group": "address-groups",
}
_SECONDS = 180.0  # a load balancer or a server may take to go
_PAUSE = 0.5


@dataclass(frozen=True)
class Kept:
    """An orphan that could not be deleted, and why."""

    orphan: Orphan
    cause: str


def remove(
    cloud: Connection, orphans: Iterable[Orphan], waiting_for: Callable[[str], None]
) -> tuple[list[Orphan], list[Kept]]:
    """Delete orphans; return those that are gone and those that are not, with the cause."""
    gone: list[Orphan] = []
    kept: list[Kept] = []
    ranked = sorted(orphans, key=lambda each: ORDER.index(each.thing.type))
    with explained("orphans"):
        _release(cloud, {each.thing.id for each in ranked if each.thing.type == "port"})
        storing = [each for each in ranked if each.thing.type in stored.COLLECTIONS.values()]
        for each in ranked:
            if each in storing:
                continue
            waiting_for(str(each.thing))
            cause = _delete(cloud, each.thing)
            if cause:
                kept.append(Kept(each, cause))
            else:
                gone.append(each)
        causes = _delete_stored(cloud, [each.thing for each in storing], waiting_for)
    gone += [each for each in storing if each.thing.id not in causes]
    kept += [Kept(each, causes[each.thing.id]) for each in storing if each.thing.id in causes]
    return gone, kept


def _delete_stored(
    cloud: Connection, things: Sequence[Thing], waiting_for: Callable[[str], None]
) -> dict[str, str]:
    """Delete what claims had stored; return why those are not gone that are not, by id."""
    if not things:
        return {}
    ids = {each.id for each in things}

    def look(kinds: frozenset[str]) -> list[Stored]:
        return [each for each in stored.everything(cloud, kinds) if each.id in ids]

    kinds = {each.type for each in things}
    return {each.id: cause for each, cause in stored_removal.delete(cloud, kinds, look, waiting_for)}


def _delete(cloud: Connection, thing: Thing) -> str:
    """Delete one thing and wait until it is gone; return why it is not, "" if it is."""
    if thing.type in ("application credential", KEYS, stored.CONTAINER):
        return _delete_at_once(cloud, thing)
    if thing.type == "network":
        _leave_routers(cloud, {"network_id": thing.id})
    if thing.type == "router":
        _leave_routers(cloud, {"device_id": thing.id})
    service, path, query = _place(cloud, thing)
    deadline = time.monotonic() + _SECONDS
    while True:
        response = service.delete(path, params=query)
        if response.status_code == 404:
            return ""
        if response.status_code == 409 and thing.type != "load balancer":
            return _words(response)  # somebody who is no orphan uses it
        if response.status_code != 409:
            sdk.raise_from_response(response)
            if thing.type not in ("load balancer", "server"):
                return ""
        if time.monotonic() >= deadline:
            return f"still there {_SECONDS:.0f} s after its deletion was asked for"
        time.sleep(_PAUSE)


def _delete_at_once(cloud: Connection, thing: Thing) -> str:
    """Delete what is gone when that has answered; return why it is not, "" if it is."""
    cluster = thing.owner.cluster
    if thing.type == stored.CONTAINER:
        image_store.delete(cloud, cluster)
    elif thing.type == KEYS:
        if not image_store.revoke_of(cloud, cluster, thing.name):
            return str(image_store.unrevoked(cluster, thing.name))
    else:
        credential.delete(cloud, thing.id)
    return ""


def _place(cloud: Connection, thing: Thing) -> tuple[Any, str, dict[str, str]]:
    services: dict[str, tuple[Any, str, dict[str, str]]] = {
        "load balancer": (cloud.load_balancer, f"/lbaas/loadbalancers/{thing.id}", {"cascade": "true"}),
        "server": (cloud.compute, f"/servers/{thing.id}", {}),
    }
    if thing.type in services:
        return services[thing.type]
    if thing.type == RECORDS:
        zone, _, identifier = thing.id.partition("/")
        return cloud.dns, f"/zones/{zone}/recordsets/{identifier}", {}
    return cloud.network, f"/{_COLLECTIONS[thing.type]}/{thing.id}", {}


def _release(cloud: Connection, ports: set[str]) -> None:
    """Take subports off whichever trunk holds them."""
    for trunk in _get(cloud, "trunks", {"project_id": cloud.current_project_id or ""}):
        subports = [{"port_id": each["port_id"]} for each in trunk["sub_ports"] if each["port_id"] in ports]
        if subports:
            answer = cloud.network.put(f"/trunks/{trunk['id']}/remove_subports", json={"sub_ports": subports})
            if answer.status_code not in (404, 409):  # gone meanwhile, or told when the port is deleted
                sdk.raise_from_response(answer)


def _leave_routers(cloud: Connection, query: dict[str, str]) -> None:
    for port in _get(cloud, "ports", query):
        if port["device_owner"] in ROUTER_OWNERS:
            path = f"/routers/{port['device_id']}/remove_router_interface"
            answer = cloud.network.put(path, json={"port_id": port["id"]})
            if answer.status_code not in (404, 409):
                sdk.raise_from_response(answer)


def _get(cloud: Connection, collection: str, query: dict[str, str]) -> Sequence[dict[str, Any]]:
    response = cloud.network.get(f"/{collection}", params=query)
    sdk.raise_from_response(response)
    found: list[dict[str, Any]] = response.json()[collection]
    return found


def _words(response: Any) -> str:
    try:
        sdk.raise_from_response(response)
    except sdk.SDKException as error:
        return " ".join(str(getattr(error, "details", None) or error).split())
    return ""
