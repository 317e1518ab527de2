"""``causeway preflight``: everything that would make a deployment fail, before anything is created."""

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from causeway.cloud.connection import connect
from causeway.kit.errors import Exit
from causeway.kit.progress import Progress
from causeway.rooms.platforms import document, schema
from causeway.rooms.platforms.checks import Severity
from causeway.rooms.platforms.gather import gather
from causeway.rooms.platforms.preflight import Report, preflight

EPILOG = "Example: causeway preflight platform.yaml -o json"
STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.BLOCKER: "red"}


class Output(StrEnum):
    """How facts are printed."""

    TEXT = "text"
    JSON = "json"


def _print_schema(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(schema.text())
        raise typer.Exit(Exit.OK)


def command(
    file: Annotated[Path, typer.Argument(help="The platform file.", show_default=False)],
    output: Annotated[Output, typer.Option("-o", "--output", help="How to print the result.")] = Output.TEXT,
    _schema: Annotated[
        bool,
        typer.Option(
            "--schema", help="Print the JSON Schema of platform files.", is_eager=True, callback=_print_schema
        ),
    ] = False,
) -> None:
    """Say all that would make a deployment of FILE fail; nothing is changed.

    Exit status: 0 nothing in the way (there may be warnings), 1 at least one blocker, 2 the file is wrong.
    """
    started = time.monotonic()
    platform = document.load(file)
    progress = Progress()
    with progress.phase("preflight") as phase:
        phase.waiting_for(f"cloud {platform.spec.cloud} to sign in")
        with connect(platform.spec.cloud) as cloud:
            phase.waiting_for(f"cloud {platform.spec.cloud} to tell its facts")
            facts = gather(cloud, platform)
    report = preflight(platform, facts)
    if output is Output.JSON:
        print(json.dumps(as_json(report, time.monotonic() - started), indent=2))
    else:
        show(report)
    raise typer.Exit(Exit.FAILED if report.blocked else Exit.OK)


def as_json(report: Report, seconds: float) -> dict[str, object]:
    """Return the report as plain data; ``seconds`` is how long it took."""
    return {
        "blockers": len(report.remarks(Severity.BLOCKER)),
        "warnings": len(report.remarks(Severity.WARNING)),
        "seconds": round(seconds, 2),
        "checks": [
            {
                "name": check.name,
                "severity": check.severity,
                "fact": check.fact,
                "findings": [
                    {
                        "severity": remark.severity,
                        "place": remark.finding.place,
                        "cause": remark.finding.cause,
                        "remedy": remark.finding.remedy,
                    }
                    for remark in check.remarks
                ],
            }
            for check in report.checks
        ],
    }


def show(report: Report) -> None:
    """Print the checks as a table on a terminal, else as lines, and then every finding."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if console.is_terminal:
        table = Table("check", "result", "found", box=None, pad_edge=False)
        for check in report.checks:
            table.add_row(check.name, Text(check.severity, STYLES[check.severity]), Text(check.fact))
        console.print(table)
    else:
        for check in report.checks:
            console.print(f"{check.severity:8} {check.name}: {check.fact}", markup=False)
    for severity in (Severity.WARNING, Severity.BLOCKER):
        for remark in report.remarks(severity):
            finding = remark.finding
            console.print()
            console.print(
                Text(f"{severity}: ", STYLES[severity]), Text(f"{finding.place}: {finding.cause}"), sep=""
            )
            console.print(f"  -> {finding.remedy}", markup=False)
    console.print()
    blockers, warnings = (len(report.remarks(each)) for each in (Severity.BLOCKER, Severity.WARNING))
    console.print(f"{_count(blockers, 'blocker')}, {_count(warnings, 'warning')}", markup=False)


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
