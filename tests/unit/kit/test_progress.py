import io

import pytest

from causeway.kit.progress import Progress


def test_a_log_gets_one_plain_line_per_change() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.phase("lab") as phase:
        phase.waiting_for("nova-api")
        phase.waiting_for("nova-api")
        phase.waiting_for("heat-api")
    lines = [line.split("] ", 1)[1] for line in stream.getvalue().splitlines()]
    assert lines[:3] == ["lab", "lab: nova-api", "lab: heat-api"]
    assert lines[3].startswith("lab: done in ")
    assert [timing.phase for timing in progress.timings] == ["lab"]
    assert "\x1b" not in stream.getvalue()


def test_a_failed_phase_is_told_and_not_timed() -> None:
    stream = io.StringIO()
    progress = Progress(stream)

    def fail() -> None:
        with progress.phase("apply"):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        fail()
    assert "apply: failed in" in stream.getvalue()
    assert progress.timings == []
