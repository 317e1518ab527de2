"""The router: holds a HAProxy to the platform's Routes (``causeway serve router``).

HAProxy is started apart from this process: if that ends, however it does, HAProxy goes on serving, and the
next one takes it over as it runs. Only SIGTERM and SIGINT end both, in peace: ``/readyz`` fails first, so
that who sends clients here stops, then HAProxy takes no new connections and ends those it has.

Every setting is a variable of the environment, listed in docs/reference/router.md.
"""

import asyncio
import os
from functools import partial

import structlog

from causeway.host.haproxy import Haproxy
from causeway.kit import logging, trace
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.kube.ingresses import Secret
from causeway.kube.objects import split_key
from causeway.kube.reflector import ApiSource
from causeway.kube.resource import SECRETS
from causeway.rooms.routes.controller import Room
from causeway.serve.ending import on_ending
from causeway.serve.router.alone import alone
from causeway.serve.router.default import provide_certificate
from causeway.serve.router.health import Health
from causeway.serve.router.settings import Settings
from causeway.serve.scraping import Scraping

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Run the router until SIGTERM or SIGINT."""
    logging.configure(logging.level_from(os.environ))
    trace.configure("causeway-router", os.environ)
    for name, meant in settings.unknown.items():
        remedy = f"is {meant} meant?" if meant else "leave it out: docs/reference/router.md has all settings"
        log.warning("a variable is no setting, and has no effect", variable=name, remedy=remedy)
    directory = settings.offer.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with alone(directory):
            asyncio.run(_serve(settings))
    finally:
        trace.close()


async def _serve(settings: Settings) -> None:
    ended = asyncio.Event()
    on_ending(ended.set)
    provide_certificate(settings.front.certificate, settings.offer.rules.suffix)
    haproxy = Haproxy(settings.offer.directory)
    # Each Secret is a watch of its own: they must not take the connections of all else.
    async with Client(discover()) as client, Client(discover(), most=0) as secrets:
        informers = Informers.at(client)
        room = Room(
            client,
            haproxy,
            informers,
            Recorder(client, "router"),
            offer=settings.offer,
            front=settings.front,
            selection=settings.selection,
            identity=settings.identity,
            spares=settings.spares,
            secret=partial(_secret, secrets),
        )
        health = Health(settings.health_port, room.router, haproxy)
        async with health, Scraping(settings.metrics_address, client):
            log.info("router started", name=settings.identity.router)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(informers.run()), group.create_task(room.run())]
                await ended.wait()
                health.leaving = True
                log.info("router leaves", seconds=settings.leave)
                await asyncio.sleep(settings.leave)  # changes are still followed meanwhile
                for task in tasks:
                    task.cancel()
            await haproxy.stop(settings.drain)
    log.info("router stopped")


def _secret(client: Client, key: str) -> ApiSource[Secret]:
    """Return where one Secret comes from: who may read it by its name may do this."""
    namespace, name = split_key(key)
    return ApiSource(client, SECRETS, Secret, namespace=namespace, fields=f"metadata.name={name}")
