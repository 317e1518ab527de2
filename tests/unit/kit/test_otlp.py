"""Traces as a collector gets them."""

import contextvars
from collections.abc import Iterator

import pytest
from tests.collector import Collector, collecting

from causeway.kit import trace


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)  # read by the library itself
        trace.configure("causeway-test", {"OTEL_EXPORTER_OTLP_ENDPOINT": running.url})
        yield running
        trace.close()


def test_what_happens_in_a_piece_of_work_is_one_trace(collector: Collector) -> None:
    with trace.work("reconcile pods", {"room": "pods", "key": "a/b"}, of="Pod a/b") as span:
        request_id = trace.request_id()
        with trace.span("network GET /v2.0/ports", {"http.request.method": "GET"}, kind="outgoing") as call:
            call.set({"http.response.status_code": 200})
            sent = trace.headers()
        span.set({"causeway.failed": False})
    trace.close()
    root, (call_seen,) = collector.named("reconcile")[0], collector.named("network")
    assert root.service == "causeway-test"
    assert root.attributes == {
        "causeway.room": "pods",
        "causeway.key": "a/b",
        "openstack.global_request_id": request_id,
        "causeway.failed": False,
    }
    assert collector.parent(call_seen) == root
    assert call_seen.attributes == {"http.request.method": "GET", "http.response.status_code": 200}
    assert sent["traceparent"].split("-")[1:3] == [root.trace_id, call_seen.span_id]


def test_an_error_marks_its_span(collector: Collector) -> None:
    with pytest.raises(ValueError, match="no"), trace.span("step"):
        raise ValueError("no")
    trace.close()
    assert collector.spans[0].failed


def test_a_shared_call_links_those_it_serves_and_a_call_for_one_is_his(collector: Collector) -> None:
    marks = []
    for name in ("a", "b"):
        with trace.work("reconcile", {}, of=name), trace.span("step"):
            marks.append(trace.mark())

    def elsewhere() -> None:
        with trace.shared("batch both", marks), trace.span("call for both"):
            pass
        with trace.shared("batch one", marks[:1]), trace.span("call for one"):
            pass

    contextvars.Context().run(elsewhere)
    trace.close()
    first, second = collector.named("step")
    (both,), (one,) = collector.named("batch both"), collector.named("batch one")
    assert both.links == (first.span_id, second.span_id)
    assert both.parent_id == ""
    assert both.attributes["causeway.objects"] == ["a", "b"]
    assert collector.parent(collector.named("call for both")[0]) == both
    assert collector.parent(one) == first
    assert collector.parent(collector.named("call for one")[0]) == one
