"""The connection to a Kubernetes API: one pool for all requests, tokens that rotate, every answer counted.

Whatever goes wrong on the way comes out as a type of ``kube.errors``.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from causeway.kit import metrics, trace
from causeway.kube.access import Access
from causeway.kube.errors import Fenced, Unavailable, error_from
from causeway.kube.resource import resource_in

CONNECT = 10.0
"""Seconds to reach the server."""
_ANSWER = 60.0  # seconds for an ordinary request


class Connection:
    """A connection to one API; use it as an asynchronous context manager.

    ``may_act`` is asked at the last moment before a request that changes something is sent: where it is
    False, ``Fenced`` is raised instead. ``most`` bounds how many requests and watches there are at once (0:
    nothing does), the others wait.
    """

    def __init__(self, access: Access, *, may_act: Callable[[], bool] = lambda: True, most: int = 64) -> None:
        self._access = access
        self._most = most
        self._may_act = may_act
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._most, ssl=self._access.tls or True, keepalive_timeout=60)
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(self._last_moment)  # there is a connection, and no byte was sent
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False, trace_configs=[trace])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _last_moment(
        self, _session: object, _context: object, request: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        if request.method != "GET" and not self._may_act():
            raise Fenced(f"{request.method} {request.url.path}", "was not sent: no longer the leader")

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> bytes:
        """Send one request and return the answer's body; raises the types of ``kube.errors``."""
        timeout = aiohttp.ClientTimeout(total=_ANSWER, sock_connect=CONNECT)
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with await self.send(
                method, path, query, data, content_type=content_type, timeout=timeout
            ) as answer:
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"{method} {path}", told(error)) from error

    async def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        data: bytes | None = None,
        *,
        content_type: str = "application/json",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # a setting of the connection, not of this call
    ) -> aiohttp.ClientResponse:
        """Send one request and return its answer, whose body the caller reads or leaves by ``async with``.

        Raises the types of ``kube.errors`` for a status of 400 or more, and what aiohttp raises when the
        connection breaks: who reads a body must reckon with the same errors there.
        """
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        token = self._access.token
        for attempt in (1, 2):
            headers = {"Accept": "application/json"}
            if data is not None:
                headers["Content-Type"] = content_type
            if token is not None:
                headers["Authorization"] = f"Bearer {token.current()}"
            with _counted("WATCH" if query and "watch" in query else method, path) as call:
                answer = await self._session.request(
                    method,
                    self._access.server + path,
                    params=query,
                    data=data,
                    headers=headers | trace.headers(),
                    timeout=timeout,
                    server_hostname=self._access.tls_server_name,
                )
                call.code = str(answer.status)
            if answer.status < 400:
                return answer
            async with answer:
                text = await answer.read()
            if answer.status == 401 and attempt == 1 and token is not None and token.forget():
                continue
            raise error_from(f"{method} {path}", answer.status, text, answer.headers.get("Retry-After"))
        raise AssertionError("unreachable")


@dataclass(slots=True)
class _Call:
    code: str = ""  # no answer yet


@contextlib.contextmanager
def _counted(verb: str, path: str) -> Iterator[_Call]:
    """Count one request, and how long it took to be answered; a write is a span as well."""
    call, started, resource = _Call(), time.monotonic(), resource_in(path)
    with contextlib.ExitStack() as stack:
        if verb not in {"GET", "WATCH"}:
            facts = {"http.request.method": verb, "k8s.resource": resource, "url.path": path}
            span = stack.enter_context(trace.span(f"kubernetes {verb} {resource}", facts, kind="outgoing"))
            stack.callback(lambda: span.set({"http.response.status_code": int(call.code or 0)}))
        try:
            yield call
        finally:
            metrics.KUBE_CALLS.labels(verb, resource, call.code or "unreachable").inc()
            metrics.KUBE_SECONDS.labels(verb, resource).observe(time.monotonic() - started)


def told(error: BaseException) -> str:
    """Return what an error says, or what it is when it says nothing."""
    return str(error) or type(error).__name__
