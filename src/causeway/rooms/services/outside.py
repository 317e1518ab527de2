"""The steps for the floating IP, which is associated only with a VIP that serves already. Pure."""

import ipaddress

from causeway.rooms.services.address_steps import (
    AssociateAddress,
    BorrowAddress,
    LeaveAddress,
    ReleaseAddress,
    TagAddress,
    TakeAddress,
)
from causeway.rooms.services.model import Desired, Floating, Note
from causeway.rooms.services.present import Actual, Address, Balancer
from causeway.rooms.services.steps import Step


def outside(desired: Desired, actual: Actual, front: Balancer | None) -> list[Step]:
    """Return the steps for the floating IP of a Service that is reached through ``front``."""
    floating = desired.floating
    if floating is None or (front is not None and ":" in front.vip.address):
        return release(desired, actual)
    port = front.vip.port_id if front else ""
    fitting = [one for one in actual.addresses if fits(one, floating, actual)]
    ordered = sorted(fitting, key=lambda one: (one.port_id != port, one.id))
    steps: list[Step] = [
        _let_go(one, desired) for one in actual.addresses if not ordered or one is not ordered[0]
    ]
    if front is None or front.busy or not port:
        return steps
    if not ordered:
        return [*steps, *_take(desired, floating, actual, front)]
    address = ordered[0]
    if not address.tagged:
        steps.append(TagAddress(address.id, desired.uid))
    if address.port_id != port:
        steps.append(AssociateAddress(front.id, address.id, port))
    return steps


def release(desired: Desired, actual: Actual) -> list[Step]:
    """Return the steps by which a Service gives up all its floating IPs.

    The one of a load balancer that others go on sharing passes to one of them, once the Service itself has
    left: who still shares keeps it, so that those who leave together do not pass it to each other.
    """
    steps: list[Step] = []
    for address in actual.addresses:
        shared = next(
            (one for one in actual.balancers if one.ours and one.vip.port_id == address.port_id), None
        )
        others = shared.owners - {desired.uid} if shared and not address.borrowed else frozenset()
        if not others:
            steps.append(_let_go(address, desired))
        elif shared and desired.uid not in shared.owners:
            steps.append(TagAddress(address.id, min(others)))
    return steps


def hindrance(desired: Desired, actual: Actual) -> Note | None:
    """Return why the floating IP the user has chosen cannot be had, as far as the cloud's lists tell."""
    floating = desired.floating
    if floating is None:
        return None
    if floating.address:
        chosen = _chosen(floating, actual)
        used = {one.vip.port_id for one in actual.balancers}
        if chosen is not None and chosen.port_id and chosen.port_id not in used:
            return Note(
                "AddressInUse",
                f"loadBalancerIP: floating IP {floating.address} leads to port {chosen.port_id}",
                "Free it, or choose another.",
                closes=True,
            )
    elif actual.subnets == () and not actual.others:
        return Note(
            "NoSuchSubnet",
            f"no subnet of network {floating.network_id} is meant by floating-subnet, -id or -tags",
            "Correct the annotation, or ask whether the subnet can be seen by this project.",
            closes=True,
        )
    return None


def fits(address: Address, floating: Floating, actual: Actual) -> bool:
    """Return whether a floating IP is what is asked for."""
    if floating.address:
        return address.ip == floating.address
    if address.borrowed or address.network_id != floating.network_id:
        return False
    if actual.subnets is None:
        return True
    ip = ipaddress.ip_address(address.ip)
    return any(ip in ipaddress.ip_network(cidr) for _, cidr in actual.subnets)


def _take(desired: Desired, floating: Floating, actual: Actual, front: Balancer) -> list[Step]:
    port = front.vip.port_id
    if any(one.port_id == port for one in actual.others):
        return []  # it is shared, and whoever shares it has given it one
    chosen = _chosen(floating, actual)
    if chosen is not None:
        return [] if chosen.port_id else [BorrowAddress(front.id, chosen.id, port, desired.uid)]
    if actual.subnets == ():
        return []
    subnets = tuple(identifier for identifier, _ in actual.subnets or ())
    return [TakeAddress(front.id, port, desired.uid, floating, subnets)]


def _chosen(floating: Floating, actual: Actual) -> Address | None:
    return next((one for one in actual.others if floating.address and one.ip == floating.address), None)


def _let_go(address: Address, desired: Desired) -> Step:
    if address.borrowed or desired.keep:
        return LeaveAddress(address.id, address.borrowed)
    return ReleaseAddress(address.id)
