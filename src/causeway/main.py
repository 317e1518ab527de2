"""The composition root: one command, ``causeway``, put together from the files of ``cli``.

The file of a command is imported when that command is run, so that the long-running parts hold in memory only
what they use: the daemon of a node needs no client of Heat.
"""

import os
import sys
from difflib import get_close_matches
from importlib import import_module

import typer
from typer.core import TyperGroup

from causeway.kit import logging, output
from causeway.kit.errors import Exit, Problem

COMMANDS = (
    *("preflight", "plan", "apply", "status", "kubeconfig", "destroy"),
    *("explain", "orphans", "lab", "serve"),
)


class Commands(TyperGroup):
    """The commands by name; each is a module of ``cli`` with an ``app``, or a ``command`` and its epilog."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # Typer's own context
        """Return the names in the order in which a platform's life goes."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def,override]  # ditto
        """Import and return one command, None when there is no such."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"causeway.cli.{cmd_name}")
        commands: typer.Typer | None = getattr(module, "app", None)
        if commands is None:
            commands = typer.Typer(add_completion=False, rich_markup_mode=None)
            commands.command(cmd_name, epilog=module.EPILOG)(module.command)
            return typer.main.get_command(commands)
        commands.rich_markup_mode = None
        group = typer.main.get_group(commands)
        group.name = cmd_name
        return group

    def resolve_command(self, ctx: typer.Context, args: list[str]):  # type: ignore[no-untyped-def,override]  # ditto
        """Return the command that is meant; of what is none, say which is like it."""
        similar = [] if args[0] in COMMANDS else get_close_matches(args[0], COMMANDS, n=1)
        if similar and not ctx.resilient_parsing:  # else a shell asks what may come next
            ctx.fail(f"No such command {args[0]!r}. Did you mean {similar[0]!r}?")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="causeway",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Application platforms and OpenStack clouds as one system.",
    epilog="Example: causeway lab up && causeway preflight platform.yaml",
)


@app.callback()
def root() -> None:
    """Application platforms and OpenStack clouds as one system."""


def main() -> None:
    """Run the command line; a problem is printed as its findings, never as a traceback."""
    try:
        # Facts go to standard output, and nothing else may.
        output.take_standard_output()
        logging.configure(logging.level_from(os.environ, "warning"))
        try:
            app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # what cannot be written is to be known here, not when Python ends
    except Problem as problem:
        for finding in problem.findings:
            print(f"error: {finding.place}: {finding.cause}\n  -> {finding.remedy}", file=sys.stderr)
        sys.exit(problem.exit_code)
    except BrokenPipeError:
        sys.exit(Exit.FAILED)  # who reads no further knows that
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(Exit.INTERRUPTED)
