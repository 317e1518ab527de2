"""How the router does, for probes (``/healthz``, ``/readyz``) and in figures (``/metrics``)."""

import asyncio
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from aiohttp import web

from causeway.host.haproxy import Haproxy
from causeway.kit import metrics
from causeway.kit.errors import Problem
from causeway.rooms.routes.router import Router
from causeway.serve import figures
from causeway.serve.router.traffic import Traffic

_COUNT = 10.0  # seconds between two readings of HAProxy's counters


class Health:
    """Answers while it is entered, on ``health.sock`` of the directory and on a port of 127.0.0.1 unless
    that is 0; not ready while HAProxy is not, nor when ``leaving``.
    """

    def __init__(self, port: int, router: Router, haproxy: Haproxy) -> None:
        self._port = port
        self._router = router
        self._haproxy = haproxy
        self._traffic = Traffic(router)
        self._counted = ""
        self._open = AsyncExitStack()
        self.leaving = False
        application = web.Application()
        application.router.add_get("/healthz", self._alive)
        application.router.add_get("/readyz", self._ready)
        application.router.add_get("/metrics", figures.show)
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> Self:
        metrics.ROUTES_REFUSED.set_function(lambda: self._router.refused)
        metrics.ROUTER_LOADS.set_function(lambda: self._router.reloads)
        self._open.enter_context(metrics.ROUTE_TRAFFIC.reading(lambda: self._traffic.values(self._counted)))
        counting = asyncio.create_task(self._count())
        self._open.callback(counting.cancel)
        await self._runner.setup()
        await web.UnixSite(self._runner, self._haproxy.directory / "health.sock").start()
        if self._port:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()
        await self._runner.cleanup()

    async def _alive(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        if self.leaving:
            return web.Response(status=503, text="leaving\n")
        if not self._router.ready:
            return web.Response(status=503, text="HAProxy does not run what it should yet\n")
        return web.Response(text="ok\n")

    async def _count(self) -> None:
        while True:
            with suppress(Problem):  # whoever holds HAProxy to what is wanted tells of it
                (self._counted,) = await self._haproxy.ask(["show stat -1 2 -1"])
            await asyncio.sleep(_COUNT)
