"""One authenticated way to a cloud for everything that runs in an event loop.

Tokens and endpoints come from ``credentials`` (in a thread, rarely); the calls themselves go
through aiohttp, which takes a twentieth of the SDK's processor time and never stalls the loop.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
import structlog

from causeway.cloud import errors
from causeway.cloud.credentials import Credentials, Token
from causeway.kit import metrics, trace
from causeway.kit.rate import Rate
from causeway.kit.turns import in_turns

_log = structlog.get_logger(__name__)

_Shape = TypeVar("_Shape")

_RENEW_BEFORE = 120  # seconds of validity left at which a token is renewed
_WATCH_FILE_EVERY = 5.0  # seconds between looks at the credentials' file
_CONNECT_TIMEOUT = 10.0
_CONNECTIONS_PER_HOST = 32
CALL_TIMEOUT = 60.0
"""Seconds a call may take unless its caller says otherwise."""

# Identifiers are UUIDs; Keystone's lack the hyphens, and Designate puts a region before some.
_IDENTIFIER = re.compile(r"(?<=[/:])(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=/|$)")

Params = Mapping[str, str | int | Sequence[str]]
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class _Call:
    service: str
    method: str
    path: str
    params: Params | None
    body: Any
    within: float
    headers: Mapping[str, str]

    @property
    def verb(self) -> str:
        """The call without identifiers, so that calls of one kind count together."""
        return f"{self.method} {self.path_template}"

    @property
    def path_template(self) -> str:
        """The path without identifiers."""
        return _IDENTIFIER.sub("{}", self.path)


class Cloud:
    """A cloud of a clouds.yaml; use as an async context manager, or ``close`` it.

    ``calls`` counts the calls made so far by ``(service, "GET /v2.0/ports")``; copy and subtract for figures.
    ``may_act`` is asked at the last moment before a call that changes something is sent: where it is False,
    ``Fenced`` is raised instead. So a leader that was paused does not act when another leads already.
    Within any second at most ``calls_per_second`` calls are begun (0: as many as there are).
    """

    def __init__(
        self,
        name: str | None,
        config_file: Path | None,
        credentials: Credentials,
        may_act: Callable[[], bool] = lambda: True,
        calls_per_second: int = 0,
    ) -> None:
        """Not for callers: use ``open``, which reads the credentials outside the event loop."""
        self.calls: Counter[tuple[str, str]] = Counter()
        self._name = name
        self._config_file = config_file
        self._credentials = credentials
        self._http = _http(credentials, may_act)
        self._rate = Rate(calls_per_second)
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._endpoints: dict[str, str] = {}
        self._regions: dict[str, str] = {}
        self._read_stamp = _stamp(credentials.file)
        self._looked_at = time.monotonic()

    @classmethod
    async def open(
        cls,
        name: str | None = None,
        config_file: Path | None = None,
        *,
        may_act: Callable[[], bool] = lambda: True,
        calls_per_second: int = 0,
    ) -> Self:
        """Authenticate against cloud ``name`` (None: OS_CLOUD) of ``config_file`` (None: the usual places).

        Raises ``Problem`` when the configuration is wrong, ``CloudError`` when Keystone refuses or is silent.
        """
        credentials = await asyncio.to_thread(Credentials, name, config_file)
        cloud = cls(name, config_file, credentials, may_act, calls_per_second)
        try:
            await cloud._valid_token()
        except BaseException:
            await cloud.close()
            raise
        return cloud

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def project_id(self) -> str:
        """Return the project the credentials are for."""
        return (await self._valid_token()).project_id

    async def region(self, service: str) -> str:
        """Return the name of the region whose ``service`` is used; "" where the catalogue names none."""
        if service not in self._regions:
            self._regions[service] = await asyncio.to_thread(self._credentials.region, service)
        return self._regions[service]

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Any = None,
        within: float = CALL_TIMEOUT,
        headers: Mapping[str, str] = _NONE,
    ) -> bytes:
        """Make one call to ``service`` (a catalogue type, as "network") and return the answer's body.

        ``path`` begins with the API version; ``within`` is in seconds; ``headers`` name a microversion.
        A token that was refused is renewed once; every other failure is raised as the ``CloudError`` it is:
        repeating is the caller's business.
        """
        await self._follow_file()
        call = _Call(service, method, path, params, body, within, headers)
        token = await self._valid_token()
        try:
            return await self._send(call, token)
        except errors.Unauthorized:
            async with self._lock:
                if self._token is token:  # else another call has renewed it meanwhile
                    self._token = None
            return await self._send(call, await self._valid_token())

    async def get_all(
        self,
        service: str,
        path: str,
        key: str,
        *,
        params: Params | None = None,
        within: float = CALL_TIMEOUT,
        headers: Mapping[str, str] = _NONE,
    ) -> list[msgspec.Raw]:
        """Return all items of a collection, undecoded, following pages where the service makes pages.

        ``key`` is the collection's name in the answer; ``within`` (seconds) holds for each page.
        """
        items: list[msgspec.Raw] = []
        query = dict(params or {})
        while True:
            answer = await self.call(service, "GET", path, params=query, within=within, headers=headers)
            document = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
            page = msgspec.json.decode(document[key], type=list[msgspec.Raw])
            items += page
            links = msgspec.json.decode(document.get(f"{key}_links", b"[]"), type=list[_Link])
            if not page or not any(link.rel == "next" for link in links):
                return items
            query["marker"] = msgspec.json.decode(page[-1], type=_Identified).id

    async def _send(self, call: _Call, token: Token) -> bytes:
        facts = {
            "openstack.service": call.service,
            "http.request.method": call.method,
            "url.template": call.path_template,
        }
        with trace.span(f"{call.service} {call.verb}", facts, kind="outgoing") as span:
            return await self._sent(call, token, span)

    async def _sent(self, call: _Call, token: Token, span: trace.Span) -> bytes:
        url = await self._endpoint(call.service) + call.path
        request_id = trace.request_id()
        await self._rate.turn()
        self.calls[call.service, call.verb] += 1
        started = time.monotonic()
        try:
            async with self._http.request(
                call.method,
                url,
                params=_pairs(call.params),
                data=None if call.body is None else msgspec.json.encode(call.body),
                headers={
                    "X-Auth-Token": token.value,
                    "X-Openstack-Request-Id": request_id,
                    "Accept": "application/json",
                    "Content-Type": "application/json",
                    **trace.headers(),
                    **call.headers,
                },
                timeout=aiohttp.ClientTimeout(total=call.within, sock_connect=_CONNECT_TIMEOUT),
                allow_redirects=False,
            ) as response:
                answer = await response.read()
                status = response.status
                request_id = _request_id(response.headers) or request_id
                retry_after = response.headers.get("Retry-After")
        except TimeoutError as error:
            _count(call, "timeout", started)
            cause = f"no answer to {call.verb} within {call.within:g} s"
            _log.info("call failed", service=call.service, verb=call.verb, sent_request_id=request_id)
            raise errors.Timeout(call.service, cause, request_id=request_id) from error
        except aiohttp.ClientError as error:
            _count(call, "unreachable", started)
            cause = f"{call.verb} failed: {error}"
            _log.info("call failed", service=call.service, verb=call.verb, sent_request_id=request_id)
            raise errors.Unreachable(call.service, cause, request_id=request_id) from error
        _count(call, str(status), started)
        span.set({"http.response.status_code": status, "openstack.request_id": request_id})
        log = _log.bind(service=call.service, verb=call.verb, status=status, request_id=request_id)
        log.debug("call", seconds=round(time.monotonic() - started, 3))
        if status < 300:
            _require_whole(call, answer, request_id)
            return answer
        refusal = errors.from_response(
            call.service, status, answer, request_id=request_id, retry_after=retry_after
        )
        if isinstance(refusal, errors.RateLimited):
            metrics.CLOUD_PAUSES.labels(call.service).inc()
        log.info("call refused", cause=refusal.cause)
        raise refusal

    async def _valid_token(self) -> Token:
        token = self._token
        if token is not None and token.seconds_left() > _RENEW_BEFORE:
            return token
        async with self._lock:
            if self._token is None or self._token.seconds_left() <= _RENEW_BEFORE:
                self._token = await asyncio.to_thread(self._credentials.authenticate)
                metrics.CLOUD_TOKENS.inc()
            return self._token

    async def _endpoint(self, service: str) -> str:
        if service not in self._endpoints:
            self._endpoints[service] = await asyncio.to_thread(self._credentials.endpoint, service)
        return self._endpoints[service]

    async def _follow_file(self) -> None:
        """Read the credentials again when their file has changed: they rotate without a restart."""
        now = time.monotonic()
        if now - self._looked_at < _WATCH_FILE_EVERY:
            return
        self._looked_at = now
        stamp = _stamp(self._credentials.file)
        if stamp is None or stamp == self._read_stamp:  # None: being replaced; what was read stays valid
            return
        async with self._lock:
            self._credentials = await asyncio.to_thread(Credentials, self._name, self._config_file)
            self._read_stamp = stamp
            self._token = None
            self._endpoints.clear()
            self._regions.clear()
        _log.info("credentials read again", cloud=self._name)


async def decoded(items: Iterable[msgspec.Raw], shape: type[_Shape]) -> list[_Shape]:
    """Return what ``get_all`` returned as objects; everything else goes on meanwhile: it may be thousands."""
    decoder = msgspec.json.Decoder(shape)
    return [decoder.decode(item) async for item in in_turns(items)]


def under(answer: bytes, key: str, shape: type[_Shape]) -> _Shape:
    """Return the object an answer has under ``key``, as services wrap what they show: {"volume": {…}}."""
    return msgspec.json.decode(msgspec.json.decode(answer, type=dict[str, msgspec.Raw])[key], type=shape)


class _Link(msgspec.Struct):
    rel: str


class _Identified(msgspec.Struct):
    id: str


def _request_id(headers: Mapping[str, str]) -> str:
    """Return the service's own id of a request; Nova says it in a header of its own as well."""
    return headers.get("x-openstack-request-id") or headers.get("x-compute-request-id") or ""


