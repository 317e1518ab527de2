"""Nodes and servers to test with."""

from causeway.cloud.nova import Address, Flavor, Server
from causeway.kube.objects import Condition, Meta, Node, NodeAddress, NodeSpec, NodeStatus, Taint
from causeway.rooms.nodes.model import PROVIDED_ADDRESS, UNINITIALISED, Landscape

REGION, CLUSTER = "RegionOne", "c1"
WAITING = Taint(UNINITIALISED, "true", "NoSchedule")


def server(
    identifier: str = "s1",
    *,
    name: str = "w1",
    status: str = "ACTIVE",
    fixed: tuple[str, ...] = ("10.10.0.5",),
    floating: tuple[str, ...] = (),
    cluster: str = "",
) -> Server:
    """Return a server with ports on one network."""
    addresses = [Address(each) for each in fixed] + [Address(each, type="floating") for each in floating]
    metadata = {"causeway-cluster": cluster} if cluster else {}
    return Server(
        identifier,
        name,
        status,
        {"net": addresses} if addresses else {},
        Flavor("m1.large"),
        metadata,
        "nova",
    )


def node(
    name: str = "w1",
    *,
    provider_id: str = "openstack:///s1",
    ready: bool = True,
    taints: tuple[Taint, ...] = (),
    provided: str = "10.10.0.5",
    labels: dict[str, str] | None = None,
    addresses: tuple[NodeAddress, ...] = (),
) -> Node:
    """Return a node as its kubelet makes it."""
    return Node(
        Meta(name=name, uid=f"uid-{name}", labels=labels or {}, annotations={PROVIDED_ADDRESS: provided}),
        NodeSpec(provider_id=provider_id, taints=taints),
        NodeStatus(addresses=addresses, conditions=(Condition("Ready", "True" if ready else "Unknown"),)),
    )


def seen(*servers: Server, region: str = REGION) -> Landscape:
    """Return a listing."""
    return Landscape({each.id: each for each in servers}, region, CLUSTER)
