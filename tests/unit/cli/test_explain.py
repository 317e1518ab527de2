import json

import pytest
from typer.testing import CliRunner

from causeway.cli.explain import app
from causeway.cli.explaining import text_of
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Exit, Finding, Problem


def test_an_explanation_reads_from_what_to_why() -> None:
    text = text_of(
        Explanation(
            "service default/web",
            {"load balancer": "default/web at 172.30.0.9", "listeners": {"80/TCP": ["10.1.0.1:8080"]}},
            {"load balancer": "none", "floating IP": ["1.2.3.4"]},
            ("create load balancer",),
            (Finding("service default/web", "no quota", "ask for more"),),
        )
    )
    assert text.splitlines() == [
        "service default/web",
        "",
        "desired:",
        "  load balancer: default/web at 172.30.0.9",
        "  listeners:",
        "    80/TCP: 10.1.0.1:8080",
        "",
        "actual:",
        "  load balancer: none",
        "  floating IP: 1.2.3.4",
        "",
        "remaining steps:",
        "  1. create load balancer",
        "",
        "causes, the likeliest first:",
        "  service default/web: no quota",
        "    -> ask for more",
    ]


def test_nothing_wrong_is_said() -> None:
    assert text_of(Explanation("pod a/b", {}, {})).endswith("remaining steps: none\n\nnothing is wrong")


@pytest.mark.parametrize("key", ["web", "default/", "/web"])
def test_a_key_without_namespace_is_refused(key: str) -> None:
    result = CliRunner().invoke(app, ["service", key])
    assert isinstance(result.exception, Problem)
    assert result.exception.exit_code == Exit.USAGE


@pytest.mark.parametrize("kind", ["service", "pod"])
def test_help_shows_an_example(kind: str) -> None:
    result = CliRunner().invoke(app, [kind, "--help"])
    assert f"causeway explain {kind} default/" in result.stdout


def test_an_explanation_is_plain_data() -> None:
    from dataclasses import asdict  # noqa: PLC0415  # as the command does

    explanation = Explanation("s", {"a": {"b": ["c"]}}, {}, ("x",), (Finding("p", "c", "r"),))
    assert json.loads(json.dumps(asdict(explanation)))["causes"] == [
        {"place": "p", "cause": "c", "remedy": "r"}
    ]
