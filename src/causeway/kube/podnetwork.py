"""How a pod is to be connected, as far as its object and its namespace say: the controller and every node's
daemon read it alike.

Most pods are plain: any ready port of their network will do. For the others a port is made.
"""

from collections.abc import Iterable

from causeway.kube.objects import Namespace, NetworkPolicy, Pod
from causeway.kube.policies import selects

NETWORK = "causeway.dev/network"
"""Annotation of a namespace: ``own`` or ``shared`` network for its pods."""
OWN, SHARED = "own", "shared"
NETWORK_CONDITION = "causeway.dev/Network"
"""Condition of a namespace: whether its pods have the network it asks for; its reason may say which it is."""
ON_OWN = frozenset({"OwnNetwork", "StaysOnOwnNetwork"})
ON_SHARED = frozenset({"SharedNetwork", "StaysOnSharedNetwork"})
"""Reasons of that condition. While pods run, a namespace stays on the network they have."""

NETWORKS = "k8s.v1.cni.cncf.io/networks"
"""Annotation of a pod: further networks it is connected to."""
PORT = "causeway.dev/port"
"""Annotation of a pod: the port that was prepared for it."""


def has_own_network(namespace: Namespace, *, by_default: bool) -> bool:
    """Return whether the pods of a namespace live on a network of its own."""
    for condition in namespace.status.conditions:
        if condition.type == NETWORK_CONDITION and condition.reason in ON_OWN | ON_SHARED:
            return condition.reason in ON_OWN
    said = namespace.metadata.annotations.get(NETWORK)
    return by_default if said not in {OWN, SHARED} else said == OWN


def is_plain(pod: Pod, policies: Iterable[NetworkPolicy]) -> bool:
    """Return whether any ready port of its network will do for a pod; ``policies`` are its namespace's."""
    annotations = pod.metadata.annotations
    return not (NETWORKS in annotations or PORT in annotations or is_selected(pod, policies))


def is_selected(pod: Pod, policies: Iterable[NetworkPolicy]) -> bool:
    """Return whether a NetworkPolicy of its namespace is about a pod."""
    return any(selects(policy, pod.metadata.labels) for policy in policies)


def is_connected(pod: Pod) -> bool:
    """Return whether a pod that is bound to a node needs a network of ours: not the node's own."""
    return bool(pod.spec.node_name) and not pod.spec.host_network
