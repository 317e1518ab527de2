import json
import logging as standard

import pytest
import structlog

from causeway.kit import logging
from causeway.kit.errors import Exit, Problem


def test_logs_are_json_lines_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("info")
    structlog.get_logger().info("signed in", user="demo", password="hunter2", auth_token="abc")
    structlog.reset_defaults()
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "signed in"
    assert line["user"] == "demo"
    assert line["password"] == line["auth_token"] == "***"


def test_what_libraries_log_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("debug")
    standard.getLogger("some.library").warning("%s is slow", "it")
    standard.getLogger("some.library").info("nobody wants to know")
    structlog.reset_defaults()
    standard.basicConfig(force=True)
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["logger"]) == ("it is slow", "warning", "some.library")


def test_the_environment_says_the_level() -> None:
    assert logging.level_from({}) == "info"
    assert logging.level_from({"CAUSEWAY_LOG_LEVEL": "DEBUG"}) == "DEBUG"
    with pytest.raises(Problem, match="CAUSEWAY_LOG_LEVEL") as caught:
        logging.level_from({"CAUSEWAY_LOG_LEVEL": "loud"})
    assert caught.value.exit_code == Exit.USAGE
