import json

import pytest
import structlog

from causeway.kit import logging


def test_logs_are_json_lines_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("info")
    structlog.get_logger().info("signed in", user="demo", password="hunter2", auth_token="abc")
    structlog.reset_defaults()
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "signed in"
    assert line["user"] == "demo"
    assert line["password"] == line["auth_token"] == "***"
