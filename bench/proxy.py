"""Counting proxies in front of the APIs, so that calls of every contender are counted in the same way.

One proxy per service. Keystone's answers are rewritten so that the catalogue leads to the other proxies; the
rest passes unchanged, watches of Kubernetes as a stream.
"""

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from causeway.kube.access import Access

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}
_LARGEST = 64 << 20
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_KUBERNETES = re.compile(
    r"^(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?/([a-z]+)(?:/[^/]+(?:/([a-z]+))?)?$"
)


@dataclass(frozen=True)
class Call:
    """A kind of call: service, method, path without names and identifiers."""

    service: str
    method: str
    path: str

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


@dataclass
class Figures:
    """How often each kind of call was made, and how long the service took over all of them."""

    calls: Counter[Call] = field(default_factory=Counter)
    seconds: dict[Call, list[float]] = field(default_factory=dict)

    def since(self, earlier: "Counter[Call]") -> "Counter[Call]":
        """Return the calls made since ``earlier``, a copy of ``calls``."""
        return self.calls - earlier


class Proxy:
    """One service's proxy on 127.0.0.1 while it is entered; ``url`` stands for ``upstream``."""

    def __init__(
        self,
        service: str,
        upstream: str,
        figures: Figures,
        *,
        access: Access | None = None,
        rewrite: Mapping[str, str] | None = None,
    ) -> None:
        self.url = ""
        self._port = 0
        self.upstream = upstream.rstrip("/")
        self._service = service
        self._figures = figures
        self._tls = access.tls if access else None
        self._rewrite = {old.encode(): new.encode() for old, new in (rewrite or {}).items()}
        application = web.Application(client_max_size=_LARGEST)
        application.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls or True, limit=0)
        self._http = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = int(self._runner.addresses[0][1])
        self.url = f"http://127.0.0.1:{self._port}"
        return self

    async def listen(self, address: str) -> str:
        """Answer at another address of this machine too; return the URL there."""
        await web.TCPSite(self._runner, address, self._port).start()
        return f"http://{address}:{self._port}"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()  # ends watches, so that the server has nothing to wait for
        await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        if self._http is None:
            raise RuntimeError("not entered")
        call = Call(self._service, request.method, kind_of(self._service, request))
        self._figures.calls[call] += 1
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if self._tls is not None:
            headers.pop("Host", None)
        try:
            return await self._forward(self._http, request, call, headers)
        except aiohttp.ClientError as error:
            return web.Response(status=502, text=f"{call}: {error}")

    async def _forward(
        self, http: aiohttp.ClientSession, request: web.Request, call: Call, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        started = time.monotonic()
        async with http.request(
            request.method,
            self.upstream + request.raw_path,
            headers=headers,
            data=await request.read() or None,
            allow_redirects=False,
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            if "watch" in request.query:
                return await self._stream(request, answer, kept)
            body = await answer.read()
        self._figures.seconds.setdefault(call, []).append(time.monotonic() - started)
        for old, new in self._rewrite.items():
            body = body.replace(old, new)
        return web.Response(status=answer.status, headers=kept, body=body)

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        try:
            async for part in answer.content.iter_any():
                await response.write(part)
            await response.write_eof()
        except (aiohttp.ClientError, ConnectionError):
            pass  # one side has ended the watch; so has the other now
        return response


def kind_of(service: str, request: web.Request) -> str:
    """Return the path of a request without what names single objects."""
    if service == "kubernetes":
        found = _KUBERNETES.match(request.path)
        if found:
            what = "/".join(part for part in found.groups()[1:] if part)
            return what + (" (watch)" if "watch" in request.query else "")
        return request.path
    return _UUID.sub("{}", request.path)
