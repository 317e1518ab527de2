"""``causeway orphans``: what in the cloud carries our tags and belongs to nobody any more, with proof."""

import asyncio
import json
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from keystoneauth1.identity.base import BaseIdentityPlugin
from openstack.connection import Connection

from causeway.cli.explaining import CLOUD, OUTPUT, PLATFORM, Output
from causeway.cloud.connection import connect, explained
from causeway.kit.errors import Exit, Problem
from causeway.kit.progress import Progress
from causeway.kube.access import Access, discover, from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import CONFIG_MAPS
from causeway.rooms.platforms import document, stack
from causeway.rooms.platforms.orphans.gather import inhabitants, landscape, stack_resources
from causeway.rooms.platforms.orphans.judge import judge, twice
from causeway.rooms.platforms.orphans.model import Landscape, Orphan, Verdict
from causeway.rooms.platforms.orphans.notes import unnoted
from causeway.rooms.platforms.orphans.remove import Kept, remove
from causeway.rooms.platforms.pki import admin_kubeconfig
from causeway.rooms.platforms.stack import LiveStack
from causeway.rooms.platforms.survey import api_url, kept_of
from causeway.serve.controller.naming import naming_of
from causeway.serve.controller.settings import Platform

EPILOG = "Example: causeway orphans --platform platform.yaml --delete"

_BETWEEN = 5.0  # seconds between the two looks that have to agree before anything is deleted
_MINUTES = 10.0
# Keystone does not tell when a credential was made; one without a stack is never still being made.
_AGELESS = frozenset({"application credential"})


@dataclass(frozen=True)
class _Asked:
    """The platform that is asked: the way to its API, and its stack if it is known."""

    access: Access
    live: LiveStack | None


def command(
    *,
    platform: PLATFORM = None,
    cloud: CLOUD = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Only what belonged to this cluster (its whole id), which has no stack."),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete them; else they are listed.")] = False,
    volumes: Annotated[
        bool,
        typer.Option(
            "--delete-volumes",
            help="With --delete: also what claims and registries have stored, with its data.",
        ),
    ] = False,
    minutes: Annotated[
        float, typer.Option("--older-than", help="Minutes an orphan must have existed to be deleted.", min=0)
    ] = _MINUTES,
    output: OUTPUT = Output.TEXT,
) -> None:
    """List what carries Causeway's tags in the project and belongs to nobody, and why that is so.

    The platform named by --platform or KUBECONFIG is asked who lives in it. Other clusters' objects are
    orphans when the project has no stack and no server of theirs. Nothing is deleted without --delete, and
    then only what two looks five seconds apart agree on, is old enough and is proven ours by its own tags.
    Volumes, shares, snapshots and backups of claims, and registries' containers hold data: only
    --delete-volumes besides deletes them.

    Exit status: 0 there are no orphans (any more), 1 there are, 2 the command line is wrong.
    """
    if cluster and platform:
        raise Problem.of("--cluster", "goes without --platform", "Leave out one.", exit_code=Exit.USAGE)
    if volumes and not delete:
        raise Problem.of(
            "--delete-volumes", "goes with --delete", "Add --delete, or leave it out.", exit_code=Exit.USAGE
        )
    spec = document.load(platform).spec.cloud if platform else None
    name = cloud or spec or os.environ.get("OS_CLOUD")
    if not name:
        raise Problem.of(
            "cloud", "is not named", "Name it by --cloud, --platform or OS_CLOUD.", exit_code=Exit.USAGE
        )
    progress = Progress()
    with connect(name) as connection:
        asked = None if cluster else _asked(connection, platform)
        verdict = _look(connection, asked, cluster)
        found = verdict.orphans
        gone: list[Orphan] = []
        kept: list[Kept] = []
        if delete and found:
            with progress.phase("a second look") as phase:
                phase.waiting_for(f"{_BETWEEN:.0f} s to pass")
                time.sleep(_BETWEEN)
                found = twice(verdict, _look(connection, asked, cluster))
            ready, kept = sift(found, _its_time(connection), minutes * 60, volumes=volumes)
            with progress.phase("delete orphans") as phase:
                gone, refused = remove(connection, ready, phase.waiting_for)
            kept += refused
    if output is Output.JSON:
        print(json.dumps(as_data(verdict, found, gone, kept), indent=2))
    else:
        print("\n".join(lines_of(verdict, found, gone, kept, deleting=delete, only=cluster)))
    raise typer.Exit(Exit.FAILED if len(found) > len(gone) else Exit.OK)


def sift(
    found: tuple[Orphan, ...], now: datetime, least: float, *, volumes: bool = False
) -> tuple[list[Orphan], list[Kept]]:
    """Return the orphans that may be deleted, and those that may not with the cause.

    ``least`` is the age in seconds they have to have; ``volumes``: also what claims have stored.
    """
    ready: list[Orphan] = []
    kept: list[Kept] = []
    for each in found:
        age = each.thing.age(now)
        if each.held:
            kept.append(Kept(each, each.held))
        elif each.thing.data and not volumes:
            kept.append(Kept(each, "it holds data, which only --delete-volumes deletes"))
        elif each.thing.type in _AGELESS:
            ready.append(each)
        elif age is None or age < least:
            known = "unknown" if age is None else f"{age / 60:.0f} minutes"
            kept.append(Kept(each, f"its age is {known}, less than {least / 60:.0f} minutes"))
        else:
            ready.append(each)
    return ready, kept


