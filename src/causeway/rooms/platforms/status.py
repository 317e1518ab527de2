"""How a platform does, from both sides: what the cloud says of its parts, and what it says of itself.

Reads only, and tells what it could not read instead of failing: a status is asked for when things are broken.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.connection import explained
from causeway.cloud.ownership import METADATA
from causeway.kit.errors import Problem
from causeway.kit.progress import Timing
from causeway.kube.client import Client
from causeway.rooms.platforms import belongings, cluster, nodes, template
from causeway.rooms.platforms.cluster import Component
from causeway.rooms.platforms.groups import node_name
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.nodes import NodeState
from causeway.rooms.platforms.stack import LiveStack
from causeway.rooms.platforms.state import State
from causeway.rooms.platforms.survey import access

_API_SECONDS = 10.0
_SILENT = "the API did not answer"


@dataclass(frozen=True)
class NodeStatus:
    """One node: its server in the cloud and its place in the platform, each "" or None if there is none.

    ``ready`` is None where the platform's API has not told.
    """

    name: str
    role: str
    server: str
    ready: bool | None
    reason: str
    cordoned: bool
    address: str
    version: str
    seconds_to_ready: float | None

    @property
    def works(self) -> bool | None:
        """Return whether its server runs and its kubelet is ready, None if only the server is known to."""
        return self.ready if self.server == "ACTIVE" else False


@dataclass(frozen=True)
class ComponentStatus:
    """A part of the platform, in the cloud or in itself, with what is known of it in words."""

    name: str
    works: bool
    state: str


@dataclass(frozen=True)
class PlatformStatus:
    """Everything ``causeway status`` tells; ``timings`` are of the last apply that changed something."""

    platform: str
    cluster_id: str
    components: tuple[ComponentStatus, ...]
    nodes: tuple[NodeStatus, ...]
    addresses: Mapping[str, str]
    timings: tuple[Timing, ...]

    @property
    def works(self) -> bool:
        """Return whether all parts and all nodes are known to work."""
        return all(each.works for each in self.components) and all(each.works for each in self.nodes)

    def as_data(self) -> dict[str, Any]:
        """Return the status as plain data for machines."""
        return {
            "platform": self.platform,
            "clusterId": self.cluster_id,
            "works": self.works,
            "components": [asdict(each) for each in self.components],
            "nodes": [{**asdict(each), "works": each.works} for each in self.nodes],
            "addresses": dict(self.addresses),
            "timings": {timing.phase: timing.seconds for timing in self.timings},
        }


def status(cloud: Connection, platform: Platform, live: LiveStack, kept: State | None) -> PlatformStatus:
    """Return how the platform does; without its keys only the cloud's side is known."""
    inside = _inside(platform, live, kept)
    with explained(f"platform {platform.name}"):
        balancers = _balancers(cloud, live.cluster_id)
        servers = _servers(cloud, live.cluster_id)
    return PlatformStatus(
        platform=platform.name,
        cluster_id=live.cluster_id,
        components=(
            ComponentStatus("stack", live.status.endswith("_COMPLETE"), _stack_state(live)),
            *balancers,
            *_platform_components(inside),
        ),
        nodes=tuple(_nodes(platform, live, servers, inside)),
        addresses={
            name: str(address)
            for name, key in (("api", "public_api_address"), ("router", "public_router_address"))
            if (address := live.outputs.get(key))
        },
        timings=kept.last_apply if kept else (),
    )


@dataclass(frozen=True)
class _Inside:
    """What the platform's API told; ``failure`` says why it told nothing, ``unknown`` so of a node."""

    nodes: Mapping[str, NodeState]
    components: Sequence[Component]
    failure: str = ""
    unknown: str = ""


def _inside(platform: Platform, live: LiveStack, kept: State | None) -> _Inside:
    if kept is None:
        return _Inside({}, [], "its keys are not here", "the API was not asked")

    async def read() -> _Inside:
        async with Client(access(platform, kept, live)) as client:
            return _Inside(await nodes.states(client), await cluster.components(client))

    try:
        return asyncio.run(asyncio.wait_for(read(), _API_SECONDS))
    except TimeoutError:
        return _Inside({}, [], f"does not answer within {_API_SECONDS:.0f} s", _SILENT)
    except Problem as problem:
        return _Inside({}, [], problem.findings[0].cause, _SILENT)


def _platform_components(inside: _Inside) -> list[ComponentStatus]:
    return [
        ComponentStatus("Kubernetes API", not inside.failure, inside.failure or "answers"),
        *(
            ComponentStatus(each.name, each.works, f"{each.ready} of {each.wanted} ready")
            for each in inside.components
        ),
    ]


def _stack_state(live: LiveStack) -> str:
    return f"{live.status}: {live.reason}" if live.failed else live.status


def _balancers(cloud: Connection, cluster_id: str) -> list[ComponentStatus]:
    return [
        ComponentStatus(
            f"load balancer {each.name}", each.works, f"{each.provisioning}, {each.operating}, {each.address}"
        )
        for each in belongings.balancers(cloud, cluster_id)
    ]


def _servers(cloud: Connection, cluster_id: str) -> dict[str, str]:
    response = cloud.compute.get("/servers/detail")
    sdk.raise_from_response(response)
    return {
        each["name"]: each["status"]
        for each in response.json()["servers"]
        if each["metadata"].get(METADATA) == cluster_id
    }


def _nodes(
    platform: Platform, live: LiveStack, servers: Mapping[str, str], inside: _Inside
) -> list[NodeStatus]:
    roles = {pool.name: pool.role for pool in platform.spec.pools}
    wanted = {
        node_name(platform.name, group.pool, index): roles.get(group.pool, "")
        for group in template.live_groups(live.parameters).values()
        for index in group.indexes()
    }
    return [
        node_status(
            name,
            wanted.get(name, ""),
            servers.get(name, ""),
            inside.nodes.get(name),
            unknown=inside.unknown,
        )
        for name in sorted({*wanted, *servers, *inside.nodes})
    ]


def node_status(
    name: str, role: str, server: str, state: NodeState | None, *, unknown: str = ""
) -> NodeStatus:
    """Return how one node does; ``unknown`` says why the API told of no node at all. Pure."""
    if state is None:
        ready, reason = (None, f"not known: {unknown}") if unknown else (False, "has not joined")
        return NodeStatus(name, role, server, ready, reason, False, "", "", None)
    return NodeStatus(
        name=name,
        role=role or state.role,
        server=server,
        ready=state.ready,
        reason="" if state.ready else state.reason,
        cordoned=state.cordoned,
        address=state.address,
        version=state.version,
        seconds_to_ready=state.seconds_to_ready,
    )
