"""Why a node serves pods, or does not: kubelet, server, ports, pool and daemon side by side.

``gather`` reads, ``explain`` judges and is pure. What remains to be done to the node's object comes from the
room's own plan.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from causeway.cloud.neutron import Neutron, Port, Trunk
from causeway.cloud.nova import Nova, Server
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding, Problem
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Condition, Node, Pod, PortPool
from causeway.kube.pools import levels_of
from causeway.kube.resource import EVENTS, NODES, PODS, PORT_POOLS
from causeway.rooms.nodes.desired import foreign, identify, ready, uninitialised
from causeway.rooms.nodes.model import SHUTDOWN, Identity, Landscape
from causeway.rooms.nodes.plan import plan

_DAEMON = "app.kubernetes.io/name=causeway-node"
_RUNS = "ACTIVE"  # of servers, trunks and ports alike
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


@dataclass(frozen=True)
class Facts:
    """Everything an explanation is drawn from; ``warnings`` are sentences from the node's Events."""

    node: Node
    seen: Landscape
    trunks: tuple[Trunk, ...] = ()  # named like the node
    ports: tuple[Port, ...] = ()  # of the node's server
    pool: PortPool | None = None
    daemon: Pod | None = None
    pods: int = 0
    waiting: tuple[str, ...] = ()  # pods on the node that have no address
    warnings: tuple[str, ...] = ()
    controller: Finding | None = None  # what is wrong with the controller itself


async def gather(
    kube: Client, neutron: Neutron, nova: Nova, *, cluster: str, name: str, controller: Finding | None
) -> Facts:
    """Read all facts about one node; raises ``NotFound`` when there is no such node."""
    node = await kube.get(NODES, name, of=Node)
    pods, daemons, events, servers, region, trunks = await asyncio.gather(
        kube.list(PODS, fields=f"spec.nodeName={name}", of=Pod),
        kube.list(PODS, "kube-system", labels=_DAEMON, fields=f"spec.nodeName={name}", of=Pod),
        kube.list(EVENTS, fields=f"regarding.kind=Node,regarding.name={name},type=Warning"),
        nova.list_servers(),
        nova.region(),
        neutron.list_trunks(name=name),
    )
    seen = Landscape({server.id: server for server in servers}, region, cluster)
    identity, _ = _identity(node, seen)
    waiting = [
        f"{pod.metadata.namespace}/{pod.metadata.name}"
        for pod in pods.items
        if not pod.spec.host_network and not pod.status.pod_ip and pod.status.phase == "Pending"
    ]
    return Facts(
        node,
        seen,
        tuple(trunks),
        tuple(await neutron.list_ports(device_id=identity.server) if identity else ()),
        await _pool(kube, name),
        next(iter(daemons.items), None),
        len(pods.items),
        tuple(waiting),
        tuple(f"{one.get('reason', '')}: {one.get('note', '')}" for one in events.items[-3:]),
        controller,
    )


def explain(facts: Facts) -> Explanation:
    """Return what is desired, what is there, what remains and why."""
    node = facts.node
    identity, trouble = _identity(node, facts.seen)
    server = facts.seen.of(identity) if identity else None
    steps: tuple[str, ...] = ()
    if server is not None and not foreign(node, facts.seen.region):
        try:
            steps = tuple(str(step) for step in plan(node, server, facts.seen.region))
        except Problem as error:
            trouble = trouble or error.findings[0]
    return Explanation(
        f"node {node.metadata.name}",
        {
            "server": identity.server if identity else "one named like the node",
            "kubelet": "Ready",
            "node daemon": "one, ready",
            "trunk": "one named like the node" if facts.trunks else "one, unless the node is native",
        },
        _actual(facts, identity, server),
        steps,
        tuple(_causes(facts, identity, server, trouble, unfinished=bool(steps))),
    )


def _causes(
    facts: Facts,
    identity: Identity | None,
    server: Server | None,
    trouble: Finding | None,
    *,
    unfinished: bool,
) -> Iterator[Finding]:
    """Yield what is wrong, from the ground up: server, port, kubelet, daemon, pool."""
    node, place = facts.node, f"node {facts.node.metadata.name}"
    if not foreign(node, facts.seen.region):
        yield from _server(place, identity, server, trouble)
    for port in facts.ports:
        if port.status != _RUNS and server is not None and server.status == _RUNS:
            remedy = "Look at the agent of the hypervisor the server runs on."
            yield Finding(f"port {port.id}", f"the server's port is {port.status}", remedy)
    for trunk in facts.trunks:
        if trunk.status not in {_RUNS, "DOWN"}:  # DOWN is what a trunk of a stopped server is
            remedy = "openstack network trunk show; Neutron's log says why."
            yield Finding(f"trunk {trunk.id}", f"it is {trunk.status}", remedy)
    yield from _kubelet(place, node)
    yield from _daemon(place, facts)
    if uninitialised(node) or unfinished:
        if facts.controller is not None:
            yield facts.controller
        elif uninitialised(node):
            yield Finding(place, "its cloud side is not filled in yet", "Usually done within seconds.")
    yield from _pool_causes(place, facts)


