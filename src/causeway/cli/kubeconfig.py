"""``causeway kubeconfig``: an administrator's access to a platform's API."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from causeway.cli.plan import FILE
from causeway.cloud.connection import connect, explained
from causeway.kit.errors import Problem
from causeway.rooms.platforms import document, stack
from causeway.rooms.platforms.pki import admin_kubeconfig
from causeway.rooms.platforms.survey import api_url, kept_of

EPILOG = "Example: causeway kubeconfig platform.yaml --output admin.conf"


def command(
    file: FILE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-w", help="Write it there, readable by you alone, instead of printing it."),
    ] = None,
) -> None:
    """Print or write a kubeconfig with a new client certificate, valid for a year.

    Exit status: 0 done, 1 there is no such platform or its keys are elsewhere, 2 the file is wrong.
    """
    platform = document.load(file)
    with connect(platform.spec.cloud) as cloud, explained(f"stack {platform.name}"):
        live = stack.owned(stack.heat_of(cloud), platform.name)
    if live is None:
        raise Problem.of(
            f"platform {platform.name}", "does not exist in this cloud", f"Run `causeway apply {file}`."
        )
    kept = kept_of(platform, file, live)
    text = yaml.safe_dump(
        admin_kubeconfig(kept.pki, platform=platform.name, server=api_url(live)), sort_keys=False
    )
    if output is None:
        sys.stdout.write(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)  # one that is there may be readable by others
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as sink:
        sink.write(text)
    print(f"written to {output}", file=sys.stderr)
