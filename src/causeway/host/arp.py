"""Asking a neighbour who it is: the proof that a new link carries traffic.

The answer to an ARP request has crossed the trunk, the cloud's switch and come back, which no reading of a
port's status can prove; and it costs no call to the cloud.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

_ETH_P_ARP = 0x0806
_REQUEST, _REPLY = 1, 2
_FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_BROADCAST = b"\xff" * 6
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5  # seconds between requests: doubled from the first to the longest
_FRAME_MOST = 128  # octets of an answer that anybody reads


class NoAnswer(TimeoutError):
    """Nobody answered for the address in time."""


def request(mac: bytes, source: IPv4Address, target: IPv4Address) -> bytes:
    """Return the frame that asks who has ``target``."""
    return _FRAME.pack(
        _BROADCAST, mac, _ETH_P_ARP, 1, 0x0800, 6, 4, _REQUEST, mac, source.packed, bytes(6), target.packed
    )


def answer(frame: bytes, target: IPv4Address) -> bytes | None:
    """Return the MAC address a frame names for ``target``, or None if it is no such reply."""
    if len(frame) < _FRAME.size:
        return None
    _, _, protocol, _, _, _, _, operation, mac, source, _, _ = _FRAME.unpack_from(frame)
    if protocol == _ETH_P_ARP and operation == _REPLY and source == target.packed:
        return bytes(mac)
    return None


def open_socket(interface: str, protocol: int = _ETH_P_ARP) -> socket.socket:
    """Return a packet socket on ``interface``, which must be in the namespace of the caller.

    Close it by ``close_socket``.
    """
    # Without a protocol of its own until it is bound: to change it would wait for the kernel's grace period.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    sock.bind((interface, protocol))
    return sock


def close_socket(sock: socket.socket) -> None:
    """Close a packet socket without waiting for it: the kernel takes a grace period of 10 to 20 ms."""
    threading.Thread(target=sock.close, name="close").start()


async def resolve(
    sock: socket.socket, mac: bytes, source: IPv4Address, target: IPv4Address, deadline: float
) -> bytes:
    """Return the MAC address of ``target``, asked for from ``source``. As ``ask``."""
    return await ask(
        sock, request(mac, source, target), lambda frame: answer(frame, target), target, deadline
    )


async def ask(
    sock: socket.socket,
    frame: bytes,
    read: Callable[[bytes], bytes | None],
    target: IPv4Address | IPv6Address,
    deadline: float,
) -> bytes:
    """Send ``frame`` again and again for ``deadline`` seconds until ``read`` finds an answer; return that.

    Raises ``NoAnswer``.
    """
    pause = _FIRST_PAUSE
    try:
        async with asyncio.timeout(deadline):
            while True:
                with contextlib.suppress(BlockingIOError):
                    sock.send(frame)
                try:
                    async with asyncio.timeout(pause):
                        return await _reply(sock, read)
                except TimeoutError:
                    pause = min(pause * 2, _LONGEST_PAUSE)
    except TimeoutError:
        raise NoAnswer(f"{target} did not answer within {deadline:g} s") from None


async def _reply(sock: socket.socket, read: Callable[[bytes], bytes | None]) -> bytes:
    loop = asyncio.get_running_loop()
    while True:
        mac = read(await loop.sock_recv(sock, _FRAME_MOST))
        if mac is not None:
            return mac
