"""``causeway status``: how a platform does, per component and node, with the timings of the last apply."""

import json
import sys

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from causeway.cli.plan import FILE, OUTPUT
from causeway.cli.preflight import Output
from causeway.cloud.connection import connect, explained
from causeway.kit.errors import Exit, Problem
from causeway.rooms.platforms import document, stack, state
from causeway.rooms.platforms.status import NodeStatus, PlatformStatus, status

_WIDTH = 240
EPILOG = "Example: causeway status platform.yaml -o json"


def command(file: FILE, output: OUTPUT = Output.TEXT) -> None:
    """Say how the platform of FILE does; nothing is changed.

    Exit status: 0 all of it works, 1 something does not or there is no platform, 2 the file is wrong.
    """
    platform = document.load(file)
    with connect(platform.spec.cloud) as cloud:
        with explained(f"stack {platform.name}"):
            live = stack.owned(stack.heat_of(cloud), platform.name)
        if live is None:
            raise Problem.of(
                f"platform {platform.name}", "does not exist in this cloud", f"Run `causeway apply {file}`."
            )
        kept = state.load(state.directory_of(file, platform.name))
        known = kept if kept is not None and kept.cluster_id == live.cluster_id else None
        found = status(cloud, platform, live, known)
    if output is Output.JSON:
        print(json.dumps(found.as_data(), indent=2))
    else:
        show(found)
    raise typer.Exit(Exit.OK if found.works else Exit.FAILED)


def show(found: PlatformStatus) -> None:
    """Print the status as tables."""
    width = None if sys.stdout.isatty() else _WIDTH  # what reads a pipe wants whole lines
    console = Console(file=sys.stdout, highlight=False, width=width)
    console.print(f"platform {found.platform} ({found.cluster_id})", markup=False)
    parts = Table("component", "", "state", box=None, pad_edge=False)
    for each in found.components:
        parts.add_row(each.name, _mark(each.works), each.state)
    console.print(parts)
    console.print()
    rows = Table(
        "node", "", "role", "server", "address", "version", "joined to ready", "", box=None, pad_edge=False
    )
    for node in found.nodes:
        rows.add_row(
            node.name,
            _mark(node.works),
            node.role,
            node.server or "none",
            node.address,
            node.version,
            "" if node.seconds_to_ready is None else f"{node.seconds_to_ready:.0f} s",
            _words(node),
        )
    console.print(rows)
    for name, address in found.addresses.items():
        console.print(f"{name:8}{address}", markup=False)
    if found.timings:
        console.print("\nlast deployment or change")
        for timing in found.timings:
            console.print(f"  {timing.phase:26} {timing.seconds:7.1f} s", markup=False)


def _mark(works: bool | None) -> Text:
    if works is None:
        return Text("?", "yellow")
    return Text("ok", "green") if works else Text("not ok", "bold red")


def _words(node: NodeStatus) -> str:
    return "; ".join(filter(None, ["cordoned" if node.cordoned else "", node.reason]))
