"""Route netlink: the kernel's own interface to links, addresses, routes and filters.

A request is a message of nested attributes, an answer the same; this is the whole of the encoding and the
one socket that carries it. What the messages mean is in ``links`` and ``filters``. Written out instead of
taken from a library because a pod's start waits for it: a call takes 0.1 ms, the socket can be opened inside
a pod's namespace (see ``netns``), and the daemon on every node stays 24 MiB smaller.
"""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_DUMP = 0x100, 0x200, 0x400, 0x300
_NLM_F_REQUEST, _NLM_F_ACK = 0x1, 0x4
_NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x100, 0x200
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLMSGERR_ATTR_MSG = 1
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_ANSWER = 5.0  # seconds; the kernel answers at once, unless something is badly wrong
_DATAGRAM = 1 << 16  # octets; the kernel answers in pieces of at most half of that


class NetlinkError(OSError):
    """The kernel refused a request; the text says what was asked and what the kernel said."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an answer; ``body`` is what follows the netlink header."""

    type: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``what`` names it in the ``NetlinkError`` of a refusal, unless its errno is ``fine``."""

    what: str
    kind: int
    body: bytes
    flags: int = 0
    fine: frozenset[int] = frozenset()


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded as netlink wants it."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """Return an attribute that holds a C string."""
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    """Return an attribute that holds an unsigned 32-bit number in the machine's order."""
    return attribute(kind, struct.pack("=I", value))


def u16(kind: int, value: int) -> bytes:
    """Return an attribute that holds an unsigned 16-bit number in the machine's order."""
    return attribute(kind, struct.pack("=H", value))


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes in ``data`` by their type; the last of a type wins."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4
    return found


def string(value: bytes | None) -> str:
    """Return the text of a C string attribute; "" for None."""
    return (value or b"").split(b"\0", 1)[0].decode(errors="replace")


def number(value: bytes | None) -> int:
    """Return the number a 1, 2 or 4 byte attribute holds in the machine's order; 0 for None."""
    return int.from_bytes(value or b"", "little" if struct.pack("=H", 1)[0] else "big")


def messages(data: bytes) -> Iterator[tuple[Message, int, int]]:
    """Yield (message, flags, sequence) for each message in what was received."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            break
        yield Message(kind, data[at + _HEADER.size : at + length]), flags, sequence
        at += length + -length % 4


class Netlink:
    """A route netlink socket of the network namespace it was opened in; used by one thread at a time."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.settimeout(_ANSWER)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, *requests: Request) -> list[list[Message]]:
        """Send requests in one go and return the answers to each; a refusal that is fine is no answer.

        The kernel works on them in order, and on all of them, also when it refuses one. A thread that asks
        once instead of many times waits once for the interpreter and for others who change links. Raises
        ``NetlinkError`` for the first that was refused. A list (``NLM_F_DUMP``) can only be asked for last.
        """
        if not requests:
            return []
        first, last = self._sequence + 1, self._sequence + len(requests)
        self._sequence = last
        sent = b""
        for sequence, request in enumerate(requests, first):
            # Refusals come anyway; that all went well is said once.
            flags = request.flags | _NLM_F_REQUEST | (_NLM_F_ACK if sequence == last else 0)
            length = _HEADER.size + len(request.body)
            sent += _HEADER.pack(length, request.kind, flags, sequence, 0) + request.body
            sent += bytes(-length % 4)
        self._socket.sendall(sent)
        answers: list[list[Message]] = [[] for _ in requests]
        refusal: NetlinkError | None = None
        while True:
            for message, flags, sequence in messages(self._socket.recv(_DATAGRAM)):
                if sequence < first:  # of an earlier request that ran out of time
                    continue
                if message.type == _NLMSG_ERROR:
                    refusal = refusal or _refusal(requests[sequence - first], message.body, flags)
                elif message.type != _NLMSG_DONE:
                    answers[sequence - first].append(message)
                    continue
                if sequence == last:
                    if refusal is not None:
                        raise refusal
                    return answers


def _refusal(request: Request, body: bytes, flags: int) -> NetlinkError | None:
    """Return what an answer refuses, or None if it does not, or need not be minded."""
    code = -struct.unpack_from("=i", body)[0]
    if code == 0 or code in request.fine:
        return None
    words = ""
    if flags & _NLM_F_ACK_TLVS:
        echoed = _HEADER.size if flags & _NLM_F_CAPPED else _HEADER.unpack_from(body, 4)[0]
        words = string(attributes(body[4 + echoed :]).get(_NLMSGERR_ATTR_MSG))
    return NetlinkError(code, f"{request.what}: {os.strerror(code)}" + (f" ({words})" if words else ""))
