"""Taking a platform away: everything of it and nothing else, proven by a last look.

The platform's own credential goes first, so that its controllers cannot make anew what is being deleted;
then what they made; then the stack, its load balancers first; and what raced with that is swept once more.
What claims have stored goes last, when no server has it any more, and only if that was asked for. Works on
half-made platforms and can be repeated.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.connection import explained
from causeway.cloud.networks import ROUTER_OWNERS
from causeway.kit.errors import Finding, Problem
from causeway.kit.progress import Phase, Progress
from causeway.kube.client import Client
from causeway.kube.errors import ApiError
from causeway.kube.resource import DEPLOYMENTS
from causeway.rooms.platforms import (
    causes,
    credential,
    image_store,
    name_removal,
    stack,
    state,
    stored,
    stored_removal,
)
from causeway.rooms.platforms.addons import NAMESPACE
from causeway.rooms.platforms.belongings import (
    Belonging,
    belongings,
    load_balancers,
    network,
)
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.stack import LiveStack
from causeway.rooms.platforms.state import State
from causeway.rooms.platforms.stored import Stored
from causeway.rooms.platforms.survey import access
from causeway.rooms.platforms.waiting import gone, settled

_STACK_KINDS = frozenset({"", "platform", "network", "node", "master", "infra", "compute"})
"""Kinds of what the stack made: Heat deletes these, but for load balancers not we."""

_BALANCERS_SECONDS = 300.0
_ROUNDS = 3  # of sweeping and deleting the stack: what was made meanwhile can hold it
_PARALLEL = 4
_PAUSE = 0.5


def destroy(
    cloud: Connection,
    platform: Platform,
    cluster_id: str,
    kept: State | None,
    progress: Progress,
    *,
    delete_volumes: bool | None = None,
) -> list[Stored]:
    """Delete the platform; return what is kept of what its claims and its registry have stored.

    ``delete_volumes`` says what becomes of that; None: nothing was there, and what came meanwhile is left.
    Raises ``Problem`` naming what is left and should not be.
    """
    place = f"platform {platform.name}"
    heat = stack.heat_of(cloud)
    with explained(place):
        live = stack.owned(heat, platform.name)
        if live is not None and live.cluster_id != cluster_id:
            live = None  # another platform has taken the name
        first = live is not None or kept is not None  # it was there until now
        with progress.phase("credential and controllers") as phase:
            credential.revoke(cloud, credential.name_of(platform.name, cluster_id))
            others = image_store.revoke(cloud, cluster_id)
            if live is not None and kept is not None and kept.started:
                phase.waiting_for("the controllers to stop")
                _stop_controllers(platform, kept, live)
        if live is not None and live.busy and not live.status.startswith("DELETE"):
            with progress.phase("stack") as phase:
                live = asyncio.run(settled(heat, live, phase))
        for turn in range(_ROUNDS):
            with progress.phase("what controllers made") as phase:
                sweep(cloud, cluster_id, phase)
            if live is None:
                break
            with progress.phase("stack") as phase:
                _take_balancers_ahead(cloud, cluster_id, phase)
                stack.delete(heat, live)
                left = asyncio.run(gone(heat, live, phase))
                if left is not None and turn == _ROUNDS - 1:
                    raise Problem(*causes.rank(causes.gather(cloud, left)))
                if left is None:
                    live = None
        data = data_of(cloud, platform, cluster_id)
        stuck: list[tuple[Stored, str]] = []
        if delete_volumes:
            stuck, data = _delete_data(cloud, cluster_id, data, progress), []
        with progress.phase("a last look"):
            remaining = belongings(cloud, platform.name, cluster_id)
    if remaining or stuck:
        raise Problem(*map(_left_over, remaining), *(_not_deleted(each, cause) for each, cause in stuck))
    if data and delete_volumes is None:
        raise stored.undecided(data, {})
    if kept is not None:
        state.forget(kept.directory)
    if others and first:  # a container that is kept says so for ever
        raise Problem(*(image_store.unrevoked(cluster_id, each) for each in others))
    return data


def data_of(cloud: Connection, platform: Platform, cluster_id: str) -> list[Stored]:
    """Return what a platform holds that nothing makes again: what its claims have stored, and its images."""
    registry = platform.spec.registry
    swift = registry is not None and registry.storage == "swift"
    return [*stored.claimed(cloud, cluster_id), *image_store.stored(cloud, cluster_id, expected=swift)]


def _delete_data(
    cloud: Connection, cluster_id: str, data: Sequence[Stored], progress: Progress
) -> list[tuple[Stored, str]]:
    """Delete what a platform holds; return what is not gone, with the cause."""
    stuck: list[tuple[Stored, str]] = []
    if kinds := {each.type for each in data} - {stored.CONTAINER}:
        with progress.phase("what claims have stored") as phase:
            look = partial(stored.claimed, cloud, cluster_id)
            stuck = stored_removal.delete(cloud, kinds, look, phase.waiting_for)
    if any(each.type == stored.CONTAINER for each in data):
        with progress.phase("images in the object store"):
            image_store.delete(cloud, cluster_id)
    return stuck


def summary(found: Iterable[Belonging]) -> str:
    """Return in one line how many objects of each type there are."""
    counts = Counter(each.type for each in found)
    return ", ".join(f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in sorted(counts.items()))


def sweep(cloud: Connection, cluster_id: str, phase: Phase) -> None:
    """Delete what the platform's controllers made, and what hangs on it first.

    Raises at its end what the cloud said where addresses still answer names (``name_removal``).
    """
    # First, so that none leads to an address of somebody else.
    failed = name_removal.delete(cloud, cluster_id, phase.waiting_for)
    made = partial(_made_load_balancers, cloud, cluster_id)
    if left := _delete_load_balancers(cloud, made, phase):
        raise Problem(*map(_provider_fails, left))
    for kind in ("floatingips", "ports", "networks", "security-groups", "address-groups"):
        found = made_by_controllers(network(cloud, kind, cluster_id))
        if not found:
            continue
        phase.waiting_for(summary(found))
        if kind == "ports":
            _release_subports(cloud, {each.id for each in found}, network(cloud, "ports", cluster_id))
        if kind == "networks":
            _leave_routers(cloud, [each.id for each in found])
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            list(pool.map(lambda each, kind=kind: _delete(cloud.network, f"/{kind}/{each.id}"), found))
    if failed is not None:
        raise failed


def _made_load_balancers(cloud: Connection, cluster_id: str) -> list[Belonging]:
    return made_by_controllers(load_balancers(cloud, cluster_id))


def _take_balancers_ahead(cloud: Connection, cluster_id: str, phase: Phase) -> None:
    """Delete the platform's load balancers, each whole, before Heat takes those of its stack apart.

    While the parts go one by one, the OVN provider can fall over what a health monitor tells it and forget a
    deletion, for which Heat waits for ever. What fails or is not gone in time is left to Heat, lest it keep
    the servers.
    """
    try:
        _delete_load_balancers(cloud, partial(load_balancers, cloud, cluster_id), phase)
    except sdk.SDKException as error:
        phase.waiting_for(f"load balancers, which are left to Heat: {error}")


def _delete_load_balancers(
    cloud: Connection, look: Callable[[], list[Belonging]], phase: Phase
) -> list[Belonging]:
    """Delete the load balancers that are found, with all their parts; return what is left after minutes."""
    deadline = time.monotonic() + _BALANCERS_SECONDS
    asked: set[str] = set()
    while found := look():
        phase.waiting_for(summary(found))
        if time.monotonic() >= deadline:
            break
        for each in found:
            if each.id not in asked and _delete_balancer(cloud, each.id):
                asked.add(each.id)
        time.sleep(_PAUSE)
    return found


def _delete_balancer(cloud: Connection, identifier: str) -> bool:
    """Ask for the deletion with all its parts; False while the load balancer is at work on something else."""
    response = cloud.load_balancer.delete(f"/lbaas/loadbalancers/{identifier}", params={"cascade": "true"})
    if response.status_code == 409:
        return False
    if response.status_code != 404:
        sdk.raise_from_response(response)
    return True


def _release_subports(cloud: Connection, doomed: set[str], ports: Sequence[Belonging]) -> None:
    parents = {each.id for each in ports if each.made_by == "node"}
    response = cloud.network.get("/trunks")
    sdk.raise_from_response(response)
    for trunk in response.json()["trunks"]:
        subports = [{"port_id": each["port_id"]} for each in trunk["sub_ports"] if each["port_id"] in doomed]
        if trunk["port_id"] in parents and subports:
            answer = cloud.network.put(f"/trunks/{trunk['id']}/remove_subports", json={"sub_ports": subports})
            if answer.status_code not in (404, 409):  # gone with its pod meanwhile: the next round sees
                sdk.raise_from_response(answer)


def _leave_routers(cloud: Connection, networks: Iterable[str]) -> None:
    for each in networks:
        response = cloud.network.get("/ports", params={"network_id": each})
        sdk.raise_from_response(response)
        for port in response.json()["ports"]:
            if port["device_owner"] in ROUTER_OWNERS:
                path = f"/routers/{port['device_id']}/remove_router_interface"
                answer = cloud.network.put(path, json={"port_id": port["id"]})
                if answer.status_code not in (404, 409):  # as above
                    sdk.raise_from_response(answer)


def made_by_controllers(found: Iterable[Belonging]) -> list[Belonging]:
    """Return what the platform's controllers made: what is tagged and not the stack's."""
    return [each for each in found if each.made_by not in _STACK_KINDS]


def _delete(service: Any, path: str) -> None:
    response = service.delete(path)
    if response.status_code not in (404, 409):  # what is in use is looked at again in the next round
        sdk.raise_from_response(response)


def _stop_controllers(platform: Platform, kept: State, live: LiveStack) -> None:
    """End the controllers at once where their API answers; without credentials they end up idle anyway.

    Services may accept a revoked credential's token for as long as they remember having checked it.
    """

    async def stop() -> None:
        async with Client(access(platform, kept, live)) as client:
            await client.scale(DEPLOYMENTS, "causeway-controller", NAMESPACE, 0)
            for _ in range(40):
                deployment = await client.get(DEPLOYMENTS, "causeway-controller", NAMESPACE)
                if not deployment.get("status", {}).get("replicas"):
                    return
                await asyncio.sleep(_PAUSE)

    try:
        asyncio.run(asyncio.wait_for(stop(), timeout=25))
    except (ApiError, Problem, TimeoutError):
        return


def _provider_fails(each: Belonging) -> Finding:
    return Finding(str(each), "is not deleted by its provider", "Run destroy again; see Octavia's log.")


def _left_over(each: Belonging) -> Finding:
    return Finding(
        str(each),
        f"is still there (ID {each.id})",
        "Run destroy again; if it stays, something outside the platform uses it.",
    )


def _not_deleted(each: Stored, cause: str) -> Finding:
    remedy = "Remove the cause and run destroy again, or run it with --keep-volumes."
    return Finding(str(each), f"{cause} ({each.about()})", remedy)
