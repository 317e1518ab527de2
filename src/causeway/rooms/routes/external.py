"""Certificates that Routes have in Secrets (``externalCertificate``): served as if they were their own."""

import asyncio
from collections.abc import Callable

import msgspec

from causeway.kube.ingresses import Secret
from causeway.kube.objects import key_of
from causeway.kube.routes import Route
from causeway.rooms.routes.parts import Barred
from causeway.rooms.routes.secrets import Secrets, SourceOfSecret

_TYPE = "kubernetes.io/tls"


class ExternalCertificates:
    """The Secrets that Routes name. ``changed`` is called with the key of a Route whose Secret is news."""

    def __init__(self, source: SourceOfSecret, changed: Callable[[str], None]) -> None:
        self._secrets = Secrets(source, changed)
        self._waiting: set[str] = set()  # Routes, for what their Secrets are
        self._news = asyncio.Event()

    def fill(self, route: Route) -> Route | None:
        """Return a Route as it is to be served; None as long as it is not known what its Secret is."""
        key, secret = key_of(route), secret_of(route)
        self._secrets.want(key, frozenset({secret} if secret else ()))
        if not self._secrets.known(key):
            self._waiting.add(key)
            return None
        self._done(key)
        return filled(route, self._secrets.get(secret)) if secret else route

    def forget(self, key: str) -> None:
        """Follow nothing more for a Route."""
        self._secrets.want(key, frozenset())
        self._done(key)

    def _done(self, key: str) -> None:
        self._waiting.discard(key)
        self._news.set()

    async def settled(self) -> None:
        """Wait until no Route waits for what its Secret is; needs ``run`` meanwhile."""
        while self._waiting:
            self._news.clear()
            await self._news.wait()

    async def run(self) -> None:
        """Follow Secrets until cancelled."""
        await self._secrets.run()


def secret_of(route: Route) -> str:
    """Return the key of the Secret a Route names, "" if it names none."""
    reference = route.spec.tls.external_certificate if route.spec.tls is not None else None
    return f"{route.metadata.namespace}/{reference.name}" if reference is not None and reference.name else ""


def filled(route: Route, secret: Secret | str) -> Route:
    """Return a Route with the certificate of its Secret, or barred by what is wrong with that.

    ``secret`` is text if it cannot be had. Authorities are the Route's own: a Secret is not asked for any.
    """
    tls, wrong = route.spec.tls, ""
    if tls is None:
        return route
    if tls.certificate or tls.key:
        wrong = "stands beside a certificate or key of the route's own: leave one of them out"
    elif tls.termination == "passthrough":
        wrong = "passthrough termination does not support certificates"
    elif isinstance(secret, str):
        wrong = f"Secret {secret_of(route)} {secret}"
    elif secret.type != _TYPE:
        wrong = f"Secret {secret_of(route)} is of type {secret.type}, not {_TYPE}"
    elif not (secret.data.get("tls.crt") and secret.data.get("tls.key")):
        wrong = f"Secret {secret_of(route)} has no tls.crt, or no tls.key"
    if wrong or isinstance(secret, str):
        return Barred(
            metadata=route.metadata,
            spec=route.spec,
            status=route.status,
            wrong=f"spec.tls.externalCertificate: {wrong}",
        )
    certificate, key = (secret.data[name].decode(errors="replace") for name in ("tls.crt", "tls.key"))
    own = msgspec.structs.replace(tls, certificate=certificate, key=key, external_certificate=None)
    return msgspec.structs.replace(route, spec=msgspec.structs.replace(route.spec, tls=own))
