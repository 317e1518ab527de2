"""From desired and actual to the next steps. Pure.

A plan goes as far as is known: the address of a port that is still to be made is not. So plans are made and
applied in turn until one is empty; each turn brings the pod strictly nearer.
"""

from collections.abc import Collection

from causeway.kit.errors import Finding
from causeway.kube.objects import FixedIP, PodPortSpec
from causeway.rooms.pods.model import (
    Actual,
    AddSubport,
    Blocked,
    CreatePort,
    DeletePodPort,
    DeletePort,
    Desired,
    OwnedPort,
    RemoveSubport,
    Site,
    Step,
    WritePodPort,
)

VLANS = range(1, 4095)
"""The segmentation ids a trunk can give out."""


def plan(desired: Desired | None, actual: Actual, site: Site) -> list[Step]:
    """Return the next steps for one pod; none when it is as desired."""
    if desired is None:
        withdrawn: list[Step] = [DeletePodPort(actual.told)] if actual.told else []
        return withdrawn + [step for port in actual.ports for step in _drop(port)]
    if desired.leaving:
        return []
    if not actual.ports:
        return [CreatePort(desired)] if actual.trunk_id else [_no_trunk(desired)]
    keep = _keep(actual)
    steps = [step for port in actual.ports if port is not keep for step in _drop(port)]
    return steps + _connect(desired, keep, actual, site)


def free_vlans(used: Collection[int], count: int, after: int = 0) -> list[int]:
    """Return up to ``count`` unused VLANs, beginning behind ``after`` and going round.

    Going on from the last one given out lets a freed VLAN rest, should its node still be busy removing it.
    """
    taken, chosen = set(used), list[int]()
    span = len(VLANS)
    for offset in range(span):
        if len(chosen) == count:
            break
        vlan = VLANS[(after + offset) % span]
        if vlan not in taken:
            chosen.append(vlan)
    return chosen


def spec_of(desired: Desired, port: OwnedPort, vlan: int, site: Site) -> PodPortSpec:
    """Return what the node has to know about an attached port."""
    addresses = [
        FixedIP(ip_address=address, prefix_length=site.prefix_length, gateway=site.gateway)
        for address in port.addresses
    ]
    return PodPortSpec(
        pod_uid=desired.uid,
        node=desired.node,
        port_id=port.id,
        segmentation_id=vlan,
        mac_address=port.mac,
        fixed_ips=tuple(addresses),
        mtu=site.mtu,
    )


def _connect(desired: Desired, port: OwnedPort, actual: Actual, site: Site) -> list[Step]:
    if actual.trunk_id is None:
        return [_no_trunk(desired)]
    if port.attached is None:
        return [AddSubport(actual.trunk_id, port.id)]
    if port.attached.trunk_id != actual.trunk_id:
        return [RemoveSubport(port.attached.trunk_id, port.id), AddSubport(actual.trunk_id, port.id)]
    spec = spec_of(desired, port, port.attached.vlan, site)
    if actual.told is None or actual.told.spec != spec:
        return [WritePodPort(desired, spec)]
    return []


def _keep(actual: Actual) -> OwnedPort:
    """Choose among a pod's ports, for a crash may have doubled it: what the node knows, what is attached."""
    told = actual.told.spec.port_id if actual.told else ""

    def rank(port: OwnedPort) -> tuple[bool, bool, bool, str]:
        attached = port.attached is not None
        right = port.attached is not None and port.attached.trunk_id == actual.trunk_id
        return (port.id != told, not right, not attached, port.id)

    return min(actual.ports, key=rank)


def _drop(port: OwnedPort) -> list[Step]:
    detach: list[Step] = [RemoveSubport(port.attached.trunk_id, port.id)] if port.attached else []
    return [*detach, DeletePort(port.id)]


def _no_trunk(desired: Desired) -> Blocked:
    return Blocked(
        Finding(
            f"pod {desired.namespace}/{desired.name}",
            f"node {desired.node} has no trunk of this platform",
            "Check that the node's server was made by the platform's stack and its trunk still exists.",
        )
    )