def lines_of(
    verdict: Verdict,
    found: tuple[Orphan, ...],
    gone: list[Orphan],
    kept: list[Kept],
    *,
    deleting: bool,
    only: str | None = None,
) -> list[str]:
    """Return what a person reads; ``only`` is the cluster that was named, if one was."""
    causes = {each.orphan.thing.id: each.cause for each in kept}
    removed = {each.thing.id for each in gone}
    lines = []
    for each in found:
        thing = each.thing
        made = f", made {thing.made:%Y-%m-%d %H:%M:%S} UTC" if thing.made else ""
        about = f", {thing.about}" if thing.about else ""
        lines.append(f"{thing}: {thing.owner.kind} of cluster {thing.owner.cluster}{about}{made}")
        lines.append(f"  {each.proof}")
        if thing.id in removed:
            lines.append("  deleted")
        elif thing.id in causes:
            lines.append(f"  not deleted: {causes[thing.id]}")
    lines += [f"not judged: cluster {each}: {why}" for each, why in sorted(verdict.unjudged.items())]
    lines += [f"not looked at: {each}" for each in verdict.unseen]
    if only and only not in verdict.clusters:
        seen = ", ".join(verdict.clusters)
        others = f"; seen were those of {seen}" if seen else ", nor those of any other"
        lines.append(f"nothing in this project carries the tags of cluster {only}{others}")
    lines.append(f"{len(found)} orphans, {verdict.belonging} objects belong to somebody")
    if found and not deleting:
        lines.append("nothing was deleted; --delete does it")
    return lines


def as_data(
    verdict: Verdict, found: tuple[Orphan, ...], gone: list[Orphan], kept: list[Kept]
) -> dict[str, Any]:
    """Return the same for machines."""
    causes = {each.orphan.thing.id: each.cause for each in kept}
    removed = {each.thing.id for each in gone}
    return {
        "orphans": [
            {
                "type": each.thing.type,
                "id": each.thing.id,
                "name": each.thing.name,
                "cluster": each.thing.owner.cluster,
                "kind": each.thing.owner.kind,
                "uid": each.thing.owner.uid,
                "made": each.thing.made.isoformat() if each.thing.made else None,
                "about": each.thing.about,
                "proof": each.proof,
                "deleted": each.thing.id in removed,
                "kept": causes.get(each.thing.id),
            }
            for each in found
        ],
        "belonging": verdict.belonging,
        "unjudged": dict(verdict.unjudged),
        "unseen": list(verdict.unseen),
        "clusters": list(verdict.clusters),
    }


def _its_time(cloud: Connection) -> datetime:
    """Return the cloud's own time, a little early: ours may be wrong, and it said when things were made."""
    auth = cloud.session.auth
    issued = auth.get_access(cloud.session).issued if isinstance(auth, BaseIdentityPlugin) else None
    return issued or datetime.now(UTC)


def _asked(cloud: Connection, file: Path | None) -> _Asked | None:
    if file is None:
        if not os.environ.get("KUBECONFIG"):
            return None
        return _Asked(discover(), None)
    platform = document.load(file)
    with explained(f"stack {platform.name}"):
        live = stack.owned(stack.heat_of(cloud), platform.name)
    if live is None:
        raise Problem.of(
            f"platform {platform.name}",
            "does not exist in this cloud",
            "Without it, name its cluster by --cluster.",
        )
    config = admin_kubeconfig(kept_of(platform, file, live).pki, platform=platform.name, server=api_url(live))
    return _Asked(from_kubeconfig(config), live)


def _look(cloud: Connection, asked: _Asked | None, only: str | None) -> Verdict:
    seen = landscape(cloud)
    if only and only in seen.stacks:
        raise Problem.of(
            f"cluster {only}",
            f"is alive: stack {seen.stacks[only]} is its",
            "Name its platform file by --platform; `causeway destroy` takes a platform away.",
        )
    if asked is None:
        return judge(seen, None, only)
    return asyncio.run(_ask(cloud, asked, seen))


async def _ask(cloud: Connection, asked: _Asked, seen: Landscape) -> Verdict:
    async with Client(asked.access) as kube:
        settings = await kube.get(CONFIG_MAPS, "causeway", "kube-system")
        config = msgspec.json.decode(settings["data"]["config.json"], type=Platform)
        live = asked.live
        if live is None and config.cluster_id in seen.stacks:
            with explained(f"stack {seen.stacks[config.cluster_id]}"):
                live = stack.find(stack.heat_of(cloud), seen.stacks[config.cluster_id])
        resources = await asyncio.to_thread(stack_resources, cloud, live)
        living = await inhabitants(kube, config.cluster_id, resources)
        naming = naming_of(config)
        if naming is not None:
            living = replace(living, unnoted=await asyncio.to_thread(unnoted, cloud, seen, naming))
        return judge(seen, living)
