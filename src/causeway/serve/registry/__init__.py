"""The token service of a platform's registry (``causeway serve registry-auth``).

A client that the registry refuses comes here with a name, which says nothing, and a password, which is a
token of the platform. It leaves with a token of the registry for what it asked and may do, by the protocol
of the registry's documentation (Docker Registry v2 authentication). It listens on the pod's loopback: what is
before the registry speaks TLS and leads here what concerns tokens.
"""

import asyncio
import os
from collections.abc import Collection
from datetime import UTC, datetime

import structlog
from aiohttp import BasicAuth, ClientError, ClientSession, ClientTimeout, hdrs, web

from causeway.kit import logging, trace
from causeway.kit.errors import Problem
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.kube.errors import ApiError
from causeway.rooms.registry import reviews, scopes
from causeway.rooms.registry.gate import Gate
from causeway.rooms.registry.images import Images
from causeway.rooms.registry.scopes import Access
from causeway.rooms.registry.tokens import LIFE, Signer
from causeway.serve.ending import on_ending
from causeway.serve.registry import admission
from causeway.serve.registry.admission import refusal
from causeway.serve.registry.settings import Settings, opened

PATH = "/auth/token"
_SECONDS = 4.0  # the registry may take to say that it works

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT."""
    logging.configure(logging.level_from(os.environ))
    trace.configure("causeway-registry-auth", os.environ)
    try:
        asyncio.run(_serve(settings))
    finally:
        trace.close()


async def _serve(settings: Settings) -> None:
    ended = asyncio.Event()
    on_ending(ended.set)
    signer = Signer.read(settings.service, settings.directory)
    async with Client(discover()) as client, opened(settings.place) as store:
        images = Images(client, store, settings.quota)
        await images.begin()
        runner = web.AppRunner(application(client, signer, images, settings.registry), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", settings.port).start()
            await ended.wait()
        finally:
            await runner.cleanup()


def application(client: Client, signer: Signer, images: Images, registry: str) -> web.Application:
    """Return the service: tokens at ``/auth/token``, and what is asked before a manifest is written.

    ``/healthz`` says whether the registry (URL) works.
    """

    async def token(request: web.Request) -> web.Response:
        now = datetime.now(UTC)  # from when on the token lives: before its push is on record
        given = _password(request.headers.get(hdrs.AUTHORIZATION, ""))
        try:
            user = await reviews.user_of(client, given) if given else None
            if user is None:
                return refusal(401, "UNAUTHORIZED", "the password must be a token of this platform")
            wanted = scopes.parse(request.query.getall("scope", []))
            allowed = await reviews.granted(client, user, wanted)
            allowed, living, closed = await _settled(images, allowed)
        except ApiError as error:
            log.warning("a token cannot be reviewed", cause=str(error))
            return refusal(503, "UNAVAILABLE", "the API server does not review tokens now")
        except Problem as error:
            log.warning("images cannot be looked at", cause=str(error))
            return refusal(503, "UNAVAILABLE", str(error))
        for each in allowed:
            log.info("granted", user=user["username"], name=each.name, actions=list(each.actions))
        why = f"{closed.refusal.cause}. {closed.refusal.remedy}" if closed else ""
        made = signer.token(user["username"], allowed, now, living, why)
        answer = {"token": made, "access_token": made, "expires_in": int(LIFE.total_seconds())}
        return web.json_response(answer | {"issued_at": now.strftime("%Y-%m-%dT%H:%M:%SZ")})

    async def alive(request: web.Request) -> web.Response:
        del request
        try:
            async with (
                ClientSession(timeout=ClientTimeout(_SECONDS)) as session,
                session.get(registry) as answer,
            ):
                status = answer.status
        except (ClientError, TimeoutError) as error:
            return web.Response(status=503, text=f"the registry does not answer: {error}\n")
        return web.Response(status=status, text=f"the registry answers with status {status}\n")

    made = web.Application(client_max_size=admission.MOST)
    made.router.add_get(PATH, token)
    made.router.add_put(admission.PATH, admission.admission(images, signer, registry))
    made.router.add_get("/healthz", alive)
    return made


def _password(authorization: str) -> str:
    """Return the password of a header ``Authorization``, "" if there is none."""
    try:
        return str(BasicAuth.decode(authorization, encoding="utf-8").password)
    except ValueError:
        return ""


async def _settled(
    images: Images, allowed: Collection[Access]
) -> tuple[list[Access], dict[str, str], Gate | None]:
    """Return what of the allowed can be done now, the UIDs of its namespaces, and the gate if closed."""
    living: dict[str, str] = {}
    closed: Gate | None = None
    for name in {each.namespace for each in allowed if each.namespace}:
        found = await images.namespace(name)
        if found is not None:
            changes = any(scopes.changes(each) for each in allowed if each.namespace == name)
            if stands := await images.settle(found, changes=changes):
                closed = stands
                continue
            living[name] = found["metadata"]["uid"]
    left = [each for each in allowed if not each.namespace or each.namespace in living]
    if any(scopes.changes(each) for each in left):
        closed = await images.enter() or closed
    return (scopes.unchanging(left) if closed else left), living, closed
