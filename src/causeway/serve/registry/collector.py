"""The part of a collection of unused blobs that is ours (``causeway serve registry-collector``).

The registry's own ``garbage-collect`` must not run while images are pushed. This runs beside it, in a pod of
its own, and begins first: it waits until nobody pushes, closes the gate, deletes the images of namespaces
that are gone, and says that it is ready. Then the registry's program is started. When that has ended, well or
not, this gets SIGTERM and opens the gate again.
"""

import asyncio
import os
from pathlib import Path

import structlog
from aiohttp import web

from causeway.kit import logging, trace
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.kube.resource import NAMESPACES
from causeway.rooms.registry import gate, owners, walks
from causeway.rooms.registry.store import Store
from causeway.serve.ending import on_ending
from causeway.serve.registry.settings import Collector, opened

log = structlog.get_logger()


def run(settings: Collector) -> None:
    """Run until SIGTERM or SIGINT."""
    logging.configure(logging.level_from(os.environ))
    trace.configure("causeway-registry-collector", os.environ)
    try:
        asyncio.run(_serve(settings))
    finally:
        trace.close()


async def _serve(settings: Collector) -> None:
    ended = asyncio.Event()
    on_ending(ended.set)
    async with Client(discover()) as client, opened(settings.place) as store:
        begun = asyncio.ensure_future(_begin(client, store, settings))
        stopped = asyncio.ensure_future(ended.wait())
        try:
            await asyncio.wait([begun, stopped], return_when=asyncio.FIRST_COMPLETED)
            if begun.done():
                begun.result()
                await _ready_until(ended, settings.port)
        finally:
            for each in (begun, stopped):
                each.cancel()
            await asyncio.gather(begun, stopped, return_exceptions=True)
            await gate.reopen(client, settings.identity)
            log.info("images may be pushed")


async def _begin(client: Client, store: Store, settings: Collector) -> None:
    log.info("waiting until nobody pushes")
    await gate.close(client, settings.identity)
    log.info("nobody pushes")
    await sweep(client, store)
    if isinstance(settings.place, Path):
        await walks.complete(store)


async def sweep(client: Client, store: Store) -> list[str]:
    """Delete the images of namespaces that are gone; return their names. Raises ``Problem``.

    A namespace that is made meanwhile takes over what nobody has: its record is not among those read before.
    """
    records = await owners.all_recorded(store)
    listing = await client.list(NAMESPACES)
    living = {each["metadata"]["name"]: each["metadata"]["uid"] for each in listing.items}
    platform = living[owners.PLATFORM]
    await owners.hold(store, platform)
    found = owners.gone(records, platform, living)
    for each in found:
        await owners.remove(store, each)
        log.info("deleted the images of a namespace that is gone", namespace=each)
    return found


async def _ready_until(ended: asyncio.Event, port: int) -> None:
    """Answer ``/healthz``, by which the kubelet knows that the registry's program may begin."""

    async def ready(request: web.Request) -> web.Response:
        del request
        return web.Response(text="nobody may push\n")

    made = web.Application()
    made.router.add_get("/healthz", ready)
    runner = web.AppRunner(made, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104  # the kubelet asks from outside
        await ended.wait()
    finally:
        await runner.cleanup()
