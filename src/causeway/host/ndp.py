"""Asking an IPv6 neighbour who it is, as ``arp`` does for IPv4: a neighbour solicitation and its answer.

RFC 4861, sections 4.3 and 4.4; the checksum is that of RFC 4443, section 2.3.
"""

import socket
import struct
from ipaddress import IPv6Address

from causeway.host import arp

ETH_P_IPV6 = 0x86DD
_ICMPV6 = 58
_SOLICITATION, _ADVERTISEMENT = 135, 136
_SOURCE, _TARGET = 1, 2  # options: a link-layer address
_ETHERNET = struct.Struct("!6s6sH")
_IPV6 = struct.Struct("!IHBB16s16s")
_MESSAGE = struct.Struct("!BBHI16s")
_OPTION = struct.Struct("!BB6s")
_VERSION = 6 << 28
_HOP_LIMIT = 255  # what came from farther away has less


def request(mac: bytes, source: IPv6Address, target: IPv6Address) -> bytes:
    """Return the frame that asks who has ``target``, to the group all who may have it listen to."""
    group = b"\xff\x02" + bytes(9) + b"\x01\xff" + target.packed[-3:]
    option = _OPTION.pack(_SOURCE, 1, mac)
    unsummed = _MESSAGE.pack(_SOLICITATION, 0, 0, 0, target.packed) + option
    total = checksum(source.packed, group, unsummed)
    message = _MESSAGE.pack(_SOLICITATION, 0, total, 0, target.packed) + option
    header = _IPV6.pack(_VERSION, len(message), _ICMPV6, _HOP_LIMIT, source.packed, group)
    return _ETHERNET.pack(b"\x33\x33" + group[-4:], mac, ETH_P_IPV6) + header + message


def answer(frame: bytes, target: IPv6Address) -> bytes | None:
    """Return the MAC address a frame names for ``target``, or None if it is no such advertisement."""
    start = _ETHERNET.size + _IPV6.size
    if len(frame) < start + _MESSAGE.size:
        return None
    _, sender, protocol = _ETHERNET.unpack_from(frame)
    _, _, following, hops, _, _ = _IPV6.unpack_from(frame, _ETHERNET.size)
    kind, _, _, _, about = _MESSAGE.unpack_from(frame, start)
    if (protocol, following, hops, kind) != (ETH_P_IPV6, _ICMPV6, _HOP_LIMIT, _ADVERTISEMENT):
        return None
    if about != target.packed:
        return None
    options = start + _MESSAGE.size
    if len(frame) >= options + _OPTION.size:
        option, _, mac = _OPTION.unpack_from(frame, options)
        if option == _TARGET:
            return bytes(mac)
    return bytes(sender)  # an answer to a solicitation need not repeat what its frame says


def checksum(source: bytes, destination: bytes, message: bytes) -> int:
    """Return the checksum of an ICMPv6 message of even length whose own checksum field is 0."""
    pseudo = source + destination + struct.pack("!II", len(message), _ICMPV6)
    total: int = sum(struct.unpack(f"!{(len(pseudo) + len(message)) // 2}H", pseudo + message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


async def resolve(
    sock: socket.socket, mac: bytes, source: IPv6Address, target: IPv6Address, deadline: float
) -> bytes:
    """Return the MAC address of ``target``, asked for from ``source``. As ``arp.ask``."""
    frame = request(mac, source, target)
    return await arp.ask(sock, frame, lambda frame: answer(frame, target), target, deadline)
