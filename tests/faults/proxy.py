"""A proxy that stands before an HTTP API and lets chosen requests meet faults; all else passes unchanged.

It listens on loopback in the event loop of the test. One connection to it is one connection to the server
behind it. A request is read whole before it is passed on, so that a client that dies in the middle of the
answer has been heard, as it would be by a server.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.faults import refusals, wire
from tests.faults.weather import Fault, Kind, Request, Weather
from tests.ports import free_port

_LARGEST_HEAD = 1 << 20
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, without waiting: closing sends RST


@dataclass(frozen=True)
class Server:
    """Where the real server is; ``tls`` None: plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class FaultProxy:
    """Stands before ``server``; ``tls`` is its own certificate, None for plain HTTP.

    ``door`` names it in the weather's draws and counts; ``refusal`` words refusals as the server would.
    """

    def __init__(
        self,
        door: str,
        server: Server,
        weather: Weather,
        *,
        tls: ssl.SSLContext | None = None,
        refusal: Callable[[Request, Fault], bytes] = refusals.openstack,
    ) -> None:
        self.door = door
        self.port = free_port()
        self._server = server
        self.weather = weather
        self._tls = tls
        self._refusal = refusal
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flowing.set()
        await self.down()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def up(self) -> None:
        """Listen, also after ``down`` at the same port."""
        self._listener = await asyncio.start_server(
            self._accepted, "127.0.0.1", self.port, ssl=self._tls, limit=_LARGEST_HEAD, reuse_address=True
        )

    async def down(self) -> None:
        """Refuse connections and reset those there are, as when the server's machine lost its process."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in list(self._connections):
            _reset(writer)

    def freeze(self) -> None:
        """Pass nothing on, neither way, without a word, as when the network drops packets."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on again what was held up, and what comes."""
        self._flowing.set()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self._connections.add(writer)
        try:
            await _Connection(self, reader, writer).serve()
        except (OSError, asyncio.IncompleteReadError):
            _reset(writer)  # the one side is gone: the other is told as bluntly
        except asyncio.CancelledError:
            _reset(writer)  # ends here: the stream's own callback would report it as an error
        finally:
            self._connections.discard(writer)
            writer.close()

    async def idle(self) -> None:
        """Return once no connection is served: all a process that is gone has ordered has come to its end."""
        while self._serving:
            await asyncio.wait(set(self._serving))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to the server."""
        to = self._server
        name = to.host if to.tls else None
        return await asyncio.open_connection(
            to.host, to.port, ssl=to.tls, server_hostname=name, limit=_LARGEST_HEAD
        )

    def choose(self, request: Request) -> Fault | None:
        """Return what happens to ``request``."""
        return self.weather.choose(request)

    def refusal(self, request: Request, fault: Fault) -> bytes:
        """Return the whole answer that refuses ``request``."""
        return self._refusal(request, fault)

    async def flowing(self) -> None:
        """Return once nothing is held up."""
        await self._flowing.wait()


class _Connection:
    """One client's connection, and the one to the server behind it."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._behind: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def serve(self) -> None:
        """Pass requests on until either side has had enough."""
        try:
            while (head := await wire.read_head(self._reader)) is not None:
                body = await wire.request_body(self._reader, head)
                await self._proxy.flowing()
                if not await self._one(head, body):
                    return
        finally:
            if self._behind is not None:
                self._behind[1].close()

    async def _one(self, head: wire.Head, body: bytes) -> bool:
        """Handle one request; return whether the connection goes on."""
        request = Request(self._proxy.door, head.first[0], head.first[1])
        fault = self._proxy.choose(request)
        kind = fault.kind if fault else None
        if fault is not None and kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds)
        elif fault is not None and kind is Kind.REFUSE:
            await self._send(self._proxy.refusal(request, fault))
            return not head.closes
        elif kind is Kind.CUT_BEFORE:
            _reset(self._writer)
            return False
        reader, answer = await self._ask(head.raw + body)
        pieces = wire.response_body(reader, answer, request.method)
        if kind is Kind.CUT_AFTER:
            async for _ in pieces:
                pass
            _reset(self._writer)
            return False
        if kind is Kind.HALF:
            whole = b"".join([piece async for piece in pieces])
            await self._send(answer.raw + whole[: len(whole) // 2])
            return False
        try:
            async with asyncio.timeout(fault.seconds if fault and kind is Kind.CUT_STREAM else None):
                await self._send(answer.raw)
                async for piece in pieces:
                    await self._proxy.flowing()
                    await self._send(piece)
        except TimeoutError:
            _reset(self._writer)
            return False
        return not (head.closes or answer.closes or wire.ends_with_the_connection(answer, request.method))

    async def _ask(self, message: bytes) -> tuple[asyncio.StreamReader, wire.Head]:
        """Pass a request on and return where its answer comes from, and the answer's head."""
        if self._behind is not None and self._behind[0].at_eof():  # as a client would, it begins afresh
            self._behind[1].close()
            self._behind = None
        if self._behind is None:
            self._behind = await self._proxy.connect()
        reader, writer = self._behind
        writer.write(message)
        await writer.drain()
        answer = await wire.read_head(reader)
        if answer is None:
            raise ConnectionResetError("the server ended the connection without an answer")
        return reader, answer

    async def _send(self, message: bytes) -> None:
        self._writer.write(message)
        await self._writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    plain = writer.get_extra_info("socket")
    if plain is not None:
        with contextlib.suppress(OSError):
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
