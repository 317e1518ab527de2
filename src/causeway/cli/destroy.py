"""``causeway destroy``: takes a platform away, with all that its controllers made."""

import sys
from typing import Annotated

import typer

from causeway.cli.plan import FILE
from causeway.cloud.connection import connect, explained
from causeway.kit.errors import Exit
from causeway.kit.progress import Progress
from causeway.rooms.platforms import document, stack, state, stored
from causeway.rooms.platforms.belongings import belongings
from causeway.rooms.platforms.destroy import data_of, destroy, summary
from causeway.rooms.platforms.stored_removal import told

EPILOG = "Example: causeway destroy platform.yaml --yes"


def command(
    file: FILE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    delete_volumes: Annotated[
        bool | None,
        typer.Option(
            "--delete-volumes/--keep-volumes",
            help="Delete what claims have stored (volumes, shares, snapshots, backups) and the container of "
            "images, or leave them in the cloud; with neither, their existence ends the command before "
            "anything is deleted.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Delete the platform of FILE: load balancers, ports and addresses its controllers made, then its stack.

    What belongs to it is known by its tags; the last step lists what still carries them. Volumes, shares,
    snapshots and backups of claims hold data, and so does the registry's container in the object store: where
    there are any, it has to be said what becomes of them.

    Exit status: 0 nothing is left but data that was to be kept, 1 something is, or data was found and nothing
    was said of it (it is named), 2 the file is wrong.
    """
    progress = Progress()
    platform = document.load(file)
    with connect(platform.spec.cloud) as cloud:
        with explained(f"stack {platform.name}"):
            live = stack.owned(stack.heat_of(cloud), platform.name)
        kept = state.load(state.directory_of(file, platform.name))
        cluster_id = live.cluster_id if live else (kept.cluster_id if kept else "")
        found = belongings(cloud, platform.name, cluster_id) if cluster_id else []
        with explained(f"platform {platform.name}"):
            data = data_of(cloud, platform, cluster_id) if cluster_id else []
        if not found and not data:
            if kept is not None:
                state.forget(kept.directory)
            print(f"there is no platform {platform.name}: nothing in the cloud belongs to it")
            raise typer.Exit(Exit.OK)
        names = {each.id: each.name for each in found if each.type == "server"}
        if data and delete_volumes is None:
            raise stored.undecided(data, names)
        doomed = [summary(found)] if found else []
        if delete_volumes and data:
            doomed.append(f"its data: {told(data)}")
        sys.stdout.write(f"platform {platform.name} ({cluster_id}) is deleted with {', and '.join(doomed)}\n")
        for each in data:
            what = "with its data" if delete_volumes else "kept"
            sys.stdout.write(f"  {what}: {each}, {each.about(names)}\n")
        if not yes and not typer.confirm("Delete all of it?", err=True):
            raise typer.Exit(Exit.FAILED)
        ours = kept if kept is not None and kept.cluster_id == cluster_id else None
        left = destroy(cloud, platform, cluster_id, ours, progress, delete_volumes=delete_volumes)
    if left:
        print(f"platform {platform.name} is gone; {told(left)} kept in the cloud:")
        sys.stdout.writelines(f"  {each}, {each.about()}\n" for each in left)
        return
    print(f"platform {platform.name} is gone; nothing in the cloud carries its tags any more")
