"""`python -m bench network`: Causeway, kuryr and the cloud's own floor side by side on the lab."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console

from bench import names, network, scale, volumes
from bench.result import Case, save, show
from bench.router import measuring
from causeway.kit.errors import Problem
from causeway.lab.settings import from_environment

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(width=160)
RESULTS = Path(__file__).parent / "results"


@app.callback()
def _measurements() -> None:
    """Measurements, most on a lab that is up."""


@app.command("network")
def measure_network(  # noqa: PLR0917  # options of a command line, never given by position
    pods: Annotated[str, typer.Option(help="How many pods at once, one case each.")] = "1,20,100",
    services: Annotated[str, typer.Option(help="How many services at once.")] = "1,10,30",
    shapes: Annotated[str, typer.Option(help="Ports x members of a service.")] = "1x3,3x3",
    who: Annotated[str, typer.Option(help="Who is measured.")] = "floor,causeway,kuryr",
    what: Annotated[str, typer.Option(help="What is measured.")] = "pods,pools,cni,services,members,memory",
    quick: Annotated[bool, typer.Option(help="One small case of each kind, in a few minutes.")] = False,
    output: Annotated[Path, typer.Option(help="Where the record is written.")] = RESULTS / "network.json",
) -> None:
    """Measure on a lab that is up; what is made in it is removed, also when the run is interrupted."""
    plan = network.Plan(
        pods=_numbers("1,20" if quick else pods),
        services=_numbers("1,3" if quick else services),
        shapes=tuple(network.shape_of(each) for each in shapes.split(",")),
        who=tuple(who.split(",")),
        what=tuple(what.split(",")),
    )
    lab = from_environment()
    with _recorded(output, "network", plan=plan.told()) as cases, _scratch() as directory, _interruptible():
        asyncio.run(network.run(lab, directory, plan, console, cases))


@app.command("scale")
def measure_scale(  # noqa: PLR0917  # options of a command line, never given by position
    pods: Annotated[int, typer.Option(help="Pods, bound to nodes.")] = 10_000,
    services: Annotated[int, typer.Option(help="Services of three members.")] = 1_000,
    policies: Annotated[int, typer.Option(help="NetworkPolicies, one for an application.")] = 500,
    nodes: Annotated[int, typer.Option(help="Nodes.")] = 200,
    calls: Annotated[int, typer.Option(help="Calls a second the controller is allowed.")] = 100,
    output: Annotated[Path, typer.Option(help="Where the record is written.")] = RESULTS / "scale.json",
) -> None:
    """Measure the controller on a platform larger than the lab, with a simulated cloud."""
    size = scale.Size(pods, services, policies, nodes, calls_per_second=calls)
    lab = from_environment()
    with _recorded(output, "scale") as cases, _scratch() as directory, _interruptible():
        asyncio.run(scale.run(lab, directory, size, console, cases))


@app.command("volumes")
def measure_volumes(
    claims: Annotated[str, typer.Option(help="How many claims at once, one case each.")] = "1,10,50",
    output: Annotated[Path, typer.Option(help="Where the record is written.")] = RESULTS / "volumes.json",
) -> None:
    """Measure volumes from a claim to a mounted file system, on a lab that is up."""
    with _recorded(output, "volumes") as cases, _scratch() as directory, _interruptible():
        volumes.run(from_environment(), directory, _numbers(claims), console, cases)


@app.command("names")
def measure_names(
    routes: Annotated[str, typer.Option(help="Numbers of Routes with names, one case each.")] = "1000,5000",
    output: Annotated[Path, typer.Option(help="Where the record is written.")] = RESULTS / "names.json",
) -> None:
    """Measure names of Routes in Designate, on a lab that is up and has it."""
    with _recorded(output, "names") as cases, _scratch() as directory, _interruptible():
        asyncio.run(names.run(from_environment(), directory, _numbers(routes), console, cases))


@app.command("router")
def measure_router(
    routes: Annotated[str, typer.Option(help="Numbers of routes, one round each.")] = "100,1000,10000",
    seconds: Annotated[float, typer.Option(help="Seconds of requests as fast as they go.")] = 5.0,
    changes: Annotated[int, typer.Option(help="Changes under load.")] = 2_000,
    port: Annotated[int, typer.Option(help="First of the ports on loopback that are used.")] = 29_000,
    output: Annotated[Path, typer.Option(help="Where the record is written.")] = RESULTS / "router.json",
) -> None:
    """Measure the router beside regular expressions and reloads, on the same HAProxy."""
    plan = measuring.Plan(_numbers(routes), seconds, changes)
    with _recorded(output, "router") as cases, _scratch() as directory, _interruptible():
        asyncio.run(measuring.run(directory, port, plan, console, cases))


@contextlib.contextmanager
def _recorded(output: Path, kind: str, **more: Any) -> Iterator[list[Case]]:
    """Show and write what was measured in the block, also when it was broken off; the record says so."""
    cases: list[Case] = []
    complete = False
    try:
        yield cases
        complete = True
    finally:
        show(cases, console)
        if cases:
            save(output, kind, cases, complete=complete, **more)
            console.print(f"record: {output}")


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Return a directory for logs and keys; kept, and told, when the run fails."""
    directory = Path(tempfile.mkdtemp(prefix="causeway-bench-"))
    try:
        yield directory
    except BaseException:
        console.print(f"logs: {directory}")
        raise
    shutil.rmtree(directory)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does, also in the background: with everything removed."""

    def stop(_number: int, _frame: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    # A shell has what it starts in the background ignore Ctrl-C.
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


def main() -> None:
    """Run, and tell a ``Problem`` as the command line does."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        app(standalone_mode=True)
    except Problem as problem:
        for finding in problem.findings:
            console.print(f"error: {finding.place}: {finding.cause}\n  -> {finding.remedy}")
        raise SystemExit(1) from problem


main()
