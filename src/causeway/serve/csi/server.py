"""A process of the driver: a gRPC server at a socket, started, and stopped cleanly."""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import grpc
import structlog

from causeway.kit import logging, trace
from causeway.kit.errors import Problem
from causeway.serve.csi import health
from causeway.serve.csi.identity import Identity
from causeway.serve.csi.rpc import handlers
from causeway.serve.csi.settings import Common
from causeway.serve.ending import on_ending

log = structlog.get_logger()

_GRACE = 5.0  # seconds calls under way get at the end; who asks again goes on with what is left


def server(settings: Common, **services: object) -> grpc.aio.Server:
    """Return a server, not yet started, for the identity and the given services by their names."""
    made = grpc.aio.server()
    made.add_generic_rpc_handlers(
        [
            handlers("Identity", Identity(settings)),
            *(handlers(name, servicer) for name, servicer in services.items()),
        ]
    )
    try:
        made.add_insecure_port(settings.endpoint)
    except RuntimeError as error:
        remedy = "Set CSI_ENDPOINT to unix:///PATH; its directory has to exist."
        raise Problem.of(settings.endpoint, str(error), remedy) from error
    return made


async def serve(
    settings: Common, known: AbstractAsyncContextManager[None] | None = None, **services: object
) -> None:
    """Serve until SIGTERM or SIGINT; raises ``Problem`` when the socket cannot be had.

    ``known`` is entered once calls are taken, and left before that ends.
    """
    stop = asyncio.Event()
    on_ending(stop.set)
    serving = server(settings, **services)
    await serving.start()
    log.info("started", endpoint=settings.endpoint, driver=settings.driver)
    async with AsyncExitStack() as entered:
        if settings.health_port is not None:
            await entered.enter_async_context(health.watched(settings.endpoint, settings.health_port))
        if known is not None:
            await entered.enter_async_context(known)
        await stop.wait()
    await serving.stop(_GRACE)
    log.info("stopped")


def run(name: str, serving: Coroutine[Any, Any, None]) -> None:
    """Run a service as the process it is, with its log and its traces."""
    logging.configure(logging.level_from(os.environ))
    trace.configure(name, os.environ)
    try:
        asyncio.run(serving)
    finally:
        trace.close()
