"""How plans and statuses are shown, and that the commands say what is wrong before they touch a cloud."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from causeway.cli import plan as cli
from causeway.cli import status as status_cli
from causeway.kit.errors import Exit, Finding, Problem
from causeway.kit.progress import Timing
from causeway.main import app
from causeway.rooms.platforms.plan import Action, Change, Plan
from causeway.rooms.platforms.status import ComponentStatus, NodeStatus, PlatformStatus

COMMANDS = ["plan", "apply", "status", "kubeconfig", "destroy"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"Example: causeway {command} platform.yaml" in shown.output
    assert "Exit status" in shown.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_file_is_refused_before_a_cloud_is_asked(command: str, tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("kind: Platform\n")
    result = CliRunner().invoke(app, [command, str(file)])
    assert isinstance(result.exception, Problem)
    assert result.exception.exit_code is Exit.USAGE


def test_a_plan_names_what_is_replaced_and_which_nodes_go(capsys: pytest.CaptureFixture[str]) -> None:
    cli.show(
        Plan(
            changes=(
                Change(Action.KEEP, ("net",), "OS::Neutron::Net"),
                Change(Action.REPLACE, ("subnet",), "OS::Neutron::Subnet", "cidr: a -> b"),
                Change(
                    Action.DELETE, ("compute_nodes", "1", "server"), "OS::Nova::Server", "", "demo-compute-1"
                ),
            ),
            leaving=("demo-compute-1",),
        ),
        "demo",
    )
    assert capsys.readouterr().out.splitlines() == [
        "! replace subnet  OS::Neutron::Subnet  (cidr: a -> b)",
        "- delete  compute_nodes/demo-compute-1/server  OS::Nova::Server",
        "  demo-compute-1 is cordoned and drained before it is deleted",
        "platform demo: 1 replace, 1 delete, 1 keep",
    ]


def test_what_one_might_not_expect_is_told_with_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    cli.show(Plan((), notices=(Finding("registry", "its images stay", "Push them."),)), "demo")
    assert capsys.readouterr().out.splitlines()[0] == "registry: its images stay. Push them."


def test_an_empty_plan_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    cli.show(Plan((Change(Action.KEEP, ("net",), "OS::Neutron::Net"),)), "demo")
    assert capsys.readouterr().out == "platform demo is as the file says: no resource changes\n"


def test_a_status_tells_what_does_not_work_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    node = NodeStatus("demo-compute-0", "compute", "ACTIVE", False, "has not joined", True, "", "", None)
    found = PlatformStatus(
        platform="demo",
        cluster_id="u",
        components=(ComponentStatus("stack", True, "CREATE_COMPLETE"),),
        nodes=(node,),
        addresses={"api": "192.0.2.1"},
        timings=(Timing("stack", 31.4),),
    )
    assert not found.works
    status_cli.show(found)
    shown = capsys.readouterr().out
    for text in ("CREATE_COMPLETE", "not ok", "cordoned; has not joined", "192.0.2.1", "31.4 s"):
        assert text in shown
    assert found.as_data()["nodes"][0]["works"] is False


def test_nodes_nobody_was_asked_of_are_not_called_broken(capsys: pytest.CaptureFixture[str]) -> None:
    why = "not known: the API was not asked"
    asked = NodeStatus("demo-compute-0", "compute", "ACTIVE", None, why, False, "", "", None)
    off = NodeStatus("demo-compute-1", "compute", "SHUTOFF", None, why, False, "", "", None)
    found = PlatformStatus("demo", "u", (), (asked, off), {}, ())
    assert not found.works
    assert [each["works"] for each in found.as_data()["nodes"]] == [None, False]
    status_cli.show(found)
    first, second = (line for line in capsys.readouterr().out.splitlines() if "demo-compute" in line)
    assert "not ok" not in first
    assert why in first
    assert "not ok" in second
