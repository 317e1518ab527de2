"""Whether a pod may have the port that its annotation names, and if not, why. Pure.

The text of an annotation is anybody's who may make pods. It is only ever compared with ports that their owner
gave to the pod's namespace, so it finds no other, and tells nothing about others.
"""

from collections.abc import Collection, Iterable

from causeway.cloud.prepared_ports import PreparedPort, tags_of
from causeway.kit.errors import Finding
from causeway.rooms.pods.model import Wish
from causeway.rooms.pods.neighbours import NetworkOfNamespace

_SHOWN = 80  # characters of an annotation that are repeated to its author
_SUBPORT = "trunk:subport"
_USELESS = {
    "vhostuser": "it is a socket of DPDK (vif_type vhostuser), which needs huge pages shared with the pod",
    "binding_failed": "the cloud could not bind it to its host (vif_type binding_failed)",
}
_CARD = "it needs hardware given to the pod, as a virtual function of an SR-IOV network card is"


def find(
    asked: str, namespace: str, cluster: str, ports: Iterable[PreparedPort]
) -> tuple[PreparedPort | None, Wish]:
    """Return the port that pods of a namespace mean by an ID or a name, or None and why there is none."""
    given = [port for port in ports if port.is_for(namespace)]
    found = [port for port in given if port.id == asked] or [port for port in given if port.name == asked]
    if not asked or not found:
        tags = " ".join(f"--tag {tag}" for tag in tags_of(cluster, namespace))
        shown = asked if len(asked) <= _SHOWN else asked[:_SHOWN] + "…"
        cause = f"no port {shown!r} is given to namespace {namespace}"
        remedy = (
            f"Correct the annotation, or have the port's owner say in the platform's project: "
            f"openstack port set {tags} PORT"
        )
        return None, _refused("PortNotFound", namespace, cause, remedy)
    if len(found) > 1:
        ids = ", ".join(sorted(port.id for port in found)[:10])
        cause = f"{len(found)} ports that are given to namespace {namespace} have the name {asked!r}"
        return None, _refused("PortNotClear", namespace, cause, f"Write the ID of one: {ids}.")
    return found[0], Wish(found[0].id)


def usable(
    port: PreparedPort, network: NetworkOfNamespace, *, native: bool, selected: bool, placed: bool
) -> Wish:
    """Return whether a pod could have a port if nobody else had it.

    ``selected`` says that a NetworkPolicy is about the pod, ``placed`` that it was us who bound the port.
    """
    place = f"port {port.id}"
    known = {subnet.id for subnet in network.subnets}
    if port.network_id != network.network_id:
        cause = f"{place} is on network {port.network_id}, pods of this namespace are on {network.network_id}"
        remedy = "Prepare a port there, or reach the other network by a further interface."
        return _refused("PortNotUsable", place, cause, remedy)
    if not port.fixed_ips or any(fixed.subnet_id not in known for fixed in port.fixed_ips):
        cause = f"{place} has {'an address outside' if port.fixed_ips else 'no address in'} the pods' subnets"
        return _refused("PortNotUsable", place, cause, f"Give it addresses in {', '.join(sorted(known))}.")
    if not port.admin_state_up:
        cause = f"{place} is switched off"
        return _refused("PortNotUsable", place, cause, f"openstack port set --enable {port.id}")
    if obstacle := _obstacle(port, native=native, placed=placed):
        return _refused("PortNotUsable", place, f"{place}: {obstacle}", "Prepare one of --vnic-type normal.")
    if selected:
        cause = f"{place} has security groups of its own, so NetworkPolicies could not be kept"
        remedy = "Let no NetworkPolicy select the pod, or let it have a port of the platform's."
        return _refused("PortAndPolicy", place, cause, remedy)
    return Wish(port.id)


def strange_use(port: PreparedPort, cluster: str, *, parents: Collection[str]) -> Finding | None:
    """Return what uses a port that is on no trunk of this platform; ``parents`` are those trunks are on."""
    place = f"port {port.id}"
    if port.is_lent(cluster):
        return None
    if port.id in parents:
        use = "it is the parent of a trunk"
    elif port.device_owner == _SUBPORT:
        use = "it is on a trunk that is not this platform's"
    elif port.device_owner or port.device_id:
        use = f"it belongs to {' '.join(filter(None, (port.device_owner, port.device_id)))}"
    elif port.host:
        use = f"it is bound to host {port.host}"
    else:
        return None
    return Finding(place, f"{place} is in use: {use}", "Free it there, or prepare another.")


def policies_do_not_apply(port_id: str) -> Wish:
    """Return what is said of a running pod that a NetworkPolicy selects only since it has its port."""
    place = f"port {port_id}"
    cause = f"NetworkPolicies do not apply to {place}, which somebody prepared: its own security groups do"
    return _refused(
        "PolicyNotApplied", place, cause, "Delete the pod, or let the policy not select it.", port_id
    )


def taken(port: PreparedPort, pod: str) -> Wish:
    """Return the refusal of a port that another pod has, or asked for first."""
    place = f"port {port.id}"
    return _refused(
        "PortInUse", place, f"{place} serves {pod}", "It is free when that pod is gone; or prepare another."
    )


def in_use(finding: Finding) -> Wish:
    """Return the refusal of a port that something else uses."""
    return Wish("", "PortInUse", finding)


def _obstacle(port: PreparedPort, *, native: bool, placed: bool) -> str:
    if port.vif_type in _USELESS and not placed:
        why = _USELESS[port.vif_type]
    elif port.vnic_type != "normal":
        why = f"its vnic_type is {port.vnic_type}: {_CARD}"
    else:
        return ""
    node = "a native node connects pods by its bridge alone" if native else "a trunk carries VLANs alone"
    return f"{why}; {node}"


def _refused(reason: str, place: str, cause: str, remedy: str, port_id: str = "") -> Wish:
    return Wish(port_id, reason, Finding(place, cause, remedy))
