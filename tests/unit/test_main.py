import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from causeway.kit.errors import Exit
from causeway.main import app

FULL = Path("/dev/full")
CAUSEWAY = [sys.executable, "-m", "causeway"]
SCHEMA = [*CAUSEWAY, "preflight", "--schema"]


def test_a_slip_in_a_command_is_told_with_what_was_meant() -> None:
    told = CliRunner().invoke(app, ["statuss", "platform.yaml"])
    assert told.exit_code == Exit.USAGE
    assert "No such command 'statuss'. Did you mean 'status'?" in told.output
    assert "Did you mean" not in CliRunner().invoke(app, ["xyz"]).output


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [SCHEMA, [*CAUSEWAY, "explain", "--help"]])
def test_output_that_cannot_be_written_is_an_error_of_one_line(command: list[str], unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with FULL.open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert done.returncode == Exit.FAILED
    assert done.stderr.startswith("error: standard output: No space left on device\n  -> ")
    assert len(done.stderr.splitlines()) == 2


def test_a_reader_who_goes_is_no_error_to_tell_of() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(SCHEMA, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (Exit.FAILED, "")


def test_a_slip_in_a_line_that_a_shell_completes_is_no_error() -> None:
    asked = {"COMP_WORDS": "causeway aply pl", "COMP_CWORD": "2", "_CAUSEWAY_COMPLETE": "complete_bash"}
    script, environment = Path(sys.executable).with_name("causeway"), {**os.environ, **asked}
    done = subprocess.run([script], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (Exit.OK, "")
