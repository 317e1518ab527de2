from typer.testing import CliRunner

from causeway.kit.errors import Exit
from causeway.main import app


def test_a_slip_in_a_command_is_told_with_what_was_meant() -> None:
    told = CliRunner().invoke(app, ["statuss", "platform.yaml"])
    assert told.exit_code == Exit.USAGE
    assert "No such command 'statuss'. Did you mean 'status'?" in told.output
    assert "Did you mean" not in CliRunner().invoke(app, ["xyz"]).output
