"""Why a pod has its network, or has not: facts of both sides, then the causes, likeliest first.

``gather`` reads, ``explain`` judges and is pure; what remains comes from the room's own plan.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from causeway.cloud.neutron import Neutron, Port, Trunk
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Node, Pod, PodPort
from causeway.kube.resource import EVENTS, NODES, POD_PORTS, PODS
from causeway.rooms.pods.actual import View
from causeway.rooms.pods.apply import told_of
from causeway.rooms.pods.desired import desired_of
from causeway.rooms.pods.model import Actual, OwnedPort, Site
from causeway.rooms.pods.plan import plan

_DAEMON = "app.kubernetes.io/name=causeway-node"


@dataclass(frozen=True)
class Facts:
    """Everything an explanation is drawn from; ``containers`` and ``warnings`` are sentences."""

    pod: Pod
    site: Site
    ports: tuple[Port, ...] = ()  # those of the pod and the nodes' parent ports
    trunks: tuple[Trunk, ...] = ()
    told: PodPort | None = None
    node: Node | None = None
    containers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    controller: Finding | None = None  # what is wrong with the controller itself
    daemon: Finding | None = None  # what is wrong with the node daemon of the pod's node


async def gather(
    kube: Client,
    neutron: Neutron,
    site: Site,
    *,
    namespace: str,
    name: str,
    controller: Finding | None,
) -> Facts:
    """Read all facts about one pod; raises ``NotFound`` when there is no such pod."""
    raw = await kube.get(PODS, name, namespace)
    pod = msgspec.convert(raw, Pod)
    told, node = None, None
    with contextlib.suppress(NotFound):
        told = await kube.get(POD_PORTS, name, namespace, of=PodPort)
    with contextlib.suppress(NotFound):
        node = await kube.get(NODES, pod.spec.node_name, of=Node) if pod.spec.node_name else None
    events = await kube.list(EVENTS, namespace, fields=f"regarding.uid={pod.metadata.uid},type=Warning")
    return Facts(
        pod,
        site,
        tuple(await neutron.list_owned_ports(site.cluster)),
        tuple(await neutron.list_trunks()),
        told,
        node,
        tuple(_containers(raw)),
        tuple(f"{one.get('reason', '')}: {one.get('note', '')}" for one in events.items[-3:]),
        controller,
        await _daemon(kube, pod.spec.node_name),
    )


def explain(facts: Facts) -> Explanation:
    """Return what is desired, what is there, what remains and why."""
    meta, wanted = facts.pod.metadata, desired_of(facts.pod)
    present = _present(facts)
    remaining = tuple(str(step) for step in plan(wanted, present, facts.site))
    one = f"one, a subport on node {wanted.node}" if wanted else f"none: {_none(facts.pod)}"
    return Explanation(
        f"pod {meta.namespace}/{meta.name}",
        {"port": one},
        {
            "port": [_port(port, facts) for port in present.ports] or "none",
            "node was told": "yes" if present.told else "no",
            "address in Kubernetes": facts.pod.status.pod_ip or "none",
        },
        remaining,
        tuple(causes(facts, present, unfinished=bool(remaining))),
    )


def causes(facts: Facts, present: Actual, *, unfinished: bool) -> Iterator[Finding]:
    """Yield what is wrong, in the order in which a pod gets its network."""
    pod = facts.pod
    place = f"pod {pod.metadata.namespace}/{pod.metadata.name}"
    if not pod.spec.node_name:
        yield _unscheduled(place, pod)
        return
    if facts.node is not None and not _true(facts.node.status.conditions, "Ready"):
        message = next((one.message for one in facts.node.status.conditions if one.type == "Ready"), "silent")
        yield Finding(f"node {pod.spec.node_name}", f"it is not ready: {message}", "Look at this node first.")
    if desired_of(pod) is not None:
        yield from _network(place, facts, present, unfinished=unfinished)
    for sentence in facts.containers:
        remedy = f"kubectl -n {pod.metadata.namespace} describe pod {pod.metadata.name}"
        yield Finding(place, sentence, remedy)


def _network(place: str, facts: Facts, present: Actual, *, unfinished: bool) -> Iterator[Finding]:
    node = facts.pod.spec.node_name
    attached = [port.id for port in present.ports if port.attached]
    if present.trunk_id is None:
        remedy = "Check that the node's server was made by the platform's stack and its trunk still exists."
        yield Finding(place, f"node {node} has no trunk of this platform", remedy)
    elif unfinished:
        yield Finding(place, _missing(present), "; ".join(facts.warnings) or "Usually done within a second.")
    if unfinished and facts.controller:
        yield facts.controller
    down = [port.id for port in facts.ports if port.id in attached and port.status == "DOWN"]
    if down and not unfinished:
        remedy = f"See the log of the pod causeway-node on {node} in kube-system."
        yield Finding(place, f"its subport {down[0]} is DOWN: the node does not serve its VLAN", remedy)
    if facts.daemon and not _true(facts.pod.status.conditions, "Ready"):
        yield facts.daemon


def _missing(present: Actual) -> str:
    if not present.ports:
        return "it has no port yet"
    if not any(port.attached for port in present.ports):
        return "its port is no subport of the node's trunk yet"
    return (
        "its node is not told of the port yet" if present.told is None else "its port is not as it should be"
    )


def _present(facts: Facts) -> Actual:
    meta, wanted = facts.pod.metadata, desired_of(facts.pod)
    view = View(facts.site.cluster)
    view.take(view.begin(), facts.ports, facts.trunks)
    told = told_of(facts.told) if facts.told and facts.told.spec.pod_uid == meta.uid else None
    return view.actual(meta.uid, wanted.node if wanted else None, told)


def _port(port: OwnedPort, facts: Facts) -> str:
    state = next(one.status for one in facts.ports if one.id == port.id)
    where = f"VLAN {port.attached.vlan} of trunk {port.attached.trunk_id}" if port.attached else "no subport"
    return f"{port.id} {', '.join(port.addresses)} {state}, {where}"


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
