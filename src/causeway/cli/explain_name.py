"""``causeway explain name`` and ``zone``: where names lead, and what is still to be written."""

from dataclasses import replace
from typing import Annotated

import typer

from causeway.cli.explaining import CLOUD, NAME, OUTPUT, PLATFORM, Doors, Output, run_named
from causeway.cloud.designate import Designate
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Exit, Problem
from causeway.rooms.names import explain as names
from causeway.rooms.names.annotations import absolute
from causeway.rooms.names.model import Setting
from causeway.rooms.names.registry import WILDCARD, Affixes
from causeway.serve.controller.naming import naming_of
from causeway.serve.controller.settings import Platform

NAME_EPILOG = "Example: causeway explain name www.shop.example.org"
ZONE_EPILOG = "Example: causeway explain zone shop.example.org --owner external-dns-1"

_OWNER = Annotated[
    str | None, typer.Option("--owner", help="As this owner, for a zone the platform does not write yet.")
]
_PREFIX = Annotated[str, typer.Option("--txt-prefix", help="With --owner: external-dns's --txt-prefix.")]
_SUFFIX = Annotated[str, typer.Option("--txt-suffix", help="With --owner: external-dns's --txt-suffix.")]
_WILDCARD = Annotated[
    str,
    typer.Option("--txt-wildcard-replacement", help="With --owner: external-dns's option of that name."),
]


def name(host: NAME, platform: PLATFORM = None, cloud: CLOUD = None, output: OUTPUT = Output.TEXT) -> None:
    """Explain a name: who wants it, whose it is in its zone, and why it leads nowhere.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, host: str) -> Explanation:
        setting, wanted = _setting(doors.platform), _absolute(host)
        zone = setting.zone_of(wanted)
        if zone is None:
            cause = f"is in no zone of the platform: {', '.join(setting.zones)}"
            raise Problem.of(wanted, cause, "See spec.names in the platform's file.")
        facts = await _facts(doors, setting, zone)
        return names.explain_name(await names.with_warnings(doors.kube, facts, wanted), wanted)

    run_named(host, platform, cloud, output, look)


def zone(
    zone: NAME,
    *,
    owner: _OWNER = None,
    prefix: _PREFIX = "",
    suffix: _SUFFIX = "",
    wildcard: _WILDCARD = WILDCARD,
    platform: PLATFORM = None,
    cloud: CLOUD = None,
    output: OUTPUT = Output.TEXT,
) -> None:
    """Explain a zone: whose record sets it holds, and what the platform has, or would have, to do there.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, name: str) -> Explanation:
        wanted, living = _absolute(name), naming_of(doors.platform)
        if owner is not None:
            affixes = Affixes(prefix, suffix, wildcard)
            setting = Setting(doors.platform.cluster_id, (wanted,), owner, affixes)
            if living is not None and wanted in living.zones:
                setting = replace(living, owner=owner, affixes=affixes)
        else:
            setting = _setting(doors.platform)
        return names.explain_zone(await _facts(doors, setting, wanted, written=setting == living))

    run_named(zone, platform, cloud, output, look)


def _setting(platform: Platform) -> Setting:
    setting = naming_of(platform)
    if setting is None:
        cause = "writes no names: its file has no spec.names"
        raise Problem.of(f"platform {platform.platform}", cause, "Add it and run `causeway apply`.")
    return setting


def _absolute(text: str) -> str:
    found = absolute(text)
    if found is None:
        raise Problem.of(text, "is no domain name", "As in: www.example.org", exit_code=Exit.USAGE)
    return found


async def _facts(doors: Doors, setting: Setting, zone: str, *, written: bool = True) -> names.Facts:
    return await names.gather(
        doors.kube,
        Designate(doors.cloud),
        setting=setting,
        zone=zone,
        controller=doors.controller,
        written=written,
    )
