"""Traces by OpenTelemetry, sent by OTLP over HTTP; imported only where a collector is named.

All settings but the name of the service are the standard's own variables (OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES, ...), read by its library.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from causeway.kit.trace import Attribute, Kind, Span

_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "outgoing": trace.SpanKind.CLIENT,
    "incoming": trace.SpanKind.SERVER,
}


class _Recorded:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        self._span.set_attributes(attributes)


class Otlp:
    """A tracer as ``kit.trace`` wants it."""

    def __init__(self, service: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("causeway")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, kind: Kind, attributes: Mapping[str, Attribute], links: Sequence[object]
    ) -> Iterator[Span]:
        """Record what happens inside; an exception that leaves it is recorded as well."""
        linked = [trace.Link(each) for each in links if isinstance(each, trace.SpanContext)]
        with self._tracer.start_as_current_span(
            name, kind=_KINDS[kind], attributes=attributes, links=linked
        ) as opened:
            yield _Recorded(opened)

    @contextmanager
    def inside(self, context: object) -> Iterator[None]:
        """Make what happens inside a child of the span with this context."""
        if not isinstance(context, trace.SpanContext):
            raise TypeError(f"not the context of a span: {context!r}")
        token = contexts.attach(trace.set_span_in_context(trace.NonRecordingSpan(context)))
        try:
            yield
        finally:
            contexts.detach(token)

    def current(self) -> object:
        """Return the context of the span under way."""
        return trace.get_current_span().get_span_context()

    def headers(self) -> dict[str, str]:
        """Return the W3C trace context of the span under way."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier

    def close(self) -> None:
        """Send what is recorded; blocks no longer than the exporter's own timeout."""
        self._provider.shutdown()
