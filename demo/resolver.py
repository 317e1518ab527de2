"""Asking a name server by UDP: one question, one answer, as much of RFC 1035 as the demo needs."""

import contextlib
import secrets
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

KINDS = {"A": 1, "CNAME": 5, "PTR": 12, "TXT": 16, "AAAA": 28}
_PATIENCE = 5.0  # seconds until a question is asked again: a packet may be lost, a name server busy
_ATTEMPTS = 12


@dataclass(frozen=True)
class Answer:
    """What was answered: the code (0 well, 3 no such name, 5 refused), the records, and their TTL."""

    code: int
    records: tuple[str, ...] = ()
    ttl: int | None = None


def ask(server: str, name: str, kind: str = "A") -> Answer:
    """Return what ``server`` answers; raises ``TimeoutError`` when it is silent."""
    number = secrets.randbits(16)
    labels = [each.encode() for each in name.rstrip(".").split(".")]
    question = b"".join(bytes([len(each)]) + each for each in labels) + b"\0"
    question += struct.pack("!HH", KINDS[kind], 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.settimeout(_PATIENCE)
        there.connect((server, 53))
        message = _answered(there, struct.pack("!HHHHHH", number, 0, 1, 0, 0, 0) + question)
    got, flags, _, count, *_ = struct.unpack_from("!HHHHHH", message)
    assert got == number
    position, records, ttl = 12 + len(question), [], None
    for _ in range(count):
        _, position = _name(message, position)
        found, _, ttl, length = struct.unpack_from("!HHIH", message, position)
        position += 10
        if found == KINDS[kind]:
            records.append(_record(message, position, length, kind))
        position += length
    return Answer(flags & 0xF, tuple(sorted(records)), ttl)


def _answered(there: socket.socket, question: bytes) -> bytes:
    for _ in range(_ATTEMPTS - 1):
        there.send(question)
        with contextlib.suppress(TimeoutError):
            return there.recv(4096)
    there.send(question)
    return there.recv(4096)


def _record(message: bytes, position: int, length: int, kind: str) -> str:
    data = message[position : position + length]
    match kind:
        case "A":
            return str(IPv4Address(data))
        case "AAAA":
            return str(IPv6Address(data))
        case "TXT":
            return data[1 : 1 + data[0]].decode()
    return _name(message, position)[0]


def _name(message: bytes, position: int) -> tuple[str, int]:
    """Return a name and where it ends; names may go on elsewhere in the message."""
    labels, end = [], 0
    while length := message[position]:
        if length >= 0xC0:
            end = end or position + 2
            position = struct.unpack_from("!H", message, position)[0] & 0x3FFF
            continue
        labels.append(message[position + 1 : position + 1 + length].decode())
        position += 1 + length
    return ".".join(labels) + ".", end or position + 1
