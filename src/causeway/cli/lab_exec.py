"""``causeway lab exec``: a command inside a server of the lab, without network or password."""

import os
from typing import Annotated

import typer

from causeway.lab.servers.enter import command_in, find
from causeway.lab.servers.layout import Layout
from causeway.lab.settings import from_environment

EPILOG = "Example: causeway lab exec demo-master-0 journalctl -u kubelet -n 20"
# Everything after the server's name belongs to the command, its options too.
CONTEXT = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def lab_exec(
    server: Annotated[str, typer.Argument(help="Name or id of the server (the beginning of an id will do).")],
    command: Annotated[
        list[str] | None, typer.Argument(help="The command; a shell when there is none.")
    ] = None,
) -> None:
    """Run a command as root inside a server of the lab and end with its exit code.

    Works when the server's network does not.
    """
    layout = Layout(from_environment())
    argv = command_in(find(layout, server), meant(command))
    os.execvp(argv[0], argv)  # noqa: S606  # its terminal, signals and exit code become ours


def meant(command: list[str] | None) -> list[str]:
    """Return the command to run: two dashes may stand before it, as with ssh or kubectl exec."""
    rest = command or []
    return rest[rest[:1] == ["--"] :] or ["/bin/bash", "--login"]
