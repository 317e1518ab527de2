"""What a pool says of a port, on which VLAN it can be, what it is called, and what is said of nodes. Pure."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from causeway.cloud.neutron import Port
from causeway.kit.errors import Finding
from causeway.kube.objects import FixedIP, PoolPort
from causeway.rooms.pods.model import Slot, State
from causeway.rooms.pods.neighbours import NetworkOfNamespace, Subnet

VLANS = range(1, 4095)
"""The segmentation ids a trunk can give out."""
_NAME_LENGTH = 255  # of a port


def free_vlans(used: Collection[int], count: int, after: int = 0) -> list[int]:
    """Return up to ``count`` unused VLANs, beginning behind ``after`` and going round.

    Going on from the last one given out lets a freed VLAN rest, should its node still be busy removing it.
    """
    taken, span = set(used), len(VLANS)
    candidates = (VLANS[(after + offset) % span] for offset in range(span))
    return list(islice((vlan for vlan in candidates if vlan not in taken), count))


def entry_of(port: Port, network: NetworkOfNamespace, vlan: int, slot: Slot | None) -> PoolPort:
    """Return what a node has to know about an attached port."""
    subnets = {subnet.id: subnet for subnet in network.subnets}
    return PoolPort(
        port_id=port.id,
        mac_address=port.mac_address,
        fixed_ips=tuple(
            FixedIP(fixed.ip_address, subnet.prefix_length, subnet.gateway)
            for fixed in port.fixed_ips
            if (subnet := subnets.get(fixed.subnet_id))
        ),
        mtu=network.mtu,
        segmentation_id=vlan,
        namespace=network.namespace,
        pod_uid=slot[0] if slot else "",
        interface=slot[1] if slot else "",
    )


def unknown_network(port: Port) -> NetworkOfNamespace:
    """Return a network to describe a port by that is about to go, its own being unknown."""
    lengths = {fixed.subnet_id: 128 if ":" in fixed.ip_address else 32 for fixed in port.fixed_ips}
    subnets = tuple(Subnet(subnet_id, length) for subnet_id, length in lengths.items())
    return NetworkOfNamespace(port.network_id, subnets, (), 1280)


def name_of(namespace: str, name: str) -> str:
    """Return the name of a pod's port in the cloud."""
    return f"{namespace}/{name}"[:_NAME_LENGTH]


def ready_name(node: str) -> str:
    """Return the name of a port that no pod has."""
    return f"ready on {node}"[:_NAME_LENGTH]


def wanted_names(state: State, entries: Iterable[PoolPort]) -> Iterator[tuple[str, str]]:
    """Yield (port id, name) of the ports of a pool that have another name than they should."""
    for entry in entries:
        port, claim = state.ports.get(entry.port_id), state.claims.get(entry.port_id)
        idle = claim is None and (entry.pod_uid or entry.retiring)  # it has its name, or soon needs none
        if port is None or idle:
            continue
        name = name_of(claim.namespace, claim.name) if claim else ready_name(state.node)
        if port.name != name:
            yield port.id, name


def no_trunk(node: str, pods: int) -> Finding:
    """Return what is said while a node has no trunk."""
    return Finding(
        f"node {node}",
        f"it has no trunk of this platform, and {pods} of its pods wait for a port",
        "Check that the node's server was made by the platform's stack and its trunk still exists.",
    )


def trunk_full(node: str) -> Finding:
    """Return what is said while a node can have no more ports."""
    return Finding(
        f"node {node}",
        f"all {len(VLANS)} VLANs of its trunk are in use",
        "Have fewer pods on the node: lower its maxPods, or add nodes.",
    )
