"""How the controller does, for probes (``/healthz``, ``/readyz``) and in figures (``/metrics``)."""

from types import TracebackType
from typing import Self

from aiohttp import web

from causeway.kit import metrics
from causeway.kube.lease import Election
from causeway.serve import figures
from causeway.serve.controller.rooms import Rooms


class Health:
    """Answers on 127.0.0.1 while it is entered."""

    def __init__(self, port: int, election: Election, rooms: Rooms) -> None:
        self._port = port
        self._election = election
        self._rooms = rooms
        metrics.LEADING.set_function(lambda: int(election.leading))
        application = web.Application()
        application.router.add_get("/healthz", self._alive)
        application.router.add_get("/readyz", self._ready)
        application.router.add_get("/metrics", figures.show)
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _alive(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # that it answers is the news

    async def _ready(self, _request: web.Request) -> web.Response:
        if self._election.leading and not self._rooms.controllers:
            return web.Response(status=503, text="the cloud has not been reached\n")
        return web.Response(text="leading\n" if self._election.leading else "standing by\n")
