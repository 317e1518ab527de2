import pytest

from causeway.kit.errors import Exit, Finding, Problem


def test_a_problem_prints_place_cause_and_remedy() -> None:
    problem = Problem.of("platform.yaml:3", "no such flavor", "Choose another.")
    assert str(problem) == "platform.yaml:3: no such flavor. Choose another."
    assert problem.exit_code is Exit.FAILED


def test_a_problem_keeps_all_findings_in_order() -> None:
    first, second = Finding("a", "b", "c"), Finding("d", "e", "f")
    assert Problem(first, second).findings == (first, second)


def test_a_problem_without_a_finding_is_a_defect() -> None:
    with pytest.raises(ValueError, match="at least one finding"):
        Problem()
