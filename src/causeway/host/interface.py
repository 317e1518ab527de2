"""The pod's side of its link: address, route and loopback inside its network namespace."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from pathlib import Path
from typing import BinaryIO

from causeway.host import arp, links, ndp, netns
from causeway.host.netlink import Netlink

_LOOPBACK = 1


@dataclass(frozen=True, slots=True)
class Address:
    """An address in CIDR form and the gateway of its subnet ("" for none)."""

    cidr: str
    gateway: str = ""


def configure(namespace: BinaryIO, name: str, addresses: Sequence[Address]) -> None:
    """Switch link and loopback on, add the addresses, route by the first gateway of each IP version."""
    if any(ip_interface(address.cidr).version == 6 for address in addresses):
        netns.inside(namespace, lambda: _prepare_ipv6(name))
    with netns.inside(namespace, Netlink) as netlink:
        link = _find(netlink, name)
        requests = [links.switch_on(_LOOPBACK), links.switch_on(link.index)]
        requests += [links.add_address(link.index, address.cidr) for address in addresses]
        routed: set[int] = set()
        for address in addresses:
            if address.gateway and ip_address(address.gateway).version not in routed:
                requests.append(links.add_default_route(link.index, address.gateway))
                routed.add(ip_address(address.gateway).version)
        netlink.ask(*requests)


def remove(namespace: BinaryIO, name: str) -> None:
    """Delete the link of that name; none is fine."""
    with netns.inside(namespace, Netlink) as netlink:
        link = links.find(netlink, name)
        if link is not None:
            netlink.ask(links.delete(link.index))


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
    """Return once the gateway of each IP version has answered. Raises ``arp.NoAnswer``."""
    asked: dict[int, Address] = {}
    for address in addresses:
        if address.gateway:
            asked.setdefault(ip_interface(address.cidr).version, address)
    try:
        async with asyncio.TaskGroup() as group:
            for address in asked.values():
                group.create_task(_ask(namespace, name, mac, address, deadline))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _ask(namespace: BinaryIO, name: str, mac: str, address: Address, deadline: float) -> None:
    source, gateway = ip_interface(address.cidr).ip, ip_address(address.gateway)
    ours = links.mac_bytes(mac)
    if isinstance(source, IPv6Address) and isinstance(gateway, IPv6Address):
        sock = netns.inside(namespace, lambda: arp.open_socket(name, ndp.ETH_P_IPV6))
        asking = ndp.resolve(sock, ours, source, gateway, deadline)
    elif isinstance(source, IPv4Address) and isinstance(gateway, IPv4Address):
        sock = netns.inside(namespace, lambda: arp.open_socket(name))
        asking = arp.resolve(sock, ours, source, gateway, deadline)
    else:
        return  # a gateway of the other version serves nobody
    try:
        await asking
    finally:
        arp.close_socket(sock)


def _prepare_ipv6(name: str) -> None:
    """Let the link have IPv6, and just what the cloud gave it: no waiting, nothing from a router's word.

    The cloud has made sure that an address is used once, so the kernel need not listen for others for a
    second before it lets packets out. Called in the pod's namespace.
    """
    for key, value in (("disable_ipv6", "0"), ("accept_dad", "0"), ("accept_ra", "0")):
        setting = Path(f"/proc/sys/net/ipv6/conf/{name}/{key}")
        if setting.read_text().strip() != value:
            setting.write_text(value)


def _find(netlink: Netlink, name: str) -> links.Link:
    link = links.find(netlink, name)
    if link is None:
        raise LookupError(f"the interface {name} vanished")
    return link
