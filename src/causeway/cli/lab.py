"""``causeway lab``: a real OpenStack on this machine."""

import typer

app = typer.Typer(no_args_is_help=True, help="A real OpenStack on this machine, to try and to test on.")
