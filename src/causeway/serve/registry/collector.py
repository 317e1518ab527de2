"""A collection of what no image needs (``causeway serve registry-collector``): it collects once and ends.

The registry's own ``garbage-collect`` cannot be told that somebody pushes again, and in a container of its
own it runs on when who keeps others from pushing is gone. Here one process holds the Lease and deletes: what
ends or stops the one ends or stops the other.
"""

import asyncio
import os
from collections.abc import Iterable, Sequence

import structlog

from causeway.kit import logging, trace
from causeway.kit.errors import Problem
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.kube.resource import NAMESPACES
from causeway.rooms.registry import gate, layout, owners, unused
from causeway.rooms.registry.gate import Hold
from causeway.rooms.registry.store import Store, together
from causeway.serve.ending import on_ending
from causeway.serve.registry.settings import Collector, opened

_HANDFUL = 16
"""Of what is deleted at once, after one renewal of the Lease."""

log = structlog.get_logger()


def run(settings: Collector) -> None:
    """Collect once; raises ``Problem`` where that did not come to its end, as after SIGTERM or SIGINT."""
    logging.configure(logging.level_from(os.environ))
    trace.configure("causeway-registry-collector", os.environ)
    try:
        asyncio.run(_serve(settings))
    finally:
        trace.close()


async def _serve(settings: Collector) -> None:
    collecting = asyncio.ensure_future(_collect(settings))
    on_ending(collecting.cancel)
    try:
        async with asyncio.timeout(gate.LONGEST.total_seconds()):
            await collecting
    except (asyncio.CancelledError, TimeoutError) as error:
        late = isinstance(error, TimeoutError)
        cause = "is not done after an hour" if late else "was ended before it was done"
        raise Problem.of("collection of unused blobs", cause, "The next one does what is left.") from None


async def _collect(settings: Collector) -> None:
    async with Client(discover()) as client, opened(settings.place) as store:
        log.info("waiting until nobody pushes")
        async with gate.closed(client, settings.identity) as hold:
            log.info("nobody may push")
            await sweep(client, store, hold)
            found = await unused.find(store, untagged=settings.untagged, age=settings.age)
            await remove(store, found.folders, hold)
        log.info("collected", images=len(found.images), layers=len(found.layers), blobs=len(found.blobs))


async def sweep(client: Client, store: Store, hold: Hold) -> list[str]:
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
        await remove(store, await store.keys(layout.folder_of(each)), hold)
        async with hold.sure():
            await owners.remove(store, each)
        log.info("deleted the images of a namespace that is gone", namespace=each)
    return found


async def remove(store: Store, folders: Sequence[str], hold: Hold) -> None:
    """Delete folders in their order, some at once; raises ``Problem`` when the Lease is not ours any more."""
    for some in _handfuls(folders):
        async with hold.sure():
            await together(map(store.remove, some))


def _handfuls(folders: Sequence[str]) -> Iterable[Sequence[str]]:
    return (folders[begin : begin + _HANDFUL] for begin in range(0, len(folders), _HANDFUL))
