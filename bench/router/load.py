"""Clients of a router on the loopback device: as fast as it goes, waiting for answers, during changes."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

CONNECTIONS = 8
KEPT, FRESH = 6, 3
"""Clients during changes: so many keep their connection, so many take one for each request."""
OK = re.compile(rb"HTTP/1\.1 200")
NOTHING = re.compile(rb"HTTP/1\.1 503")
_AHEAD = 16  # requests of a connection that are sent before their answers have come
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_LAST = re.compile(rb"(?i)\r\nconnection: *close")
_ANY = re.compile(rb"HTTP/1\.1 \d\d\d")
_LOOK = 0.002  # seconds between two looks at whether a route answers: who waits must not take the processor
_PATIENCE = 5.0  # seconds a client waits for an answer


def host(number: int) -> str:
    """Return the host of a route."""
    return f"app{number}-project{number % 97}.apps.example"


async def rate(port: int, count: int, seconds: float, expected: re.Pattern[bytes] = OK) -> tuple[float, int]:
    """Return requests per second that were answered as expected, and how many were not; no URL comes twice.

    Of ``count`` routes one after the other is asked for by chance; where nothing is expected, of hosts that
    look like theirs and have none.
    """
    end = time.monotonic() + seconds
    served = wrong = serial = 0

    async def connection(chance: random.Random) -> None:
        nonlocal served, wrong, serial
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            requests = []
            for _ in range(_AHEAD):
                serial += 1
                name = host(chance.randrange(count) + (count * 2 if expected is NOTHING else 0))
                requests.append(f"GET /page/{serial} HTTP/1.1\r\nHost: {name}\r\n\r\n")
            writer.write("".join(requests).encode())
            text, seen = b"", 0
            while seen < _AHEAD:
                part = await reader.read(65536)
                if not part:
                    raise ConnectionError("the connection ended")
                text += part
                seen = len(_ANY.findall(text))
            good = len(expected.findall(text))
            served += good
            wrong += seen - good
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(connection(random.Random(each)) for each in range(CONNECTIONS)))
    return served / (time.monotonic() - started), wrong


async def latencies(port: int, count: int, seconds: float) -> tuple[list[float], int]:
    """Return the seconds each request took, in order of length, and how many were not answered 200.

    Every client waits for an answer before it asks again, unlike those of ``rate``; no URL comes twice.
    """
    end = time.monotonic() + seconds
    found: list[float] = []
    wrong = serial = 0

    async def client(chance: random.Random) -> None:
        nonlocal wrong, serial
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.monotonic()) < end:
            serial += 1
            name = host(chance.randrange(count))
            writer.write(f"GET /one/{serial} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            text = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(text)
            await reader.readexactly(int(length[1]) if length else 0)
            found.append(time.monotonic() - began)
            wrong += not OK.match(text)
        writer.close()

    await asyncio.gather(*(client(random.Random(each)) for each in range(CONNECTIONS)))
    return sorted(found), wrong


async def _wrong(port: int, request: bytes) -> str:
    """Return how a request over a connection of its own was answered other than 200 in time, "" if it was."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                return _other_than_ok(await reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return type(error).__name__


def _other_than_ok(answer: bytes) -> str:
    return "" if OK.match(answer) else answer[:12].decode(errors="replace") or "no answer"


async def first_answer(port: int, number: int) -> None:
    """Return once a route answers."""
    request = f"GET / HTTP/1.1\r\nHost: {host(number)}\r\nConnection: close\r\n\r\n".encode()
    while await _wrong(port, request):  # noqa: ASYNC110  # HAProxy tells nobody
        await asyncio.sleep(_LOOK)


@dataclass
class Asked:
    """Requests of clients during changes; ``wrong`` says how those went that were not answered 200."""

    kept: int = 0
    fresh: int = 0
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def all(self) -> int:
        """Return how many requests there were."""
        return self.kept + self.fresh

    async def more(self, number: int) -> None:
        """Wait for so many more requests."""
        wanted = self.all + number
        while self.all < wanted:  # noqa: ASYNC110  # an event for each would cost the clients more
            await asyncio.sleep(_LOOK)

    def count(self, wrong: str) -> None:
        """Take in how a request was answered, "" for well."""
        if wrong:
            self.wrong[wrong] += 1


async def asked_during(port: int, count: int, work: Callable[[Asked], Coroutine[Any, Any, None]]) -> Asked:
    """Ask for ``count`` routes by chance, without a pause, while ``work`` is done; raises what it raises.

    It is told how much was asked so far.
    """
    asked = Asked()
    working = asyncio.create_task(work(asked))

    def requests(chance: random.Random, end: str) -> Iterator[bytes]:
        while not working.done():
            name = host(chance.randrange(count))
            yield f"GET /page/{asked.all} HTTP/1.1\r\nHost: {name}\r\n{end}\r\n".encode()

    async def keeping(chance: random.Random) -> None:
        connection = _Connection(port)
        for request in requests(chance, ""):
            asked.kept += 1
            asked.count(await connection.wrong(request))
        connection.close()

    async def opening(chance: random.Random) -> None:
        for request in requests(chance, "Connection: close\r\n"):
            asked.fresh += 1
            asked.count(await _wrong(port, request))

    await asyncio.gather(
        *(keeping(random.Random(each)) for each in range(KEPT)),
        *(opening(random.Random(KEPT + each)) for each in range(FRESH)),
    )
    await working
    return asked


class _Connection:
    """One that is kept for as long as the router lets it, and opened again then."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def wrong(self, request: bytes) -> str:
        """Return how a request was answered other than 200 in time, "" if it was."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._asked(request)
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            return type(error).__name__

    async def _asked(self, request: bytes) -> str:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        text = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(text)
        await reader.readexactly(int(length[1]) if length else 0)
        if _LAST.search(text):
            self.close()
        return _other_than_ok(text)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
