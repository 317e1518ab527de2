"""``causeway destroy``: takes a platform away, with all that its controllers made."""

import sys
from typing import Annotated

import typer

from causeway.cli.plan import FILE
from causeway.cloud.connection import connect, explained
from causeway.kit.errors import Exit
from causeway.kit.progress import Progress
from causeway.rooms.platforms import document, stack, state
from causeway.rooms.platforms.belongings import belongings
from causeway.rooms.platforms.destroy import destroy, summary

EPILOG = "Example: causeway destroy platform.yaml --yes"


def command(
    file: FILE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete the platform of FILE: load balancers, ports and addresses its controllers made, then its stack.

    What belongs to it is known by its tags; the last step lists what still carries them.

    Exit status: 0 nothing is left, 1 something is (it is named), 2 the file is wrong.
    """
    progress = Progress()
    platform = document.load(file)
    with connect(platform.spec.cloud) as cloud:
        with explained(f"stack {platform.name}"):
            live = stack.owned(stack.heat_of(cloud), platform.name)
        kept = state.load(state.directory_of(file, platform.name))
        cluster_id = live.cluster_id if live else (kept.cluster_id if kept else "")
        found = belongings(cloud, platform.name, cluster_id) if cluster_id else []
        if not found:
            if kept is not None:
                state.forget(kept.directory)
            print(f"there is no platform {platform.name}: nothing in the cloud belongs to it")
            raise typer.Exit(Exit.OK)
        sys.stdout.write(f"platform {platform.name} ({cluster_id}) is deleted with {summary(found)}\n")
        if not yes and not typer.confirm("Delete all of it?", err=True):
            raise typer.Exit(Exit.FAILED)
        ours = kept if kept is not None and kept.cluster_id == cluster_id else None
        destroy(cloud, platform, cluster_id, ours, progress)
    print(f"platform {platform.name} is gone; nothing in the cloud carries its tags any more")
