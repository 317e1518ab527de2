"""``causeway lab``: a real OpenStack on this machine."""

import json
import os
import shlex
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from causeway.cli import lab_exec, lab_image
from causeway.kit.errors import Exit, Problem
from causeway.kit.progress import Progress
from causeway.lab import life, packages, settings, state, tree

app = typer.Typer(no_args_is_help=True, help="A real OpenStack on this machine, to try and to test on.")

Output = Annotated[str, typer.Option("-o", "--output", help="text or json", metavar="FORMAT")]

app.command("image", epilog=lab_image.EPILOG)(lab_image.image)
app.command("exec", epilog=lab_exec.EPILOG, context_settings=lab_exec.CONTEXT)(lab_exec.lab_exec)


@app.command(epilog="Example: causeway lab up --with dns,shares")
def up(
    extras: Annotated[
        str,
        typer.Option(
            "--with", help=f"Further services, by commas: {', '.join(packages.EXTRAS)}", metavar="NAMES"
        ),
    ] = "",
    output: Output = "text",
) -> None:
    """Bring the lab up and prove that every API works; verifies the one that is up already."""
    names = tuple(name for name in extras.replace(" ", "").split(",") if name)
    for name in names:
        if name not in packages.EXTRAS:
            remedy = f"Choose from {', '.join(packages.EXTRAS)}."
            raise Problem.of("--with", f"there is no {name!r}", remedy, exit_code=Exit.USAGE)
    lab = settings.from_environment(extras=tuple(extra for extra in packages.EXTRAS if extra in names))
    progress = Progress()
    life.up(lab, progress)
    if output == "json":
        print(json.dumps([asdict(timing) for timing in progress.timings]))
        return
    for timing in progress.timings:
        print(f"{timing.seconds:8.1f} s  {timing.phase}")
    print('The lab is up. Use it:  eval "$(causeway lab env)"')


@app.command(epilog="Example: causeway lab down")
def down() -> None:
    """Stop the lab's processes, its servers too; all data stays."""
    with Progress().phase("stopping the lab"):
        was_up = life.down(settings.from_environment())
    print("The lab is down." if was_up else "The lab was not up.")


@app.command(epilog="Example: causeway lab destroy --yes")
def destroy(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the lab with all its data; what was downloaded stays in the cache."""
    lab = settings.from_environment()
    if not yes and lab.directory.exists():
        typer.confirm(f"Remove the lab in {lab.directory} with all its data?", abort=True)
    with Progress().phase("removing the lab"):
        existed = life.destroy(lab)
    print("The lab is gone." if existed else "There was no lab.")


@app.command(epilog="Example: causeway lab status -o json")
def status(output: Output = "text") -> None:
    """Show every service and step; exit code 1 when something is missing."""
    lab = settings.from_environment()
    running = tree.running(lab)
    current = state.read(lab.state_file) if running else None
    if current is None:
        print(json.dumps({"up": False}) if output == "json" else f"No lab is up in {lab.directory}.")
        raise typer.Exit(Exit.FAILED)
    if output == "json":
        print(json.dumps({"up": True, "complete": current.complete, **asdict(current)}))
    else:
        _show(current)
    raise typer.Exit(Exit.OK if current.complete else Exit.FAILED)


@app.command(epilog='Example: eval "$(causeway lab env)"; openstack server list')
def env() -> None:
    """Print shell exports with which any OpenStack client uses the lab, as a plain project user."""
    lab = settings.from_environment()
    if not lab.clouds_file.exists():
        raise Problem.of(str(lab.directory), "there is no lab", "Run `causeway lab up` first.")
    print(f"export OS_CLIENT_CONFIG_FILE={shlex.quote(str(lab.clouds_file))} OS_CLOUD=lab")


@app.command(epilog="Example: causeway lab logs nova-compute --follow")
def logs(
    service: Annotated[str, typer.Argument(help="A service or step, as `lab status` names it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 50,
) -> None:
    """Print the last lines a service or step has written."""
    lab = settings.from_environment()
    path = lab.logs / f"{service}.log"
    written = sorted(log.stem for log in lab.logs.glob("*.log"))
    if service not in written:
        current = state.read(lab.state_file)
        known = current is not None and service in current.units
        cause = "it has written nothing" if known else "there is no such service here"
        names = ", ".join(written) or "none yet"
        raise Problem.of(service, cause, f"There are logs of: {names}.", exit_code=Exit.USAGE)
    argv = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)]
    os.execvp("tail", argv)  # noqa: S606 - a list of arguments, no shell text


@app.command(epilog="Example: causeway lab restart nova-compute")
def restart(
    service: Annotated[str, typer.Argument(help="A service, as `lab status` names it.")],
) -> None:
    """Restart one service with its configuration written anew."""
    lab = settings.from_environment()
    if tree.running(lab) is None:
        raise Problem.of(str(lab.directory), "no lab is up", "Run `causeway lab up` first.")
    if not tree.restart_service(lab, service):
        raise Problem.of(
            service, "there is no such service", "See `causeway lab status`.", exit_code=Exit.USAGE
        )


def _show(current: state.LabState) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("NAME", "KIND", "STATUS", "SINCE", "TOOK", "RESTARTS", "REASON"):
        table.add_column(heading)
    now = time.time()
    for unit in current.units.values():
        table.add_row(
            unit.name,
            unit.kind,
            unit.status,
            f"{now - unit.since:.0f} s",
            f"{unit.seconds:.1f} s" if unit.seconds else "",
            str(unit.restarts or ""),
            unit.reason,
        )
    Console(soft_wrap=True).print(table)
