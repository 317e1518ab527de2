"""Clients of a router: whoever starts it, it is asked the same way."""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.ports import free_port

DEADLINE = 240.0


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition; the time it takes is nobody's business below the deadline."""
    end = time.monotonic() + DEADLINE
    while not await condition():
        assert time.monotonic() < end, f"in vain: {what}"
        await asyncio.sleep(0.01)


def trusting() -> ssl.SSLContext:
    """Return what a client needs that takes every server for whom it says it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@dataclass
class Answer:
    """An answer with what the application behind it said of the request."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def application(self) -> str:
        return str(self.body.get("application", ""))


@dataclass(kw_only=True)
class FrontDoor:
    """The ports of a router on the loopback device, and ways to ask there."""

    http: int = field(default_factory=free_port)
    https: int = field(default_factory=free_port)

    async def get(
        self,
        host: str,
        path: str = "/",
        *,
        tls: bool = False,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
        port: int = 0,
        source: str = "127.0.0.1",
    ) -> Answer:
        connector = aiohttp.TCPConnector(ssl=context or trusting(), force_close=True, local_addr=(source, 0))
        scheme, usual = ("https", self.https) if tls else ("http", self.http)
        jar = aiohttp.DummyCookieJar()
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session,
            session.request(
                method,
                f"{scheme}://127.0.0.1:{port or usual}{path}",
                headers={"Host": host, **(headers or {})},
                server_hostname=host if tls else None,
                allow_redirects=False,
            ) as answer,
        ):
            text = await answer.text()
            body = json.loads(text) if "json" in answer.headers.get("content-type", "") else {}
            return Answer(answer.status, answer.headers, body)

    async def certificate(self, host: str) -> bytes:
        """Return the certificate shown to who asks for ``host``, as DER."""
        context = trusting()
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", self.https, ssl=context, server_hostname=host)
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.close()
        return shown

    async def answers(self, host: str, application: str, path: str = "/", *, tls: bool = False) -> Answer:
        """Wait until ``application`` answers for ``host``; return that answer."""
        found: list[Answer] = []

        async def asked() -> bool:
            found[:] = [await self.get(host, path, tls=tls)]
            return found[0].application == application

        await until(asked, f"{application} answers for {host}{path}")
        return found[0]
