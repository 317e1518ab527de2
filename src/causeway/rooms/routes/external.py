"""Certificates that Routes have in Secrets (``externalCertificate``): served as if they were their own."""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from causeway.kube.ingresses import Secret
from causeway.kube.objects import key_of
from causeway.kube.routes import Route
from causeway.rooms.routes import certificates
from causeway.rooms.routes.model import stumbled
from causeway.rooms.routes.parts import Barred
from causeway.rooms.routes.secrets import PATIENCE, Secrets, SourceOfSecret

log = structlog.get_logger()

_TYPE = "kubernetes.io/tls"
_LONGEST = 317  # characters of a namespace, a slash and a name, each as long as it may be


class ExternalCertificates:
    """The Secrets that Routes name. ``changed`` is called with the key of a Route whose Secret is news."""

    def __init__(self, source: SourceOfSecret, changed: Callable[[str], None]) -> None:
        self._secrets, self._changed = Secrets(source, changed), changed
        self._late: frozenset[str] = frozenset()
        self._waiting: set[str] = set()  # Routes, for what their Secrets are
        self._news = asyncio.Event()

    def fill(self, route: Route) -> Route | None:
        """Return a Route as it is to be served; None as long as it is not known what its Secret is."""
        key, secret = key_of(route), secret_of(route)
        self._secrets.want(key, frozenset({secret} if secret else ()))
        if not self._secrets.known(key) and key not in self._late:
            self._waiting.add(key)
            return None
        self._done(key)
        if not secret:
            return route
        try:
            return filled(route, self._secrets.get(secret))
        except Exception as error:  # must not end who follows all routes
            log.exception("a Route's Secret could not be read", route=key)
            return _barred(route, stumbled(error))

    def forget(self, key: str) -> None:
        """Follow nothing more for a Route."""
        self._secrets.want(key, frozenset())
        self._done(key)

    def _done(self, key: str) -> None:
        self._waiting.discard(key)
        self._news.set()

    async def settled(self) -> None:
        """Wait until no Route waits for what its Secret is; needs ``run`` meanwhile.

        At most ``PATIENCE``: then those that wait are barred until it is known, and hold their hosts.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while self._waiting:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self._late = frozenset(self._waiting)
            log.warning("Routes are not served before their Secrets are known", routes=sorted(self._late))
            for key in self._late:
                self._changed(key)

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
    tls, wrong, name = route.spec.tls, "", secret_of(route)[:_LONGEST]
    if tls is None:
        return route
    certificate = key = ""
    if tls.certificate or tls.key:
        wrong = "stands beside a certificate or key of the route's own: leave one of them out"
    elif tls.termination == "passthrough":
        wrong = "passthrough termination does not support certificates"
    elif isinstance(secret, str):
        wrong = f"Secret {name} {secret}"
    elif secret.type != _TYPE:
        wrong = f"Secret {name} is of type {secret.type}, not {_TYPE}"
    elif not (secret.data.get("tls.crt") and secret.data.get("tls.key")):
        wrong = f"Secret {name} has no tls.crt, or no tls.key"
    else:
        certificate, key = (secret.data[each].decode(errors="replace") for each in ("tls.crt", "tls.key"))
        try:
            certificates.chain_with_key(certificate, key, "")
        except certificates.Unusable as error:
            wrong = f"Secret {name}: {error}"
    if wrong:
        return _barred(route, wrong)
    own = msgspec.structs.replace(tls, certificate=certificate, key=key, external_certificate=None)
    return msgspec.structs.replace(route, spec=msgspec.structs.replace(route.spec, tls=own))


def _barred(route: Route, wrong: str) -> Barred:
    return Barred(
        metadata=route.metadata,
        spec=route.spec,
        status=route.status,
        wrong=f"spec.tls.externalCertificate: {wrong}",
    )
