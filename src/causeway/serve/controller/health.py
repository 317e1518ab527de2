"""How the controller does, for probes (``/healthz``, ``/readyz``) and in figures (``/metrics``)."""

import resource
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from causeway.kube.lease import Election
from causeway.serve.controller.rooms import Rooms


class Health:
    """Answers on 127.0.0.1 while it is entered."""

    def __init__(self, port: int, election: Election, rooms: Rooms) -> None:
        self._port = port
        self._election = election
        self._rooms = rooms
        application = web.Application()
        application.router.add_get("/healthz", self._alive)
        application.router.add_get("/readyz", self._ready)
        application.router.add_get("/metrics", self._metrics)
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

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(text="\n".join(self._figures()) + "\n", content_type="text/plain")

    def _figures(self) -> Iterator[str]:
        yield from _metric("causeway_leading", "gauge", {"": int(self._election.leading)})
        calls = self._rooms.cloud.calls if self._rooms.cloud else {}
        by_call = {_labels(service=service, call=verb): count for (service, verb), count in calls.items()}
        yield from _metric("causeway_cloud_calls_total", "counter", by_call)
        rooms = {_labels(room=each.name): each for each in self._rooms.controllers}
        figures = {room: each.figures for room, each in rooms.items()}
        succeeded = {room: each.reconciled for room, each in figures.items()}
        yield from _metric("causeway_reconciled_total", "counter", succeeded)
        failed = {room: each.failed for room, each in figures.items()}
        yield from _metric("causeway_reconcile_errors_total", "counter", failed)
        seconds = {room: round(each.seconds, 3) for room, each in figures.items()}
        yield from _metric("causeway_reconcile_seconds_total", "counter", seconds)
        yield from _metric(
            "causeway_queue_length", "gauge", {room: len(each.queue) for room, each in rooms.items()}
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        yield from _metric("process_peak_resident_memory_bytes", "gauge", {"": peak})


def _metric(name: str, kind: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{labels} {value}"


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"
