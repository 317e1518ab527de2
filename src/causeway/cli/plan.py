"""``causeway plan``: what apply would do, resource by resource, without doing it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from causeway.cli.preflight import Output
from causeway.cloud.connection import connect
from causeway.kit.errors import Exit
from causeway.kit.progress import Progress
from causeway.rooms.platforms import document
from causeway.rooms.platforms.plan import Action, Change, Plan, as_data
from causeway.rooms.platforms.survey import survey

EPILOG = "Example: causeway plan platform.yaml -o json"
_SIGNS = {Action.CREATE: "+", Action.CHANGE: "~", Action.REPLACE: "!", Action.DELETE: "-"}
_STYLES = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.REPLACE: "bold red", Action.DELETE: "red"}

FILE = Annotated[Path, typer.Argument(help="The platform file.", show_default=False)]
REMOVE = Annotated[
    list[str] | None,
    typer.Option("--remove", metavar="NODE", help="Remove this node when its pool shrinks; repeatable."),
]


OUTPUT = Annotated[Output, typer.Option("-o", "--output", help="How to print the result.")]


def command(file: FILE, remove: REMOVE = None, output: OUTPUT = Output.TEXT) -> None:
    """Say what `apply` would create, change, replace and delete; nothing is changed.

    Exit status: 0 there is a plan (it may be empty), 1 preflight finds a blocker, 2 the file is wrong.
    """
    platform = document.load(file)
    with connect(platform.spec.cloud) as cloud:
        found = survey(cloud, platform, file, Progress(), remove=remove or ())
    if output is Output.JSON:
        print(json.dumps(as_data(found.plan), indent=2))
    else:
        show(found.plan, platform.name)
    raise typer.Exit(Exit.OK)


def show(plan: Plan, platform: str) -> None:
    """Print a plan: one line per resource that is touched, then nodes, what else is to be known, the sums."""
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for change in plan.changes:
        if change.action is not Action.KEEP:
            console.print(_line(change))
    for node in plan.leaving:
        console.print(f"  {node} is cordoned and drained before it is deleted", markup=False)
    for each in plan.notices:
        console.print(str(each), style="yellow", markup=False)
    if plan.empty:
        console.print(f"platform {platform} is as the file says: no resource changes", markup=False)
        return
    sums = ", ".join(f"{number} {action}" for action, number in plan.counts().items() if number)
    console.print(f"platform {platform}: {sums}", markup=False)


def _line(change: Change) -> Text:
    style = _STYLES[change.action]
    text = Text(f"{_SIGNS[change.action]} {change.action:7} ", style)
    text.append(f"{change.name}  {change.type}", "" if change.action is Action.CREATE else style)
    if change.reason:
        text.append(f"  ({change.reason})")
    return text
