import asyncio
import socket
from ipaddress import IPv6Address

from causeway.host import ndp

MAC, OTHER = b"\xfa\x16\x3e\x00\x00\x05", b"\xfa\x16\x3e\x00\x00\x01"
POD, GATEWAY = IPv6Address("fd00:20::5"), IPv6Address("fd00:20::1")
# A solicitation as a Linux kernel sends it, its answer by an Open vSwitch router.
ASKED = bytes.fromhex(
    "3333ff000001fa163e00000586dd6000000000203aff"
    "fd000020000000000000000000000005ff0200000000000000000001ff000001"
)


def advertisement(mac: bytes, target: IPv6Address, *, option: bool = True, hops: int = 255) -> bytes:
    message = bytes([136, 0, 0, 0, 0xE0, 0, 0, 0]) + target.packed
    message += bytes([2, 1]) + mac if option else b""
    header = bytes([0x60, 0, 0, 0, 0, len(message), 58, hops]) + target.packed + POD.packed
    return MAC + mac + b"\x86\xdd" + header + message


def test_a_solicitation_goes_to_those_who_may_have_the_address() -> None:
    frame = ndp.request(MAC, POD, GATEWAY)
    assert frame.startswith(ASKED)
    message = frame[54:]
    assert message[0] == 135
    # A message with its checksum in place sums up to nothing.
    assert ndp.checksum(POD.packed, frame[38:54], message) == 0
    assert message[8:24] == GATEWAY.packed
    assert message[24:] == bytes([1, 1]) + MAC


def test_only_an_advertisement_for_the_target_is_an_answer() -> None:
    assert ndp.answer(advertisement(OTHER, GATEWAY), GATEWAY) == OTHER
    assert ndp.answer(advertisement(OTHER, GATEWAY, option=False), GATEWAY) == OTHER
    assert ndp.answer(advertisement(OTHER, POD), GATEWAY) is None
    assert ndp.answer(advertisement(OTHER, GATEWAY, hops=64), GATEWAY) is None
    assert ndp.answer(ndp.request(MAC, POD, GATEWAY), GATEWAY) is None
    assert ndp.answer(b"short", GATEWAY) is None


async def test_the_answer_is_waited_for() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    with ours, theirs:
        asking = asyncio.create_task(ndp.resolve(ours, MAC, POD, GATEWAY, 10))
        assert await loop.sock_recv(theirs, 128) == ndp.request(MAC, POD, GATEWAY)
        for _ in range(2):  # one that comes in the moment a pause ends is lost, as any may be
            await loop.sock_sendall(theirs, advertisement(OTHER, GATEWAY))
        assert await asking == OTHER
