"""Why a pod has its network, or has not: facts of both sides, then the causes, likeliest first.

``gather`` reads, ``explain`` judges and is pure.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from causeway.cloud.neutron import Neutron, Port, Trunk
from causeway.cloud.prepared_ports import PreparedPort, PreparedPorts
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Claim, NetworkPolicy, Node, Pod, PoolPort, PortPool
from causeway.kube.podnetwork import PORT, is_plain, is_selected
from causeway.kube.resource import EVENTS, NETWORK_POLICIES, NODES, PODS, PORT_POOLS
from causeway.rooms.pods.actual import TrunkState, View
from causeway.rooms.pods.desired import needs_port
from causeway.rooms.pods.model import CHASSIS_LABEL, host_of
from causeway.rooms.pods.neighbours import NetworkOfNamespace, Subnet
from causeway.rooms.pods.pools import SUPPLIED
from causeway.rooms.pods.prepared import find, policies_do_not_apply, strange_use, usable

_DAEMON = "app.kubernetes.io/name=causeway-node"


@dataclass(frozen=True)
class Facts:
    """Everything an explanation is drawn from; ``containers`` and ``warnings`` are sentences."""

    pod: Pod
    cluster: str
    ports: tuple[Port, ...] = ()  # those of the pods and the nodes' parent ports
    trunks: tuple[Trunk, ...] = ()
    pool: PortPool | None = None
    policies: tuple[NetworkPolicy, ...] = ()  # of the pod's namespace
    node: Node | None = None
    containers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    controller: Finding | None = None  # what is wrong with the controller itself
    prepared: tuple[PreparedPort, ...] = ()  # given to the platform's pods by people
    daemon: Finding | None = None  # what is wrong with the node daemon of the pod's node


@dataclass(frozen=True)
class _Present:
    """What there is for the pod: its claim, its port, whether one waits for it, the trunk of its node."""

    claim: Claim | None
    port: Port | None
    waiting: bool
    ready: int
    trunk: TrunkState | None
    native: bool = False
    lent: bool = False


async def gather(
    kube: Client,
    neutron: Neutron,
    people: PreparedPorts,
    cluster: str,
    *,
    namespace: str,
    name: str,
    controller: Finding | None,
) -> Facts:
    """Read all facts about one pod; raises ``NotFound`` when there is no such pod."""
    raw = await kube.get(PODS, name, namespace)
    pod = msgspec.convert(raw, Pod)
    pool, node = None, None
    if pod.spec.node_name:
        with contextlib.suppress(NotFound):
            pool = await kube.get(PORT_POOLS, pod.spec.node_name, of=PortPool)
        with contextlib.suppress(NotFound):
            node = await kube.get(NODES, pod.spec.node_name, of=Node)
    events = await kube.list(EVENTS, namespace, fields=f"regarding.uid={pod.metadata.uid},type=Warning")
    policies = await kube.list(NETWORK_POLICIES, namespace, of=NetworkPolicy)
    return Facts(
        pod,
        cluster,
        tuple(await neutron.list_owned_ports(cluster)),
        tuple(await neutron.list_trunks()),
        pool,
        tuple(policies.items),
        node,
        tuple(_containers(raw)),
        tuple(f"{one.get('reason', '')}: {one.get('note', '')}" for one in events.items[-3:]),
        controller,
        tuple(await people.list_prepared_ports(cluster)),
        await _daemon(kube, pod.spec.node_name),
    )


def explain(facts: Facts) -> Explanation:
    """Return what is desired, what is there, what remains and why."""
    pod, present = facts.pod, _present(facts)
    meta, wanted = pod.metadata, needs_port(pod)
    plain = is_plain(pod, facts.policies)
    kind = "any ready port of its network" if plain else "one made for it alone"
    if PORT in meta.annotations:
        kind = f"the one that was prepared for it, {meta.annotations[PORT]!r}"
    return Explanation(
        f"pod {meta.namespace}/{meta.name}",
        {"port": f"{kind}, on node {pod.spec.node_name}" if wanted else f"none: {_none(pod)}"},
        {
            "port": _port(present) if present.port else "none",
            "ready ports on its node": present.ready,
            "address in Kubernetes": pod.status.pod_ip or "none",
        },
        tuple(_remaining(present, plain=plain, wish=PORT in meta.annotations)) if wanted else (),
        tuple(causes(facts, present, plain=plain)),
    )


def causes(facts: Facts, present: _Present, *, plain: bool) -> Iterator[Finding]:
    """Yield what is wrong, in the order in which a pod gets its network."""
    pod = facts.pod
    place = f"pod {pod.metadata.namespace}/{pod.metadata.name}"
    if not pod.spec.node_name:
        yield _unscheduled(place, pod)
        return
    if facts.node is not None and not _true(facts.node.status.conditions, "Ready"):
        message = next((one.message for one in facts.node.status.conditions if one.type == "Ready"), "silent")
        yield Finding(f"node {pod.spec.node_name}", f"it is not ready: {message}", "Look at this node first.")
    if needs_port(pod):
        yield from _network(place, facts, present, plain=plain)
    for sentence in facts.containers:
        remedy = f"kubectl -n {pod.metadata.namespace} describe pod {pod.metadata.name}"
        yield Finding(place, sentence, remedy)


def _network(place: str, facts: Facts, present: _Present, *, plain: bool) -> Iterator[Finding]:
    node = facts.pod.spec.node_name
    if present.trunk is None and not present.native:
        remedy = "Check that the node's server was made by the platform's stack and its trunk still exists."
        yield Finding(place, f"node {node} has no trunk of this platform", remedy)
    elif present.claim is None:
        at_hand = present.waiting or (plain and present.ready)
        if not at_hand:
            told = _refusal(facts, present)
            cause, remedy = (
                (told.cause, told.remedy) if told else ("there is no port for it yet", _remedy(facts))
            )
            yield Finding(place, cause, remedy)
            if facts.controller:
                yield facts.controller
    elif present.port is None and present.lent:
        yield Finding(place, "its prepared port is gone, or its tags were removed", "Delete the pod.")
    elif present.port is None:
        yield Finding(place, "its port does not exist any more", _remedy(facts))
    elif present.trunk is not None and not present.native and present.port.id not in present.trunk.vlans:
        yield Finding(place, "its port is no subport of the node's trunk any more", _remedy(facts))
    elif present.port.status == "DOWN":
        remedy = f"See the log of the pod causeway-node on {node} in kube-system."
        served = "it is not on the node's bridge" if present.native else "the node does not serve its VLAN"
        yield Finding(place, f"its port {present.port.id} is DOWN: {served}", remedy)
    if present.claim is not None and present.lent and is_selected(facts.pod, facts.policies):
        told = policies_do_not_apply(present.claim.port_id).finding
        yield from [Finding(place, told.cause, told.remedy)] if told else []
    if facts.daemon and not _true(facts.pod.status.conditions, "Ready"):
        yield facts.daemon


def _refusal(facts: Facts, present: _Present) -> Finding | None:
    """Return why a pod does not have the prepared port it asks for, as far as the port itself says."""
    meta = facts.pod.metadata
    if PORT not in meta.annotations:
        return None
    port, wish = find(meta.annotations[PORT].strip(), meta.namespace, facts.cluster, facts.prepared)
    if port is None:
        return wish.finding
    # Whether its network is the pod's, the controller has said in an Event.
    subnets = tuple(Subnet(fixed.subnet_id, 0) for fixed in port.fixed_ips)
    network = NetworkOfNamespace(port.network_id, subnets, (), 0)
    selected = is_selected(facts.pod, facts.policies)
    view = _view(facts)
    placed = port.id in view.attached or port.is_lent(facts.cluster)
    wish = usable(port, network, native=present.native, selected=selected, placed=placed)
    if wish.finding is None and port.id not in view.attached:
        return strange_use(port, facts.cluster, parents=view.prepared.parents)
    return wish.finding


def _remaining(present: _Present, *, plain: bool, wish: bool) -> Iterator[str]:
    if present.claim is not None:
        return
    if not (present.waiting or (plain and present.ready)):
        place = "the node's chassis" if present.native else "the node's trunk"
        yield f"controller: {'bring its' if wish else 'make a'} port {'to' if wish else 'for'} {place}"
    yield "node: give the pod a port and make its link"


def _remedy(facts: Facts) -> str:
    conditions = facts.pool.status.conditions if facts.pool else ()
    said = [
        f"{one.reason}: {one.message}" for one in conditions if (one.type, one.status) == (SUPPLIED, "False")
    ]
    return "; ".join([*facts.warnings, *said][-2:]) or "Usually done within a second."


def _present(facts: Facts) -> _Present:
    view = _view(facts)
    uid = facts.pod.metadata.uid
    claims = facts.pool.status.claims if facts.pool else ()
    entries = facts.pool.spec.ports if facts.pool else ()
    claim = next((one for one in claims if (one.pod_uid, one.interface) == (uid, "")), None)
    taken = {one.port_id for one in claims}
    free = [one for one in entries if one.port_id not in taken and not one.retiring]
    own = next((one for one in free if (one.pod_uid, one.interface) == (uid, "")), None)
    port_id = claim.port_id if claim else own.port_id if own else ""
    ready = sum(1 for one in free if _serves(one, facts.pod))
    trunk = view.trunk_of(facts.pod.spec.node_name)
    native = facts.node is not None and CHASSIS_LABEL in facts.node.metadata.labels
    port = view.ports.get(port_id) or view.prepared.ports.get(port_id)
    lent = any(one.prepared and one.port_id == port_id for one in entries)
    return _Present(claim, port, own is not None, ready, trunk, native, lent)


def _view(facts: Facts) -> View:
    view = View(facts.cluster)
    view.take(view.begin(), facts.ports, facts.trunks, facts.prepared)
    return view


def _serves(entry: PoolPort, pod: Pod) -> bool:
    return not entry.pod_uid and entry.namespace in ("", pod.metadata.namespace)


def _port(present: _Present) -> str:
    if present.port is None:
        return "none"
    vlan = present.trunk.vlans.get(present.port.id) if present.trunk else None
    where = f"VLAN {vlan} of trunk {present.trunk.id}" if present.trunk and vlan else "no subport"
    if present.native:
        host = present.port.host if isinstance(present.port, PreparedPort) else host_of(present.port)
        where = f"for chassis {host or 'none'}"
    addresses = ", ".join(fixed.ip_address for fixed in present.port.fixed_ips)
    return f"{present.port.id} {addresses} {present.port.status}, {where}"


def _unscheduled(place: str, pod: Pod) -> Finding:
    for one in pod.status.conditions:
        if one.type == "PodScheduled" and one.status != "True":
            remedy = "Add nodes to a pool of the platform file and apply, or ask for less."
            return Finding(place, f"no node takes it: {one.message or one.reason}", remedy)
    return Finding(place, "it has no node yet", "Check that the scheduler runs.")


def _none(pod: Pod) -> str:
    if pod.spec.host_network:
        return "it uses the network of its node"
    return "it has no node yet" if not pod.spec.node_name else f"it has ended ({pod.status.phase})"


def _true(conditions: Any, kind: str) -> bool:
    return any(one.type == kind and one.status == "True" for one in conditions)


def _containers(raw: Mapping[str, Any]) -> Iterator[str]:
    status = raw.get("status", {})
    for one in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = one.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in {"ContainerCreating", "PodInitializing"}:
            told = " ".join(filter(None, (waiting.get("reason"), waiting.get("message"))))
            yield f"container {one['name']} waits: {told}"
        last = one.get("lastState", {}).get("terminated")
        if last and not one.get("ready"):
            status, reason = last.get("exitCode"), last.get("reason", "")
            yield f"container {one['name']} ended before with status {status} ({reason})"


async def _daemon(kube: Client, node: str) -> Finding | None:
    if not node:
        return None
    listed = await kube.list(PODS, "kube-system", labels=_DAEMON, fields=f"spec.nodeName={node}", of=Pod)
    if any(_true(pod.status.conditions, "Ready") for pod in listed.items):
        return None
    state = "does not run" if not listed.items else "is not ready"
    remedy = "kubectl -n kube-system get pods -o wide"
    return Finding(f"node {node}", f"the node daemon {state} there", remedy)
