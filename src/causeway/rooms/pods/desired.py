"""Which ports the pods of a node need. Pure."""

from collections.abc import Callable, Iterable

from causeway.kube.objects import NetworkPolicy, Pod
from causeway.kube.podnetwork import is_connected, is_plain
from causeway.rooms.pods.model import Need, Wish
from causeway.rooms.pods.neighbours import Groups, Interfaces, Networks

_ENDED = frozenset({"Succeeded", "Failed"})


def needs_port(pod: Pod) -> bool:
    """Return whether a pod needs a port: not without a node, on the node's own network, or after it ended."""
    return is_connected(pod) and pod.status.phase not in _ENDED


def needs_of(
    pod: Pod,
    policies: Iterable[NetworkPolicy],
    networks: Networks,
    groups: Groups,
    interfaces: Interfaces,
    *,
    wish: Callable[[Pod], Wish | None] = lambda _pod: None,
) -> list[Need]:
    """Return the ports a pod needs; none yet while the network of its namespace is not known.

    ``wish`` says what becomes of a pod's wish for a prepared port.
    """
    if not needs_port(pod):
        return []
    meta = pod.metadata
    network = networks.of(meta.namespace)
    if network is None:
        return []
    leaving = meta.deletion_timestamp is not None
    first = Need(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        network=network,
        groups=groups.of(pod),
        plain=is_plain(pod, policies),
        leaving=leaving,
        wish=wish(pod),
    )
    # A network may be asked for once more that ready ports are of: it is the same one then.
    known = {each.network_id: each for each in (networks.of(""), network) if each is not None}
    further = [
        Need(
            uid=meta.uid,
            namespace=meta.namespace,
            name=meta.name,
            network=known.get(each.network.network_id, each.network),
            groups=each.groups,
            plain=False,
            interface=each.interface,
            leaving=leaving,
            subnets=each.subnets,
            addresses=each.addresses,
            mac=each.mac,
        )
        for each in interfaces.of(pod)
    ]
    return [first, *further]
