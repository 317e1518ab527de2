"""What one piece of work leaves in logs, and what its calls carry, when nobody collects traces."""

import contextvars

import pytest
import structlog

from causeway.kit import trace


def bound() -> dict[str, object]:
    return dict(structlog.contextvars.get_contextvars())


def test_a_piece_of_work_names_its_object_and_has_one_request_id() -> None:
    with trace.work("reconcile", {"room": "pods", "key": "a/b"}, of="Pod a/b"):
        one = trace.request_id()
        assert one == trace.request_id()
        assert bound() == {"room": "pods", "key": "a/b", "global_request_id": one}
        assert len(one) == len("req-") + 36
        assert trace.headers() == {}
    assert bound() == {}
    assert trace.mark() is None
    assert trace.request_id() != trace.request_id()


def test_a_call_for_one_is_part_of_his_work() -> None:
    with trace.work("reconcile", {}, of="Pod a/b"):
        mine, mark = trace.request_id(), trace.mark()

    def elsewhere() -> None:
        with trace.shared("batch", [mark]):
            assert trace.request_id() == mine
            assert bound() == {"objects": ["Pod a/b"], "global_request_id": mine}

    contextvars.Context().run(elsewhere)


def test_a_call_for_many_has_an_id_of_its_own_and_names_them() -> None:
    marks = []
    for name in ("Pod a/b", "Pod a/c"):
        with trace.work("reconcile", {}, of=name):
            marks.append(trace.mark())
    with trace.shared("batch", [*marks, None]):
        assert bound()["objects"] == ["Pod a/b", "Pod a/c"]
        assert trace.request_id() not in {mark.request_id for mark in marks if mark}


def test_nothing_of_opentelemetry_is_needed_without_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "causeway.kit.otlp", None)  # importing it would fail
    trace.configure("causeway-test", {"OTEL_EXPORTER_OTLP_ENDPOINT": ""})
    with trace.span("s") as span:
        span.set({"a": 1})
    trace.close()
