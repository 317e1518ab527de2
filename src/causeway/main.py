"""The composition root: one command, ``causeway``, put together from the files of ``cli``."""

import sys

import typer

from causeway.cli import apply, destroy, explain, kubeconfig, lab, plan, preflight, serve, status
from causeway.kit.errors import Exit, Problem

app = typer.Typer(
    name="causeway",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Application platforms and OpenStack clouds as one system.",
    epilog="Example: causeway lab up && causeway preflight platform.yaml",
)
app.add_typer(lab.app, name="lab")
app.add_typer(serve.app, name="serve")
app.add_typer(explain.app, name="explain")
app.command("preflight", epilog=preflight.EPILOG)(preflight.command)
app.command("plan", epilog=plan.EPILOG)(plan.command)
app.command("apply", epilog=apply.EPILOG)(apply.command)
app.command("status", epilog=status.EPILOG)(status.command)
app.command("destroy", epilog=destroy.EPILOG)(destroy.command)
app.command("kubeconfig", epilog=kubeconfig.EPILOG)(kubeconfig.command)


def main() -> None:
    """Run the command line; a problem is printed as its findings, never as a traceback."""
    try:
        app()
    except Problem as problem:
        for finding in problem.findings:
            print(f"error: {finding.place}: {finding.cause}\n  -> {finding.remedy}", file=sys.stderr)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(Exit.INTERRUPTED)
