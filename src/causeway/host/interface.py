"""The pod's side of its link: address, route and loopback inside its network namespace."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, ip_address, ip_interface
from typing import BinaryIO

from causeway.host import arp, links, netns
from causeway.host.netlink import Netlink

_LOOPBACK = 1


@dataclass(frozen=True, slots=True)
class Address:
    """An address in CIDR form and the gateway of its subnet ("" for none)."""

    cidr: str
    gateway: str = ""


def configure(namespace: BinaryIO, name: str, addresses: Sequence[Address]) -> None:
    """Switch link and loopback on, add the addresses, route by the first gateway of each IP version."""
    with netns.inside(namespace, Netlink) as netlink:
        link = _find(netlink, name)
        links.set_up(netlink, _LOOPBACK)
        links.set_up(netlink, link.index)
        routed: set[int] = set()
        for address in addresses:
            links.add_address(netlink, link.index, address.cidr)
        for address in addresses:
            if address.gateway and ip_address(address.gateway).version not in routed:
                links.add_default_route(netlink, link.index, address.gateway)
                routed.add(ip_address(address.gateway).version)


def remove(namespace: BinaryIO, name: str) -> None:
    """Delete the link of that name; none is fine."""
    with netns.inside(namespace, Netlink) as netlink:
        link = links.find(netlink, name)
        if link is not None:
            links.delete(netlink, link.index)


def missing(namespace: BinaryIO, name: str, mac: str, addresses: Sequence[Address]) -> list[str]:
    """Return what the link lacks of what was configured; an empty list if nothing."""
    with netns.inside(namespace, Netlink) as netlink:
        link = links.find(netlink, name)
        if link is None:
            return [f"the interface {name} is missing"]
        lacks = []
        if not link.up:
            lacks.append(f"the interface {name} is switched off")
        if link.mac != mac.lower():
            lacks.append(f"the interface {name} has the MAC address {link.mac} instead of {mac}")
        present = links.addresses(netlink, link.index)
        lacks += [
            f"the interface {name} lost the address {address.cidr}"
            for address in addresses
            if ip_interface(address.cidr) not in present
        ]
        gateways = {address.gateway for address in addresses if address.gateway}
        if gateways and not gateways & {
            route.gateway for route in links.default_routes(netlink) if route.index == link.index
        }:
            lacks.append(f"the default route by {' or '.join(sorted(gateways))} is missing")
        return lacks


async def reach_gateway(
    namespace: BinaryIO, name: str, mac: str, addresses: Sequence[Address], deadline: float
) -> None:
    """Return once the IPv4 gateway has answered; at once without one. Raises ``arp.NoAnswer``."""
    for address in addresses:
        interface = ip_interface(address.cidr)
        if not address.gateway or not isinstance(interface, IPv4Interface):
            continue
        gateway = ip_address(address.gateway)
        if gateway.version == 4:
            sock = netns.inside(namespace, lambda: arp.open_socket(name))
            try:
                await arp.resolve(sock, links.mac_bytes(mac), interface.ip, gateway, deadline)
            finally:
                arp.close_socket(sock)
            return


def _find(netlink: Netlink, name: str) -> links.Link:
    link = links.find(netlink, name)
    if link is None:
        raise LookupError(f"the interface {name} vanished")
    return link
