"""Which server a node is, and what the node should say of itself. Pure."""

import re

from causeway.cloud.nova import Server
from causeway.kit.errors import Problem
from causeway.kube.objects import Node, NodeAddress
from causeway.rooms.nodes.model import (
    INSTANCE_TYPE,
    PROVIDED_ADDRESS,
    REGION,
    UNINITIALISED,
    ZONE,
    Identity,
    Landscape,
    identity_of,
)

_LABEL = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")


def ready(node: Node) -> bool:
    """Return whether the node's kubelet reports that it is well."""
    return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)


def uninitialised(node: Node) -> bool:
    """Return whether the node waits for a cloud controller."""
    return any(each.key == UNINITIALISED for each in node.spec.taints)


def foreign(node: Node, region: str) -> bool:
    """Return whether the node is none of ours: of another cloud or region, or of no cloud."""
    if not node.spec.provider_id:
        return not uninitialised(node)
    identity = identity_of(node.spec.provider_id)
    return identity is None or identity.region not in ("", region)


def identify(node: Node, seen: Landscape) -> Identity | None:
    """Return which server the node is: the one it names, else the only one of its name.

    None when no server has the name; raises ``Problem`` when several have it.
    """
    if node.spec.provider_id:
        return identity_of(node.spec.provider_id)
    found = seen.named(node.metadata.name)
    if len(found) > 1:
        raise Problem.of(
            f"node {node.metadata.name}",
            f"{len(found)} servers have this name: {', '.join(sorted(each.id for each in found))}",
            "Start its kubelet with the provider ID (openstack:///SERVER-ID), or rename the other servers.",
        )
    return Identity(found[0].id) if found else None


def labels_of(server: Server, region: str) -> dict[str, str]:
    """Return the labels that say where a server is and how large; what the cloud does not say is left out."""
    wanted = {ZONE: server.zone, REGION: region, INSTANCE_TYPE: server.flavor.original_name}
    return {key: label for key, value in wanted.items() if (label := _label(value))}


def addresses_of(node: Node, server: Server) -> tuple[NodeAddress, ...]:
    """Return what the node's status should say: addresses inside, addresses outside, host name.

    The address the kubelet was told to use comes first; raises ``Problem`` when the server does not have it,
    because a node could claim anybody's address.
    """
    provided = [each for each in node.metadata.annotations.get(PROVIDED_ADDRESS, "").split(",") if each]
    ports = [address for name in sorted(server.addresses) for address in server.addresses[name]]
    inside = [each.addr for each in ports if each.type == "fixed"]
    outside = [each.addr for each in ports if each.type != "fixed"]
    unknown = [each for each in provided if each not in (*inside, *outside)]
    if unknown and ports:
        has = ", ".join(inside) or "none"
        raise Problem.of(
            f"node {node.metadata.name}",
            f"its kubelet uses {', '.join(unknown)}, but server {server.id} has {has}",
            "Start the kubelet with --node-ip set to an address of the server.",
        )
    inside.sort(key=lambda each: provided.index(each) if each in provided else len(provided))
    if not inside:
        return ()  # its ports are not attached yet
    named = [each for each in node.status.addresses if each.type == "Hostname"]
    return (
        *(NodeAddress("InternalIP", each) for each in inside),
        *(NodeAddress("ExternalIP", each) for each in outside),
        *(named or [NodeAddress("Hostname", node.metadata.name)]),
    )


def _label(value: str) -> str:
    """Return a value as a label can hold it; "" when there is nothing left of it."""
    text = re.sub(r"[^A-Za-z0-9_.-]", "-", value)[:63].strip("-_.")
    return text if _LABEL.match(text) else ""
