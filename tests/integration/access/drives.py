"""What makes the controller and the daemon use each of their rights: one drive a room.

A right that a room needs is used by its drive, or named in ``RARE`` with the reason why a test cannot wait
for it. A room that is new, or does something new with the API, adds its drive here.
"""

from collections.abc import Awaitable, Callable

from tests.integration.access.audit import Right
from tests.integration.access.stage import NODE, UNINITIALISED, Stage

from causeway.kube.errors import Object
from causeway.kube.resource import (
    ENDPOINT_SLICES,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    PORT_POOLS,
    SERVICES,
)

RARE = {
    Right("events.k8s.io", "events", "patch"): "the same news again, a minute later at the earliest",
    Right("", "pods", "patch"): "a pod with further interfaces that a runtime has attached",
}


async def nodes(stage: Stage) -> None:
    """A node is filled in; one whose server is gone goes."""
    await stage.join(NODE, f"openstack:///{stage.site.server.id}", ready=True)
    await stage.join("lost", "openstack:///00000000-0000-0000-0000-000000000000", ready=False)

    async def filled_in() -> bool:
        node = await stage.find(NODES, NODE)
        taints = {each["key"] for each in (node or {}).get("spec", {}).get("taints", [])}
        return bool(node and node["status"].get("addresses") and UNINITIALISED not in taints)

    await stage.come(filled_in, "the node to be filled in")
    await stage.gone(NODES, "lost")


async def pods(stage: Stage) -> None:
    """A node gets a pool; a pod a policy selects gets a port of its own, which goes as its node agrees."""
    await stage.admin.create(NAMESPACES, {"metadata": {"name": "pods"}})

    async def known() -> bool:
        pool = await stage.find(PORT_POOLS, NODE)
        status = (pool or {}).get("status", {})
        return bool(status.get("conditions"))

    await stage.come(known, "the node's pool")
    policy = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}
    await stage.admin.create(NETWORK_POLICIES, {"metadata": {"name": "deny"}, "spec": policy}, "pods")
    meta = {"name": "web", "labels": {"app": "web"}}
    spec = {"nodeName": NODE, "containers": [{"name": "c", "image": "i"}]}
    made = await stage.admin.create(PODS, {"metadata": meta, "spec": spec}, "pods")

    async def given() -> bool:
        pool = await stage.find(PORT_POOLS, NODE)
        return any(each.get("podUID") == made["metadata"]["uid"] for each in (pool or {})["spec"]["ports"])

    await stage.come(given, "the pod's port")
    await stage.admin.delete(PODS, "web", "pods", grace_seconds=0)

    async def agreed() -> bool:
        pool = await stage.find(PORT_POOLS, NODE)
        return bool((pool or {}).get("status", {}).get("observedGeneration"))

    await stage.come(agreed, "the node's word that the port is not handed out any more")


async def services(stage: Stage) -> None:
    """A service gets its load balancer and address, and loses them."""
    await stage.admin.create(NAMESPACES, {"metadata": {"name": "services"}})
    port = {"name": "http", "port": 80, "targetPort": 8080}
    spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [port]}
    await stage.admin.create(SERVICES, {"metadata": {"name": "web"}, "spec": spec}, "services")
    labels = {"kubernetes.io/service-name": "web"}
    part: Object = {
        "metadata": {"name": "web-1", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.20.0.77"]}],
        "ports": [{"name": "http", "port": 8080}],
    }
    await stage.admin.create(ENDPOINT_SLICES, part, "services")

    async def served() -> bool:
        service = await stage.find(SERVICES, "web", "services")
        return bool(service and service["status"]["loadBalancer"].get("ingress"))

    await stage.come(served, "the service's address")
    await stage.admin.delete(SERVICES, "web", "services")
    await stage.gone(SERVICES, "web", "services")


async def namespaces(stage: Stage) -> None:
    """A namespace that asks for what cannot be had is told so."""
    wish = {"causeway.dev/network": "own", "causeway.dev/network-cidr": "nonsense"}
    await stage.admin.create(NAMESPACES, {"metadata": {"name": "own", "annotations": wish}})

    async def told() -> bool:
        namespace = await stage.find(NAMESPACES, "own")
        conditions = (namespace or {}).get("status", {}).get("conditions", [])
        return any(each["type"].startswith("causeway.dev/") for each in conditions)

    await stage.come(told, "the namespace's condition")


DRIVES: tuple[Callable[[Stage], Awaitable[None]], ...] = (nodes, pods, services, namespaces)
