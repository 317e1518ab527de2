"""Links, addresses and routes: what the node daemon asks of route netlink.

What is asked of a link that is there are requests, so that many can be made in one go; the other functions
take the socket of the namespace they work in.
"""

import errno
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from causeway.host.netlink import (
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    Netlink,
    NetlinkError,
    Request,
    attribute,
    attributes,
    nested,
    number,
    string,
    text,
    u16,
    u32,
)

_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK = 16, 17, 18
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK = 1, 3, 4, 5
_IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_NET_NS_FD = 18, 20, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER, _VLAN_ID = 1, 2, 1, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5

_IFF_UP, _IFF_PROMISC = 0x1, 0x100
_IFA_F_NODAD = 0x2
_TABLE_MAIN, _PROTOCOL_STATIC, _SCOPE_LINK, _UNICAST = 254, 4, 253, 1

_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, which flags change
_ADDRESS = struct.Struct("=BBBBi")  # family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, dst bits, src bits, tos, table, protocol, scope, type, flags


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface; ``mac`` in colon form, ``kind`` such as "veth", "vlan" or ""."""

    index: int
    name: str
    mac: str
    mtu: int
    up: bool
    kind: str
    alias: str
    vlan: int  # the VLAN of a kernel VLAN link, else 0


def mac_bytes(mac: str) -> bytes:
    """Return the six bytes of a MAC address in colon form."""
    return bytes.fromhex(mac.replace(":", ""))


def parse_link(message: Message) -> Link:
    """Return the link a message describes."""
    _, _, index, flags, _ = _LINK.unpack_from(message.body)
    found = attributes(message.body[_LINK.size :])
    info = attributes(found.get(_IFLA_LINKINFO, b""))
    kind = string(info.get(_INFO_KIND))
    data = attributes(info.get(_INFO_DATA, b"")) if kind == "vlan" else {}
    return Link(
        index=index,
        name=string(found.get(_IFLA_IFNAME)),
        mac=found.get(_IFLA_ADDRESS, b"").hex(":"),
        mtu=number(found.get(_IFLA_MTU)),
        up=bool(flags & _IFF_UP),
        kind=kind,
        alias=string(found.get(_IFLA_IFALIAS)),
        vlan=number(data.get(_VLAN_ID)),
    )


def find(netlink: Netlink, name: str) -> Link | None:
    """Return the link of that name, or None."""
    return find_all(netlink, name)[0]


def find_all(netlink: Netlink, *names: str) -> list[Link | None]:
    """Return the link of each name, or None where there is none."""
    answers = netlink.ask(*(_lookup(name) for name in names))
    return [parse_link(answer[0]) if answer else None for answer in answers]


def _lookup(name: str) -> Request:
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFLA_IFNAME, name)
    return Request(f"look up the link {name}", _RTM_GETLINK, body, fine=frozenset({errno.ENODEV}))


def links(netlink: Netlink) -> list[Link]:
    """Return all links of the namespace."""
    (found,) = netlink.ask(Request("list links", _RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0), NLM_F_DUMP))
    return [parse_link(message) for message in found]


def add_veth(netlink: Netlink, name: str, *, mtu: int, peer: str, peer_mac: str, peer_namespace: int) -> Link:
    """Make a pair, ``name`` here and ``peer`` in the namespace of that descriptor; return the near end."""
    far = _LINK.pack(0, 0, 0, 0, 0) + b"".join(
        (
            text(_IFLA_IFNAME, peer),
            u32(_IFLA_MTU, mtu),
            attribute(_IFLA_ADDRESS, mac_bytes(peer_mac)),
            u32(_IFLA_NET_NS_FD, peer_namespace),
        )
    )
    near = (
        _LINK.pack(0, 0, 0, 0, 0)
        + text(_IFLA_IFNAME, name)
        + u32(_IFLA_MTU, mtu)
        + nested(
            _IFLA_LINKINFO,
            text(_INFO_KIND, "veth"),
            nested(_INFO_DATA, attribute(_VETH_PEER | 0x8000, far)),
        )
    )
    make = Request(f"make the link {name}", _RTM_NEWLINK, near, NLM_F_CREATE | NLM_F_EXCL)
    _, found = netlink.ask(make, _lookup(name))
    if not found:
        raise NetlinkError(errno.ENODEV, f"the link {name} vanished right after it was made")
    return parse_link(found[0])


def add_vlan(
    netlink: Netlink, name: str, *, trunk: int, vlan: int, mac: str, mtu: int, namespace: int
) -> None:
    """Make a kernel VLAN link ``name`` of the link ``trunk``, in the namespace of that descriptor.

    Raises ``NetlinkError`` EOPNOTSUPP on a kernel without 8021q and EEXIST when the trunk has that VLAN
    already.
    """
    body = _LINK.pack(0, 0, 0, 0, 0) + b"".join(
        (
            text(_IFLA_IFNAME, name),
            u32(_IFLA_MTU, mtu),
            attribute(_IFLA_ADDRESS, mac_bytes(mac)),
            u32(_IFLA_LINK, trunk),
            u32(_IFLA_NET_NS_FD, namespace),
            nested(_IFLA_LINKINFO, text(_INFO_KIND, "vlan"), nested(_INFO_DATA, u16(_VLAN_ID, vlan))),
        )
    )
    netlink.ask(Request(f"make the VLAN link {vlan}", _RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL))


def describe(index: int, alias: str) -> Request:
    """Return the request to say in words what a link is for."""
    body = _LINK.pack(0, 0, index, 0, 0) + text(_IFLA_IFALIAS, alias[:255])
    return Request(f"describe link {index}", _RTM_NEWLINK, body)


def switch_on(index: int, *, promiscuous: bool = False) -> Request:
    """Return the request for a link to be up; ``promiscuous``: with frames for other MAC addresses, too."""
    flags = _IFF_UP | (_IFF_PROMISC if promiscuous else 0)
    return Request(f"switch link {index} on", _RTM_NEWLINK, _LINK.pack(0, 0, index, flags, flags))


def delete(index: int) -> Request:
    """Return the request to delete a link; one that is gone is fine."""
    body = _LINK.pack(0, 0, index, 0, 0)
    return Request(f"delete link {index}", _RTM_DELLINK, body, fine=frozenset({errno.ENODEV}))


def _family(address: IPv4Address | IPv6Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def add_address(index: int, address: str) -> Request:
    """Return the request for an address in CIDR form, such as 10.1.2.3/16; one the link has is fine."""
    interface = ip_interface(address)
    packed = interface.ip.packed
    body = _ADDRESS.pack(_family(interface.ip), interface.network.prefixlen, 0, 0, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    if interface.version == 6:  # the cloud has made sure that the address is used once
        body += u32(_IFA_FLAGS, _IFA_F_NODAD)
    return Request(f"add the address {address}", _RTM_NEWADDR, body, NLM_F_CREATE | NLM_F_REPLACE)


def addresses(netlink: Netlink, index: int) -> set[IPv4Interface | IPv6Interface]:
    """Return the addresses of a link, each with its prefix length."""
    found: set[IPv4Interface | IPv6Interface] = set()
    asked = Request("list addresses", _RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0), NLM_F_DUMP)
    for message in netlink.ask(asked)[0]:
        _, bits, _, _, owner = _ADDRESS.unpack_from(message.body)
        parts = attributes(message.body[_ADDRESS.size :])
        packed = parts.get(_IFA_LOCAL) or parts.get(_IFA_ADDRESS)
        if owner == index and packed:
            found.add(ip_interface((packed, bits)))
    return found


def add_default_route(index: int, gateway: str) -> Request:
    """Return the request to send everything that is not on the link's own subnet to ``gateway``."""
    address = ip_address(gateway)
    body = _ROUTE.pack(_family(address), 0, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, 0, _UNICAST, 0)
    body += attribute(_RTA_GATEWAY, address.packed) + u32(_RTA_OIF, index)
    return Request(f"route by {gateway}", _RTM_NEWROUTE, body, NLM_F_CREATE | NLM_F_REPLACE)


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """A default route of the main table."""

    index: int
    gateway: str


def default_routes(netlink: Netlink) -> list[DefaultRoute]:
    """Return the IPv4 and IPv6 default routes that leave by one gateway."""
    found = []
    body = _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)
    for message in netlink.ask(Request("list routes", _RTM_GETROUTE, body, NLM_F_DUMP))[0]:
        _, bits, _, _, table, _, _, _, _ = _ROUTE.unpack_from(message.body)
        parts = attributes(message.body[_ROUTE.size :])
        if bits == 0 and table == _TABLE_MAIN and _RTA_GATEWAY in parts and _RTA_DST not in parts:
            found.append(DefaultRoute(number(parts.get(_RTA_OIF)), str(ip_address(parts[_RTA_GATEWAY]))))
    return found
