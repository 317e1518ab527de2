"""A step is told when it is done, and only then."""

from dataclasses import dataclass

import pytest
import structlog

from causeway.engine.steps import doing


@dataclass(frozen=True)
class Join:
    subnet: str

    def __str__(self) -> str:
        return f"join {self.subnet}"


def test_a_step_is_logged_in_its_own_words() -> None:
    with structlog.testing.capture_logs() as logs, doing(Join("s1")):
        assert logs == []
    assert [(entry["event"], entry["step"]) for entry in logs] == [("step", "join s1")]


def test_a_step_that_failed_is_not_told_as_done() -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(ValueError, match="no"), doing(Join("s1")):
        raise ValueError("no")
    assert logs == []
