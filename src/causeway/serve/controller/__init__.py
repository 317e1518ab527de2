"""The platform's controller: the rooms that follow Kubernetes and act on the cloud, run by one leader.

What it needs of the Deployment that runs it (``causeway serve controller``):

- the files ``config.json`` (ConfigMap ``causeway``) and ``clouds.yaml`` (Secret ``causeway-cloud``); the
  latter may be replaced at any time.
- environment, each with its default: ``CAUSEWAY_CONFIG`` (``/etc/causeway/config.json``), ``OS_CLOUD``
  (``openstack``), ``OS_CLIENT_CONFIG_FILE`` (the usual places), ``POD_NAME`` (this host's name and a random
  part: whoever restarts in the same pod takes its own lease up again at once), ``POD_NAMESPACE``
  (``kube-system``), ``CAUSEWAY_HEALTH_PORT`` (9878).
- probes on 127.0.0.1: liveness ``/healthz``, readiness ``/readyz``; figures at ``/metrics``.
"""

import asyncio
import signal
import sys

import structlog

from causeway.kit import logging
from causeway.kit.errors import Exit
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.kube.lease import Election, LeaseLost
from causeway.serve.controller.health import Health
from causeway.serve.controller.rooms import Rooms
from causeway.serve.controller.settings import Settings

LEASE = "causeway-controller"

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Run the controller until SIGTERM or SIGINT; any other end means that it must be started afresh."""
    logging.configure()
    try:
        asyncio.run(_serve(settings))
    except LeaseLost as error:
        log.warning("leading no more", cause=str(error))
        sys.exit(Exit.FAILED)


async def _serve(settings: Settings) -> None:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("runs outside a task")
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        async with Client(discover()) as client:
            election = Election(client, LEASE, settings.namespace, settings.identity)
            rooms = Rooms(settings, client)
            async with Health(settings.health_port, election, rooms):
                log.info("controller started", identity=settings.identity)
                await election.lead(rooms.run)
    except asyncio.CancelledError:
        if not stopped:
            raise
        log.info("controller stopped")