def _server(
    place: str, identity: Identity | None, server: Server | None, trouble: Finding | None
) -> Iterator[Finding]:
    if trouble is not None:
        yield trouble
    elif identity is None:
        remedy = "Start its kubelet with the provider ID (openstack:///SERVER-ID) of its server."
        yield Finding(place, "no server of the project has its name", remedy)
    elif server is None:
        remedy = "The node is removed by itself when its kubelet is silent; `causeway apply` makes a new one."
        yield Finding(place, f"its server {identity.server} does not exist any more", remedy)
    elif server.status != _RUNS:
        remedy = f"openstack server show {server.id}" + (
            f"; openstack server start {server.id}" if server.status == "SHUTOFF" else ""
        )
        yield Finding(f"server {server.id}", f"it is {server.status}", remedy)


def _kubelet(place: str, node: Node) -> Iterator[Finding]:
    known = {one.type: one for one in node.status.conditions}
    if not ready(node):
        one = known.get("Ready", Condition(type="Ready", status="Unknown"))
        said = one.message or one.reason or "it has never reported"
        remedy = "On the node: journalctl -u kubelet; the story of its start is /var/log/causeway-node.log."
        yield Finding(place, f"its kubelet is not ready: {said}", remedy)
    for pressure in _PRESSURES:
        one = known.get(pressure, Condition(type=pressure, status="False"))
        if one.status == "True":
            yield Finding(place, f"{pressure}: {one.message or one.reason}", f"kubectl describe {place}")


def _daemon(place: str, facts: Facts) -> Iterator[Finding]:
    if facts.daemon is None:
        remedy = "kubectl -n kube-system get daemonset causeway-node; `causeway apply` installs it."
        yield Finding(place, "the node daemon does not run there: no pod gets its network", remedy)
    elif not any(one.type == "Ready" and one.status == "True" for one in facts.daemon.status.conditions):
        remedy = f"kubectl -n kube-system logs {facts.daemon.metadata.name}"
        yield Finding(place, "the node daemon is not ready: no pod gets its network", remedy)


def _pool_causes(place: str, facts: Facts) -> Iterator[Finding]:
    pool = facts.pool
    for one in pool.status.conditions if pool else ():
        if one.status == "False":
            yield Finding(f"portpool {facts.node.metadata.name}", f"{one.reason}: {one.message}", _EXPLAINED)
    if pool is not None and _unconfirmed(pool) and facts.waiting:
        cause = "the node daemon has not confirmed the newest list of its ports"
        yield Finding(f"portpool {facts.node.metadata.name}", cause, "See the daemon's log if that stays so.")
    if facts.waiting:
        some = ", ".join(facts.waiting[:5])
        remedy = f"causeway explain pod {facts.waiting[0]}"
        yield Finding(place, f"{len(facts.waiting)} of its pods have no address yet: {some}", remedy)


def _unconfirmed(pool: PortPool) -> bool:
    """Return whether the daemon is behind; while nothing retires it need not say what it knows."""
    behind = pool.status.observed_generation < pool.metadata.generation
    return behind and any(entry.retiring for entry in pool.spec.ports)


_EXPLAINED = "It goes on by itself when the cause is gone."


def _actual(facts: Facts, identity: Identity | None, server: Server | None) -> dict[str, object]:
    node, pool = facts.node, facts.pool
    kubelet = next((one for one in node.status.conditions if one.type == "Ready"), None)
    taints = [taint.key for taint in node.spec.taints]
    found: dict[str, object] = {
        "server": "of another cloud" if foreign(node, facts.seen.region) else _told_server(identity, server),
        "addresses": [f"{one.type}={one.address}" for one in node.status.addresses] or "none",
        "kubelet": "Ready" if ready(node) else (kubelet.message or kubelet.reason) if kubelet else "silent",
        "ports of the server": [f"{port.id} {port.status}" for port in facts.ports] or "none",
        "trunk": [f"{one.id} {one.status}, {len(one.sub_ports)} subports" for one in facts.trunks] or "none",
        "node daemon": facts.daemon.metadata.name if facts.daemon else "none",
        "pods": facts.pods,
        "taints": taints or "none",
    }
    if SHUTDOWN in taints:
        found["taken as"] = "stopped"
    if pool is not None:
        levels = levels_of(pool)
        found["pool"] = (
            f"{len(pool.spec.ports)} ports: {levels.free} free, {levels.awaited} awaited by a pod, "
            f"{levels.claimed} claimed, {levels.retiring} retiring"
        )
        if _unconfirmed(pool):
            seen, newest = pool.status.observed_generation, pool.metadata.generation
            found["pool confirmed by the node"] = f"generation {seen} of {newest}"
    return found | ({"last warnings": list(facts.warnings)} if facts.warnings else {})


def _told_server(identity: Identity | None, server: Server | None) -> str:
    if server is None:
        return f"{identity.server}: does not exist" if identity else "none"
    where = f" in {server.zone}" if server.zone else ""
    return f"{server.id} {server.name} {server.status}, {server.flavor.original_name}{where}"


def _identity(node: Node, seen: Landscape) -> tuple[Identity | None, Finding | None]:
    try:
        return identify(node, seen), None
    except Problem as error:
        return None, error.findings[0]


async def _pool(kube: Client, name: str) -> PortPool | None:
    try:
        return await kube.get(PORT_POOLS, name, of=PortPool)
    except NotFound:
        return None
