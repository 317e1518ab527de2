"""The programs run in a small interpreter; the kernel's verifier judges them in tests/integration/node."""

import socket
import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.host import bpf

VLANS = st.integers(1, 4094)
INDEXES = st.integers(1, 2**31 - 1)


@dataclass
class Packet:
    """What a program sees, and what it did."""

    vlan_present: int = 0
    vlan_tci: int = 0
    refuses: bool = False
    calls: list[tuple[int, ...]] = field(default_factory=list)


def run(program: bytes, packet: Packet) -> int:
    """Interpret the instructions the two programs are made of; return the verdict."""
    code = [struct.unpack_from("<BBhi", program, at) for at in range(0, len(program), 8)]
    registers: dict[int, int] = {1: -1}
    at = 0
    while True:
        opcode, both, offset, number = code[at]
        at += 1
        dst, src = both & 0xF, both >> 4
        if opcode == 0xB7:
            registers[dst] = number
        elif opcode == 0x61:
            assert registers[src] == -1, "only the packet is read"
            registers[dst] = {20: packet.vlan_present, 24: packet.vlan_tci}[offset]
        elif opcode == 0x57:
            registers[dst] &= number
        elif opcode == 0x15:
            at += offset if registers[dst] == number else 0
        elif opcode == 0x55:
            at += offset if registers[dst] != number else 0
        elif opcode == 0x85:
            arguments = {18: (1, 2, 3), 19: (1,), 23: (1, 2)}[number]
            packet.calls.append((number, *(registers[item] for item in arguments if registers[item] != -1)))
            registers = {0: 7 if number == 23 else int(packet.refuses)}
        elif opcode == 0x95:
            return registers[0]
        else:
            pytest.fail(f"unknown instruction {opcode:#x}")


@given(VLANS, INDEXES)
def test_what_a_pod_sends_is_tagged_and_sent_to_the_trunk(vlan: int, trunk: int) -> None:
    packet = Packet()
    assert run(bpf.to_trunk(vlan, trunk), packet) == 7
    assert packet.calls == [(18, socket.htons(0x8100), vlan), (23, trunk, 0)]
    assert run(bpf.to_trunk(vlan, trunk), Packet(refuses=True)) == 2


@given(VLANS, INDEXES, st.integers(0, 0xFFFF))
def test_only_the_pods_own_vlan_reaches_it(vlan: int, link: int, tci: int) -> None:
    packet = Packet(vlan_present=1, vlan_tci=tci)
    verdict = run(bpf.to_pod(vlan, link), packet)
    if tci & 0xFFF == vlan:
        assert (verdict, packet.calls) == (7, [(19,), (23, link, 0)])
    else:
        assert (verdict, packet.calls) == (-1, [])


def test_untagged_frames_stay_with_the_node() -> None:
    packet = Packet(vlan_present=0, vlan_tci=5)
    assert (run(bpf.to_pod(5, 3), packet), packet.calls) == (-1, [])
    assert run(bpf.to_pod(5, 3), Packet(vlan_present=1, vlan_tci=5, refuses=True)) == 2
