"""Which pods need a port. Pure."""

from causeway.kube.objects import Pod
from causeway.rooms.pods.model import Desired

_ENDED = frozenset({"Succeeded", "Failed"})


def desired_of(pod: Pod) -> Desired | None:
    """Return what a pod needs: None before it has a node, on the node's own network, or after it ended."""
    if not pod.spec.node_name or pod.spec.host_network or pod.status.phase in _ENDED:
        return None
    meta = pod.metadata
    return Desired(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        node=pod.spec.node_name,
        leaving=meta.deletion_timestamp is not None,
    )
