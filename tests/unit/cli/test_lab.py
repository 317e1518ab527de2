from pathlib import Path

import pytest
from typer.testing import CliRunner

from causeway.cli import lab, lab_exec
from causeway.kit.errors import Exit, Problem
from causeway.lab.settings import Settings
from causeway.lab.state import Board


@pytest.mark.parametrize(
    ("given", "run"),
    [
        (["--", "hostname"], ["hostname"]),
        (["hostname"], ["hostname"]),
        (["ls", "--", "-x"], ["ls", "--", "-x"]),
        (["--"], ["/bin/bash", "--login"]),
        ([], ["/bin/bash", "--login"]),
        (None, ["/bin/bash", "--login"]),
    ],
)
def test_two_dashes_before_a_command_are_none_of_it(given: list[str] | None, run: list[str]) -> None:
    assert lab_exec.meant(given) == run


@pytest.mark.parametrize(
    ("service", "cause"),
    [("nope", "there is no such service here"), ("nova-compute", "it has written nothing")],
)
def test_a_service_there_is_not_is_told_from_one_that_is_silent(
    service: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(tmp_path, tmp_path)
    settings.logs.mkdir(parents=True)
    (settings.logs / "keystone.log").touch()
    Board(settings.state_file, [("keystone", "service"), ("nova-compute", "service")])
    monkeypatch.setattr("causeway.lab.settings.from_environment", lambda: settings)
    result = CliRunner().invoke(lab.app, ["logs", service])
    assert isinstance(result.exception, Problem)
    assert result.exception.exit_code == Exit.USAGE
    assert result.exception.findings[0].cause == cause
    assert "keystone" in result.exception.findings[0].remedy
