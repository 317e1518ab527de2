"""The token service of a platform's registry (``causeway serve registry-auth``).

A client that the registry refuses comes here with a name, which says nothing, and a password, which is a
token of the platform. It leaves with a token of the registry for what it asked and may do, by the protocol
of the registry's documentation (Docker Registry v2 authentication). It listens on the pod's loopback: what is
before the registry speaks TLS and leads here what concerns tokens.
"""

import asyncio
import os
import signal
from datetime import UTC, datetime

import structlog
from aiohttp import BasicAuth, ClientError, ClientSession, ClientTimeout, hdrs, web

from causeway.kit import logging, trace
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.kube.errors import ApiError
from causeway.rooms.registry import reviews, scopes
from causeway.rooms.registry.tokens import LIFE, Signer
from causeway.serve.registry.settings import Settings

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
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    signer = Signer.read(settings.service, settings.directory)
    async with Client(discover()) as client:
        runner = web.AppRunner(application(client, signer, settings.registry), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", settings.port).start()
            await ended.wait()
        finally:
            await runner.cleanup()


def application(client: Client, signer: Signer, registry: str) -> web.Application:
    """Return the service: tokens at ``/auth/token``; ``/healthz`` says whether the registry (URL) works."""

    async def token(request: web.Request) -> web.Response:
        given = _password(request.headers.get(hdrs.AUTHORIZATION, ""))
        try:
            user = await reviews.user_of(client, given) if given else None
            if user is None:
                return _refusal(401, "UNAUTHORIZED", "the password must be a token of this platform")
            wanted = scopes.parse(request.query.getall("scope", []))
            allowed = await reviews.granted(client, user, wanted)
        except ApiError as error:
            log.warning("a token cannot be reviewed", cause=str(error))
            return _refusal(503, "UNAVAILABLE", "the API server does not review tokens now")
        for each in allowed:
            log.info("granted", user=user["username"], name=each.name, actions=list(each.actions))
        now = datetime.now(UTC)
        made = signer.token(user["username"], allowed, now)
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

    made = web.Application()
    made.router.add_get(PATH, token)
    made.router.add_get("/healthz", alive)
    return made


def _password(authorization: str) -> str:
    """Return the password of a header ``Authorization``, "" if there is none."""
    try:
        return str(BasicAuth.decode(authorization, encoding="utf-8").password)
    except ValueError:
        return ""


def _refusal(status: int, code: str, message: str) -> web.Response:
    headers = {hdrs.WWW_AUTHENTICATE: 'Basic realm="registry"'} if status == 401 else {}
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status, headers=headers)
