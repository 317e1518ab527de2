"""Figures for Prometheus at an address others reach: encrypted, and for those who may.

Who asks shows a token of a service account. The API server says whose it is (TokenReview; a token made for
the audience ``causeway-metrics`` will do, which is good for nothing else) and whether he may ``get`` the path
``/metrics`` (SubjectAccessReview), as with the kubelet and the controllers of Kubernetes. No proxy is needed.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import ssl
import sys
from types import TracebackType
from typing import Any, Self

import structlog
from aiohttp import web

from causeway.host.command import run
from causeway.kit.errors import Exit, Problem
from causeway.kube.client import Client
from causeway.kube.errors import ApiError
from causeway.kube.resource import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from causeway.serve import figures

AUDIENCE = "causeway-metrics"
ADDRESS = "CAUSEWAY_METRICS_ADDRESS"
"""The variable that says where to listen, as ADDRESS:PORT; without it nobody listens."""
_BELIEVED = 60.0  # seconds an answer of the API server about a token holds
_REMEMBERED = 64  # tokens
_AGAIN = 2.0  # seconds until a port that was taken is tried again

log = structlog.get_logger()


def address_of(text: str) -> tuple[str, int]:
    """Return (address, port) of ``ADDRESS:PORT``; raises ``Problem``."""
    address, _, port = text.rpartition(":")
    if not address or not port.isdigit():
        cause = f"{text!r} is not ADDRESS:PORT"
        raise Problem.of(ADDRESS, cause, "As in: 192.0.2.5:9878", exit_code=Exit.USAGE)
    return address.strip("[]"), int(port)


class Guard:
    """Knows who may see the figures."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[bytes, tuple[float, int]] = {}  # by digest of the token: until when, HTTP status

    async def status(self, authorization: str) -> int:
        """Return the HTTP status for a header ``Authorization``: 200, 401 or 403. Raises ``ApiError``."""
        scheme, _, given = authorization.partition(" ")
        token = given.strip()
        if scheme.lower() != "bearer" or not token:
            return 401
        digest, now = hashlib.sha256(token.encode()).digest(), asyncio.get_running_loop().time()
        until, status = self._known.get(digest, (0.0, 401))
        if now >= until:
            status = await self._ask(token)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[digest] = (now + _BELIEVED, status)
        return status

    async def _ask(self, token: str) -> int:
        user: dict[str, Any] | None = None
        for audiences in ([], [AUDIENCE]):  # none: the API server's own
            spec = {"token": token, "audiences": audiences}
            told = (await self._client.create(TOKEN_REVIEWS, {"metadata": {}, "spec": spec}))["status"]
            if told.get("authenticated"):
                user = told["user"]
                break
        if user is None:
            return 401
        asked = {
            "user": user["username"],
            "groups": user.get("groups", []),
            "uid": user.get("uid", ""),
            "extra": user.get("extra", {}),
            "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
        }
        answer = await self._client.create(SUBJECT_ACCESS_REVIEWS, {"metadata": {}, "spec": asked})
        return 200 if answer["status"].get("allowed") else 403


class Scraping:
    """Serves the figures at ``address`` while it is entered; does nothing if that is ""."""

    def __init__(self, address: str, client: Client) -> None:
        self._address = address_of(address) if address else None
        self._guard = Guard(client)
        self._waiting: asyncio.Task[None] | None = None
        application = web.Application()
        application.router.add_get("/metrics", self._show)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False)

    async def __aenter__(self) -> Self:
        if self._address is not None:
            host, port = self._address
            await self._runner.setup()
            try:
                tls = await asyncio.to_thread(_tls)
                await self._listen(host, port, tls)
            except (OSError, Problem) as error:  # the work is done without being watched as well
                log.warning("figures cannot be served", address=f"{host}:{port}", cause=str(error))
        return self

    async def _listen(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        """Listen, later if another has the port: that may be the one whose place this one takes."""
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=tls).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            log.info("figures are served when their port is free", address=f"{host}:{port}")
            self._waiting = asyncio.create_task(self._listen_later(host, port, tls))

    async def _listen_later(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        while True:
            await asyncio.sleep(_AGAIN)
            with contextlib.suppress(OSError):
                return await web.TCPSite(self._runner, host, port, ssl_context=tls).start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait([self._waiting])
        await self._runner.cleanup()

    async def _show(self, request: web.Request) -> web.Response:
        try:
            status = await self._guard.status(request.headers.get("Authorization", ""))
        except ApiError as error:
            log.warning("a scraper's token cannot be reviewed", cause=str(error))
            return web.Response(status=503, text="the API server does not review tokens now\n")
        if status == 200:
            return await figures.show(request)
        said = "a valid token is needed\n" if status == 401 else "RBAC does not let you get /metrics\n"
        return web.Response(status=status, text=said)


def _tls() -> ssl.SSLContext:
    pem = run(sys.executable, "-m", "causeway.serve.certificate")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    handle = os.memfd_create("certificate", os.MFD_CLOEXEC)  # the library reads files only
    try:
        os.write(handle, pem.encode())
        tls.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
    return tls
