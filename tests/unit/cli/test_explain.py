import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from causeway.cli import explain_name, explain_service
from causeway.cli.explain import app
from causeway.cli.explaining import Output, text_of
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Exit, Finding, Problem
from causeway.rooms.names.registry import Affixes

NAMES = SimpleNamespace(
    zones=("a.test.", "b.test."),
    owner="o",
    fixed={},
    txt_prefix="",
    txt_suffix="",
    txt_wildcard_replacement="wildcard",
)


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


@pytest.mark.parametrize(
    "arguments",
    [
        ["--platform", "p.yaml", "-o", "json", "service", "default/web"],
        ["--platform", "other.yaml", "service", "default/web", "--platform", "p.yaml", "-o", "json"],
    ],
)
def test_options_before_the_kind_count_too(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    monkeypatch.setattr(explain_service, "run", lambda *those: taken.extend(those))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == Exit.OK
    assert taken[:4] == ["default/web", Path("p.yaml"), None, Output.JSON]


def test_help_says_that_it_works_without_an_object() -> None:
    assert "Without an object: all that is not as it should be" in CliRunner().invoke(app, ["--help"]).stdout


def test_an_explanation_is_plain_data() -> None:
    from dataclasses import asdict  # noqa: PLC0415  # as the command does

    explanation = Explanation("s", {"a": {"b": ["c"]}}, {}, ("x",), (Finding("p", "c", "r"),))
    assert json.loads(json.dumps(asdict(explanation)))["causes"] == [
        {"place": "p", "cause": "c", "remedy": "r"}
    ]


def refused(*arguments: str) -> Finding:
    """Return what is said of a command line that is refused before anything is asked."""
    result = CliRunner().invoke(app, [*arguments])
    assert isinstance(result.exception, Problem)
    assert result.exception.exit_code == Exit.USAGE
    (finding,) = result.exception.findings
    return finding


def test_an_address_of_the_web_is_no_name_and_a_name_is_shown() -> None:
    assert refused("name", "http://x.example.org").remedy == "As in: www.ZONE, such as www.example.org"
    assert refused("name", "a b").remedy == "As in: www.ZONE, such as www.example.org"
    assert refused("zone", "http://example.org").remedy == "As in: example.org"
    assert refused("node", "a/b").remedy == "As in: worker-1"


@pytest.mark.parametrize("option", ["--txt-prefix", "--txt-suffix", "--txt-wildcard-replacement"])
def test_options_of_another_owners_notes_need_the_owner(option: str) -> None:
    found = refused("zone", "example.org", option, "foo.")
    assert (found.place, found.cause) == (option, "says nothing without --owner")


def test_a_zone_of_no_platform_is_refused_with_those_of_this_one() -> None:
    platform: Any = SimpleNamespace(platform="p", cluster_id="c", names=NAMES)
    assert explain_name.setting_for(platform, "b.test.", None, Affixes()).zones == ("a.test.", "b.test.")
    with pytest.raises(Problem) as caught:
        explain_name.setting_for(platform, "c.a.test.", None, Affixes())
    (finding,) = caught.value.findings
    assert finding.cause == "is not a zone of this platform (a.test, b.test)"


def test_as_another_owner_a_zone_is_seen_as_if_it_were_one_more() -> None:
    platform: Any = SimpleNamespace(platform="p", cluster_id="c", names=NAMES)
    found = explain_name.setting_for(platform, "c.test.", "me", Affixes("x."))
    assert (found.zones, found.owner, found.affixes) == (
        ("a.test.", "b.test.", "c.test."),
        "me",
        Affixes("x."),
    )
    platform.names = None
    assert explain_name.setting_for(platform, "c.test.", "me", Affixes()).zones == ("c.test.",)
