import asyncio
import socket
import struct
from ipaddress import IPv4Address

import pytest

from causeway.host import arp

MAC, OTHER = b"\xfa\x16\x3e\x00\x00\x05", b"\xfa\x16\x3e\x00\x00\x01"
POD, GATEWAY = IPv4Address("10.0.0.5"), IPv4Address("10.0.0.1")


def reply(mac: bytes, source: IPv4Address) -> bytes:
    return struct.pack(
        "!6s6sHHHBBH6s4s6s4s", MAC, mac, 0x0806, 1, 0x0800, 6, 4, 2, mac, source.packed, MAC, POD.packed
    )


def test_only_a_reply_for_the_target_is_an_answer() -> None:
    assert arp.answer(reply(OTHER, GATEWAY), GATEWAY) == OTHER
    assert arp.answer(reply(OTHER, POD), GATEWAY) is None
    assert arp.answer(arp.request(MAC, POD, GATEWAY), POD) is None
    assert arp.answer(b"short", GATEWAY) is None


async def test_requests_are_repeated_until_the_answer_comes() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    with ours, theirs:
        asking = asyncio.create_task(arp.resolve(ours, MAC, POD, GATEWAY, 10))
        for _ in range(3):
            assert await loop.sock_recv(theirs, 128) == arp.request(MAC, POD, GATEWAY)
        await loop.sock_sendall(theirs, reply(OTHER, POD))
        await loop.sock_sendall(theirs, reply(OTHER, GATEWAY))
        assert await asking == OTHER


async def test_silence_ends_at_the_deadline() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with ours, theirs, pytest.raises(arp.NoAnswer, match=r"10\.0\.0\.1 did not answer within 0.12 s"):
        await arp.resolve(ours, MAC, POD, GATEWAY, 0.12)
