"""The few words of Redis' protocol the guestbook speaks: one command, one answer, one connection."""

import socket
from typing import BinaryIO

Reply = str | int | None | list["Reply"]


class RedisError(Exception):
    """Redis answered with an error."""


def encode(*words: str) -> bytes:
    """Return a command as Redis wants it: an array of byte strings."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def decode(stream: BinaryIO) -> Reply:
    """Read one reply; raises ``RedisError`` for an error and ``EOFError`` when the stream ends early."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError("the connection ended in the middle of a reply")
    kind, rest = line[:1], line[1:-2].decode()
    if kind == b"+":
        return rest
    if kind == b"-":
        raise RedisError(rest)
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return _bulk(stream, int(rest))
    if kind == b"*":
        return [decode(stream) for _ in range(int(rest))]
    raise RedisError(f"a reply of unknown kind: {line!r}")


def command(host: str, *words: str, port: int = 6379, seconds: float = 3.0) -> Reply:
    """Send a command to ``host`` and return its reply; raises ``OSError`` when it does not answer in time."""
    with (
        socket.create_connection((host, port), timeout=seconds) as connection,
        connection.makefile("rb") as stream,
    ):
        connection.sendall(encode(*words))
        return decode(stream)


def _bulk(stream: BinaryIO, size: int) -> str | None:
    if size < 0:
        return None
    data = stream.read(size + 2)
    if len(data) < size + 2:
        raise EOFError("the connection ended in the middle of a reply")
    return data[:-2].decode()