def _count(call: _Call, code: str, started: float) -> None:
    metrics.CLOUD_CALLS.labels(call.service, call.verb, code).inc()
    metrics.CLOUD_SECONDS.labels(call.service, call.verb).observe(time.monotonic() - started)


def _http(credentials: Credentials, may_act: Callable[[], bool]) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=credentials.tls, limit_per_host=_CONNECTIONS_PER_HOST)

    async def last_moment(
        _session: object, _context: object, call: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        if call.method != "GET" and not may_act():
            raise errors.Fenced("cloud", f"{call.method} {call.url.path} was not sent: no longer the leader")

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(last_moment)  # there is a connection, and no byte was sent
    return aiohttp.ClientSession(connector=connector, trace_configs=[trace])


def _require_whole(call: _Call, answer: bytes, request_id: str) -> None:
    """Raise ``ServerError`` for half an answer.

    Where the end of the connection ends an answer, nothing else tells that half of it is missing. What the
    call did is not known then.
    """
    try:
        if answer:
            msgspec.json.decode(answer, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        cause = f"the answer to {call.verb} is not understood: {error}"
        raise errors.ServerError(call.service, cause, request_id=request_id) from error


def _stamp(file: Path | None) -> tuple[int, int] | None:
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino) if found else None


def _pairs(params: Params | None) -> list[tuple[str, str]]:
    """Return query pairs; a sequence repeats its key."""
    return [
        (key, str(value))
        for key, values in (params or {}).items()
        for value in ([values] if isinstance(values, str | int) else values)
    ]
