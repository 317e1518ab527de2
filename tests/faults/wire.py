"""HTTP/1.1 cut into messages without changing a byte: all a proxy has to know of what it passes on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Head:
    """The first line and the headers of a message, as they came (``raw``) and read."""

    raw: bytes
    first: tuple[str, str, str]
    headers: dict[str, str]

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this message."""
        return self.headers.get("connection", "").lower() == "close"


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Return the next message's head; None when the peer ended the connection before it."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    one, two, three = [*first.split(" ", 2), ""][:3]
    pairs = (line.partition(":") for line in lines)
    return Head(raw, (one, two, three), {name.lower(): value.strip() for name, _, value in pairs})


async def request_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    """Return the body of a request, with its framing."""
    return b"".join([part async for part in _framed(reader, head, until_the_end=False)])


def response_body(reader: asyncio.StreamReader, head: Head, method: str) -> AsyncIterator[bytes]:
    """Yield the body of an answer to ``method`` piece by piece, with its framing, as soon as it comes."""
    return _nothing() if _bodiless(head, method) else _framed(reader, head, until_the_end=True)


def ends_with_the_connection(head: Head, method: str) -> bool:
    """Whether only the end of the connection ends the body of this answer to ``method``."""
    return not (_bodiless(head, method) or "content-length" in head.headers or _chunked(head))


def _bodiless(head: Head, method: str) -> bool:
    return method == "HEAD" or head.first[1] in {"204", "304"}


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield  # pragma: no cover  # makes it an iterator


async def _framed(reader: asyncio.StreamReader, head: Head, *, until_the_end: bool) -> AsyncIterator[bytes]:
    if _chunked(head):
        async for chunk in _chunks(reader):
            yield chunk
    elif "content-length" in head.headers:
        left = int(head.headers["content-length"])
        while left:
            block = await reader.read(min(left, _BLOCK))
            if not block:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(block)
            yield block
    elif until_the_end:
        while block := await reader.read(_BLOCK):
            yield block


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size:
            yield line + await reader.readexactly(size + 2)
            continue
        trailer = line
        while not trailer.endswith(b"\r\n\r\n"):
            trailer += await reader.readuntil(b"\r\n")
        yield trailer
        return


def _chunked(head: Head) -> bool:
    return head.headers.get("transfer-encoding", "").lower() == "chunked"
