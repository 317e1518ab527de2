"""``causeway explain`` without an object: all that is not as it should be, by what Kubernetes says of it."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from causeway.cli.explaining import controller_trouble
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding
from causeway.kube.client import Client
from causeway.kube.objects import Condition, Namespace, Node, Pod, PortPool, Service, key_of
from causeway.kube.podnetwork import NETWORK_CONDITION, is_connected
from causeway.kube.resource import NAMESPACES, NODES, PODS, PORT_POOLS, SERVICES
from causeway.rooms.pods.pools import SUPPLIED
from causeway.rooms.services.model import CONDITION

_PODS = 20  # that are named; the others usually wait for the same


@dataclass(frozen=True)
class Everything:
    """What is looked at; ``controller`` is what is wrong with the controller itself."""

    nodes: list[Node]
    pools: list[PortPool]
    namespaces: list[Namespace]
    services: list[Service]
    pods: list[Pod]
    controller: Finding | None = None


async def gather(kube: Client) -> Everything:
    """Read all of it, in five lists."""
    nodes, pools, namespaces, services, pods, controller = await asyncio.gather(
        kube.list(NODES, of=Node),
        kube.list(PORT_POOLS, of=PortPool),
        kube.list(NAMESPACES, of=Namespace),
        kube.list(SERVICES, of=Service),
        kube.list(PODS, fields="status.phase=Pending", of=Pod),
        controller_trouble(kube),
    )
    return Everything(nodes.items, pools.items, namespaces.items, services.items, pods.items, controller)


def explain(seen: Everything) -> Explanation:
    """Return what is wrong, from what others depend on to what depends on it."""
    return Explanation(
        "everything",
        {"nodes": "Ready", "pools": "supplied", "services": "served", "pods": "with an address"},
        {
            "nodes": len(seen.nodes),
            "pools": len(seen.pools),
            "namespaces": len(seen.namespaces),
            "services": len(seen.services),
            "pending pods": len(seen.pods),
        },
        causes=tuple(_causes(seen)),
    )


def _causes(seen: Everything) -> Iterator[Finding]:
    if seen.controller is not None:
        yield seen.controller
    for node in seen.nodes:
        ready = next((one for one in node.status.conditions if one.type == "Ready"), Condition("Ready"))
        if ready.status != "True":
            name = node.metadata.name
            yield _finding("node", name, ready.message or ready.reason or "its kubelet has never reported")
    for pool in seen.pools:
        for cause in _false(pool.status.conditions, SUPPLIED):
            name = pool.metadata.name
            yield Finding(f"portpool {name}", cause, f"causeway explain node {name}")
    for namespace in seen.namespaces:
        for cause in _false(namespace.status.conditions, NETWORK_CONDITION):
            yield _finding("namespace", namespace.metadata.name, cause)
    for service in seen.services:
        for cause in _false(service.status.conditions, CONDITION):
            yield _finding("service", key_of(service), cause)
    waiting = [pod for pod in seen.pods if not pod.spec.node_name or _lacks_address(pod)]
    for pod in waiting[:_PODS]:
        yield _finding(
            "pod", key_of(pod), "it has no address yet" if pod.spec.node_name else "it has no node yet"
        )
    if waiting[_PODS:]:
        yield Finding("pods", f"{len(waiting) - _PODS} more wait", "Look at one of those above first.")


def _lacks_address(pod: Pod) -> bool:
    return is_connected(pod) and not pod.status.pod_ip


def _false(conditions: Iterable[Condition], kind: str) -> Iterator[str]:
    for one in conditions:
        if one.type == kind and one.status == "False":
            yield f"{one.reason}: {one.message}".rstrip(". ")


def _finding(kind: str, name: str, cause: str) -> Finding:
    return Finding(f"{kind} {name}", cause, f"causeway explain {kind} {name}")
