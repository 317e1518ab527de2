"""An image comes to be when its manifest is written: that request is looked at before the registry has it.

It is refused where the namespace would hold more than it may, or is not the one any more that the token was
given for. Blobs go to the registry past this; those no image names are collected.
"""

import hashlib
from collections.abc import Awaitable, Callable

from aiohttp import ClientError, ClientSession, ClientTimeout, hdrs, web
from multidict import CIMultiDict

from causeway.kit.errors import Finding, Problem
from causeway.rooms.registry.images import Images
from causeway.rooms.registry.quota import Unknown
from causeway.rooms.registry.tokens import Signer

PATH = "/v2/{name:.+}/manifests/{reference}"
MOST = 4 << 20
"""Bytes of a manifest, by the registry."""

_TIMEOUT = ClientTimeout(total=120)
# Of one connection, not of the request (RFC 9110, 7.6.1); the length is that of what is sent on.
_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
)


def admission(
    images: Images, signer: Signer, registry: str
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return what answers a request to write a manifest; ``registry`` (URL) gets what is let through."""

    async def put(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"].partition("/")[0]
        kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        given = signer.namespaces(token) if kind.lower() == "bearer" else None
        body = await request.read()
        if given is None:  # the registry says what it thinks of that
            return await _passed_on(request, registry, body)
        try:
            namespace = await images.namespace(name)
            if namespace is None or given.get(name) != namespace["metadata"]["uid"]:
                cause = "the token was given for one that is gone"
                return refusal(403, "DENIED", f"namespace {name}: {cause}. Sign in again.")
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            async with images.turn(name):
                more = await images.admitted(namespace, digest, body)
                if isinstance(more, Finding):
                    return refusal(403, "DENIED", f"{more.place}: {more.cause}. {more.remedy}")
                answer = await _passed_on(request, registry, body)
                if answer.status == 201:
                    images.added(name, more)
                    await images.complete(digest, body)
                elif not 400 <= answer.status < 500:
                    images.forget(name)
                return answer
        except Problem as error:
            return refusal(
                503, "UNAVAILABLE", f"namespace {name}: its images cannot be looked at now: {error}"
            )
        except ValueError as error:
            code = "MANIFEST_BLOB_UNKNOWN" if isinstance(error, Unknown) else "MANIFEST_INVALID"
            return refusal(400, code, f"namespace {name}: this image is not taken: {error}")

    return put


def refusal(status: int, code: str, message: str) -> web.Response:
    """Return an error in the registry's form, with what a client needs to sign in."""
    headers = {hdrs.WWW_AUTHENTICATE: 'Basic realm="registry"'} if status == 401 else {}
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status, headers=headers)


async def _passed_on(request: web.Request, registry: str, body: bytes) -> web.Response:
    headers = [(name, text) for name, text in request.headers.items() if name.lower() not in _HOP]
    url = registry.rstrip("/") + request.raw_path
    try:
        async with (
            ClientSession(timeout=_TIMEOUT, auto_decompress=False) as session,
            session.put(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            content = await answer.read()
            told = [(name, text) for name, text in answer.headers.items() if name.lower() not in _HOP]
    except (ClientError, TimeoutError) as error:
        return refusal(503, "UNAVAILABLE", f"the registry does not answer: {error}")
    return web.Response(status=answer.status, body=content, headers=CIMultiDict(told))
