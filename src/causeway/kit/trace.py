"""Following one piece of work through our logs, through traces, and through the logs of the cloud.

A reconciliation, or whatever else begins with ``work``, has one request id that goes with each of its calls
to OpenStack, whose services log it as the global request id. While it lasts, every line of log names its
object. When the environment names a collector (OTEL_EXPORTER_OTLP_ENDPOINT) it is also the root of a trace.

Without a collector nothing of OpenTelemetry is imported, and a span costs a microsecond.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import structlog

Attribute = str | int | float | bool | Sequence[str]
Kind = Literal["internal", "outgoing", "incoming"]

_NAMED = 50  # objects a batch names at most


class Span(Protocol):
    """A stretch of work under way."""

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """Add facts that became known meanwhile."""
        ...


class Tracer(Protocol):
    """Whoever records spans."""

    def span(
        self, name: str, kind: Kind, attributes: Mapping[str, Attribute], links: Sequence[object]
    ) -> AbstractContextManager[Span]:
        """Record what happens inside; it is a child of the span it happens in."""
        ...

    def inside(self, context: object) -> AbstractContextManager[None]:
        """Make what happens inside belong to another span, of which ``context`` is known."""
        ...

    def current(self) -> object:
        """Return the context of the span under way, for links and children of elsewhere."""
        ...

    def headers(self) -> dict[str, str]:
        """Return what tells another service the span its work belongs to."""
        ...

    def close(self) -> None:
        """Send what is recorded and end."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose work a part of a shared call is."""

    name: str
    request_id: str
    context: object = None  # of the span it was asked for in


class _Nothing:
    def set(self, attributes: Mapping[str, Attribute]) -> None:
        del attributes


_NOTHING = _Nothing()
_mark: ContextVar[Mark | None] = ContextVar("mark", default=None)
_tracer: Tracer | None = None


def configure(service: str, environment: Mapping[str, str]) -> None:
    """Record traces in the name of ``service`` if ``environment`` says where to send them."""
    global _tracer  # noqa: PLW0603  # one for the process, as the logger is
    if any(environment.get(f"OTEL_EXPORTER_OTLP_{part}ENDPOINT") for part in ("", "TRACES_")):
        from causeway.kit.otlp import Otlp  # noqa: PLC0415  # nobody else is to pay for it

        _tracer = Otlp(environment.get("OTEL_SERVICE_NAME") or service)


def close() -> None:
    """Send what is recorded and record nothing any more."""
    global _tracer  # see above
    tracer, _tracer = _tracer, None
    if tracer is not None:
        tracer.close()


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, Attribute] | None = None,
    *,
    kind: Kind = "internal",
    links: Sequence[object] = (),
) -> Iterator[Span]:
    """Record what happens inside as a span of the trace under way; an exception marks it as failed."""
    if _tracer is None:
        yield _NOTHING
        return
    with _tracer.span(name, kind, attributes or {}, links) as opened:
        yield opened


@contextmanager
def work(name: str, attributes: Mapping[str, str], *, of: str, kind: Kind = "internal") -> Iterator[Span]:
    """Do one piece of work inside, on the object ``of``; ``attributes`` go to log and trace alike."""
    request_id = _fresh()
    facts = {f"causeway.{key}": value for key, value in attributes.items()}
    with (
        structlog.contextvars.bound_contextvars(**attributes, global_request_id=request_id),
        span(name, {**facts, "openstack.global_request_id": request_id}, kind=kind) as opened,
    ):
        token = _mark.set(Mark(of, request_id))
        try:
            yield opened
        finally:
            _mark.reset(token)


@contextmanager
def shared(name: str, marks: Sequence[Mark | None]) -> Iterator[None]:
    """Do inside what several pieces of work asked for together, or one alone, whose part it then is."""
    known = [mark for mark in marks if mark is not None]
    if len(known) == 1 == len(marks):
        with _continued(name, known[0]):
            yield
        return
    objects = [mark.name for mark in known][:_NAMED]
    request_id = _fresh()
    facts: dict[str, Attribute] = {
        "causeway.objects": objects,
        "causeway.size": len(marks),
        "openstack.global_request_id": request_id,
    }
    with (
        structlog.contextvars.bound_contextvars(objects=objects, global_request_id=request_id),
        span(name, facts, links=[mark.context for mark in known if mark.context is not None]),
    ):
        token = _mark.set(Mark(name, request_id))
        try:
            yield
        finally:
            _mark.reset(token)


@contextmanager
def _continued(name: str, mark: Mark) -> Iterator[None]:
    token = _mark.set(mark)
    try:
        with structlog.contextvars.bound_contextvars(objects=[mark.name], global_request_id=mark.request_id):
            if _tracer is None or mark.context is None:
                yield
                return
            with _tracer.inside(mark.context), span(name, {"causeway.objects": [mark.name]}):
                yield
    finally:
        _mark.reset(token)


def mark() -> Mark | None:
    """Return whose work this is, down to the span under way; None outside of any."""
    under_way = _mark.get()
    if under_way is None or _tracer is None:
        return under_way
    return replace(under_way, context=_tracer.current())


def request_id() -> str:
    """Return the id of the work under way, or a fresh one where there is none."""
    under_way = _mark.get()
    return under_way.request_id if under_way else _fresh()


def headers() -> dict[str, str]:
    """Return what tells another service which trace its work belongs to; nothing without a collector."""
    return _tracer.headers() if _tracer else {}


def _fresh() -> str:
    return f"req-{uuid.uuid4()}"  # the form OpenStack insists on
