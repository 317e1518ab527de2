"""From a node and its server to what has to be done. Pure."""

from causeway.cloud.nova import Server
from causeway.kube.objects import Node, Taint
from causeway.rooms.nodes.desired import addresses_of, labels_of, ready
from causeway.rooms.nodes.model import (
    OFF,
    SHUTDOWN,
    STOPPED,
    UNINITIALISED,
    ChangeNode,
    DeleteNode,
    Step,
    WriteAddresses,
    provider_id_of,
)


def plan(node: Node, server: Server, region: str) -> list[Step]:
    """Return the steps for a node whose server exists, in the order in which they are to be done.

    Addresses come first: whoever waits for the taint to go may use them. Raises ``Problem`` when the node
    says what its server contradicts; then nothing of it is changed.
    """
    steps: list[Step] = []
    addresses = addresses_of(node, server)
    if addresses and addresses != node.status.addresses:
        steps.append(WriteAddresses(addresses))
    labels = {
        key: value
        for key, value in labels_of(server, region).items()
        if node.metadata.labels.get(key) != value
    }
    stopped = server.status == STOPPED and not ready(node)
    present = {each.key for each in node.spec.taints}
    change = ChangeNode(
        provider_id=None if node.spec.provider_id else provider_id_of(server.id),
        labels=labels,
        taints_added=tuple(each for each in OFF if each.key not in present) if stopped else (),
        taints_removed=tuple(
            (index, taint.key)
            for index, taint in enumerate(node.spec.taints)
            if (taint.key == UNINITIALISED and addresses) or (_says_off(taint) and not stopped)
        ),
    )
    if change != ChangeNode():
        steps.append(change)
    return steps


def _says_off(taint: Taint) -> bool:
    """Return whether a taint is of a server that is off, and none that somebody wrote by hand."""
    return taint.key == SHUTDOWN or taint in OFF


def plan_gone(node: Node, server: str) -> list[Step]:
    """Return the steps for a node whose server is proven gone: none while its kubelet still reports."""
    return [] if ready(node) else [DeleteNode(server)]
