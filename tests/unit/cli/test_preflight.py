import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from causeway.cli.preflight import as_json, show
from causeway.kit.errors import Exit, Problem
from causeway.main import app
from causeway.rooms.platforms import schema
from causeway.rooms.platforms.checks import Check, blocker, warning
from causeway.rooms.platforms.preflight import Report

MISSING = blocker("spec.sshKey", "there is no [key] me", "Make one.")
REPORT = Report(
    (
        Check("services", "7 of 7"),
        Check("key pair", "me", (MISSING,)),
        Check("again", "me", (MISSING, warning("quota ports", "few are left", "Raise it."))),
    )
)


def test_lines_outside_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(REPORT)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok       services: 7 of 7"
    assert "blocker  key pair: me" in lines
    assert lines.count("blocker: spec.sshKey: there is no [key] me") == 1
    assert "  -> Make one." in lines
    assert lines[-1] == "1 blocker, 1 warning"


def test_json_tells_the_same() -> None:
    report = json.loads(json.dumps(as_json(REPORT, 1.234)))
    assert (report["blockers"], report["warnings"], report["seconds"]) == (1, 1, 1.23)
    assert [check["severity"] for check in report["checks"]] == ["ok", "blocker", "blocker"]
    assert report["checks"][1]["findings"] == [
        {
            "severity": "blocker",
            "place": "spec.sshKey",
            "cause": "there is no [key] me",
            "remedy": "Make one.",
        }
    ]


def test_the_schema_is_printed_without_a_file() -> None:
    result = CliRunner().invoke(app, ["preflight", "--schema"])
    assert (result.exit_code, result.stdout) == (Exit.OK, schema.text())


def test_a_wrong_file_is_refused_before_any_cloud_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text("kind: Platform\n")
    result = CliRunner().invoke(app, ["preflight", str(path)])
    assert isinstance(result.exception, Problem)
    assert result.exception.exit_code is Exit.USAGE
