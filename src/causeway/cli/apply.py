"""``causeway apply``: makes a platform what its file says."""

import json
import sys
from typing import Annotated

import typer

from causeway.cli import plan
from causeway.cli.plan import FILE, OUTPUT, REMOVE
from causeway.cli.preflight import Output
from causeway.cloud.connection import connect
from causeway.kit.errors import Exit
from causeway.kit.progress import Progress
from causeway.rooms.platforms import document
from causeway.rooms.platforms.addons import IMAGE
from causeway.rooms.platforms.apply import Applied, apply
from causeway.rooms.platforms.plan import Plan, as_data
from causeway.rooms.platforms.survey import api_url, survey

EPILOG = "Example: causeway apply platform.yaml --yes"


def command(
    file: FILE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    remove: REMOVE = None,
    image: Annotated[
        str, typer.Option("--image", help="Where nodes find Causeway's own container image.")
    ] = IMAGE,
    output: OUTPUT = Output.TEXT,
) -> None:
    """Create the platform, or change it to what FILE says: print the plan, ask, and carry it out.

    Interrupted at any point, the same command goes on. Nodes a pool has too many are drained before they go.

    Exit status: 0 the platform is as the file says and works, 1 something failed (the cause is told),
    2 the file is wrong.
    """
    progress = Progress()
    platform = document.load(file)
    with connect(platform.spec.cloud) as cloud:
        found = survey(cloud, platform, file, progress, remove=remove or ())
        if output is Output.TEXT:
            plan.show(found.plan, platform.name)
        unasked = found.plan.empty and not found.plan.notices
        if not (yes or unasked) and not typer.confirm("Carry it out?", err=True):
            raise typer.Exit(Exit.FAILED)
        applied = apply(cloud, found, progress, image=image)
    if output is Output.JSON:
        print(json.dumps(_as_data(found.plan, applied, progress), indent=2))
    else:
        sys.stdout.write(_summary(applied, progress))


def _as_data(carried_out: Plan, applied: Applied, progress: Progress) -> dict[str, object]:
    return {
        "plan": as_data(carried_out),
        "api": api_url(applied.live),
        "router": applied.live.outputs.get("public_router_address"),
        "clusterId": applied.kept.cluster_id,
        "timings": {timing.phase: timing.seconds for timing in progress.timings},
    }


def _summary(applied: Applied, progress: Progress) -> str:
    lines = [
        f"platform {applied.live.name} works",
        f"  API     {api_url(applied.live)}",
        f"  router  {applied.live.outputs.get('public_router_address') or 'none'}",
        "timings",
        *(f"  {timing.phase:26} {timing.seconds:7.1f} s" for timing in progress.timings),
    ]
    return "\n".join(lines) + "\n"
