"""The platform's controller: the rooms that follow Kubernetes and act on the cloud, run by one leader.

What it needs of the Deployment that runs it (``causeway serve controller``):

- the files ``config.json`` (ConfigMap ``causeway``) and ``clouds.yaml`` (Secret ``causeway-cloud``); the
  latter may be replaced at any time.
- environment, each with its default: ``CAUSEWAY_CONFIG`` (``/etc/causeway/config.json``), ``OS_CLOUD``
  (``openstack``), ``OS_CLIENT_CONFIG_FILE`` (the usual places), ``POD_NAME`` (this host's name and a random
  part: whoever restarts in the same pod takes its own lease up again at once), ``POD_NAMESPACE``
  (``kube-system``), ``CAUSEWAY_HEALTH_PORT`` (9878), ``CAUSEWAY_METRICS_ADDRESS`` (none; ADDRESS:PORT where
  figures are shown to who may see them), ``CAUSEWAY_LOG_LEVEL`` (info), ``OTEL_EXPORTER_OTLP_ENDPOINT``
  (none) and the other variables of OpenTelemetry.
- probes on 127.0.0.1: liveness ``/healthz``, readiness ``/readyz``; figures at ``/metrics``.
"""

import asyncio
import gc
import os
import sys
from contextlib import AsyncExitStack

import structlog

from causeway.kit import logging, trace
from causeway.kit.errors import Exit
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.kube.lease import Election, LeaseLost
from causeway.serve.controller.health import Health
from causeway.serve.controller.rooms import Rooms
from causeway.serve.controller.settings import Settings
from causeway.serve.ending import on_ending
from causeway.serve.scraping import Scraping

LEASE = "causeway-controller"

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Run the controller until SIGTERM or SIGINT; any other end means that it must be started afresh."""
    logging.configure(logging.level_from(os.environ))
    trace.configure("causeway-controller", os.environ)
    gc.freeze()  # modules stay: no search for garbage, during which nothing else goes on, need look at them
    try:
        asyncio.run(_serve(settings))
    except LeaseLost as error:
        log.warning("leading no more", cause=str(error))
        sys.exit(Exit.FAILED)
    finally:
        trace.close()


async def _serve(settings: Settings) -> None:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("runs outside a task")
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    on_ending(stop)
    try:
        access = discover()
        async with AsyncExitStack() as open_clients:
            # A connection pool of its own: renewing the lease must not wait behind the rooms' requests.
            own = await open_clients.enter_async_context(Client(access))
            election = Election(own, LEASE, settings.namespace, settings.identity)
            client = await open_clients.enter_async_context(Client(access, may_act=election.may_act))
            rooms = Rooms(settings, client, election.may_act)
            async with (
                Health(settings.health_port, election, rooms),
                Scraping(settings.metrics_address, own),  # it asks who scrapes, leader or not
            ):
                log.info("controller started", identity=settings.identity)
                await election.lead(rooms.run)
    except asyncio.CancelledError:
        if not stopped:
            raise
        log.info("controller stopped")
