"""``causeway explain name`` and ``zone``: where names lead, and what is still to be written."""

from collections.abc import Iterable
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

    wanted = _absolute(host, "www.ZONE, such as www.example.org")

    async def look(doors: Doors, _: str) -> Explanation:
        setting = _setting(doors.platform)
        zone = setting.zone_of(wanted)
        if zone is None:
            cause = f"is in no zone of this platform ({_listed(setting.zones)})"
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

    wanted, affixes = _absolute(zone, "example.org"), Affixes(prefix, suffix, wildcard)
    if owner is None and affixes != Affixes():
        option = "--txt-prefix" if prefix else "--txt-suffix" if suffix else "--txt-wildcard-replacement"
        remedy = "Add --owner ID; for the platform's own notes spec.names says it."
        raise Problem.of(option, "says nothing without --owner", remedy, exit_code=Exit.USAGE)

    async def look(doors: Doors, _: str) -> Explanation:
        setting = setting_for(doors.platform, wanted, owner, affixes)
        written = setting == naming_of(doors.platform)
        return names.explain_zone(await _facts(doors, setting, wanted, written=written))

    run_named(zone, platform, cloud, output, look)


def setting_for(platform: Platform, zone: str, owner: str | None, affixes: Affixes) -> Setting:
    """Return the setting a zone is explained by: the platform's, or as if it had ``owner`` there."""
    if owner is None:
        setting = _setting(platform)
        if zone not in setting.zones:
            cause = f"is not a zone of this platform ({_listed(setting.zones)})"
            remedy = "See spec.names in its file; --owner ID shows what would be done in another zone."
            raise Problem.of(zone.rstrip("."), cause, remedy)
        return setting
    living = naming_of(platform)
    if living is None:
        return Setting(platform.cluster_id, (zone,), owner, affixes, previewed=True)
    zones = living.zones if zone in living.zones else (*living.zones, zone)
    return replace(living, zones=zones, owner=owner, affixes=affixes, previewed=True)


def _setting(platform: Platform) -> Setting:
    setting = naming_of(platform)
    if setting is None:
        cause = "writes no names: its file has no spec.names"
        raise Problem.of(f"platform {platform.platform}", cause, "Add it and run `causeway apply`.")
    return setting


def _absolute(text: str, example: str) -> str:
    found = absolute(text)
    if found is None:
        raise Problem.of(text or "NAME", "is no domain name", f"As in: {example}", exit_code=Exit.USAGE)
    return found


def _listed(zones: Iterable[str]) -> str:
    return ", ".join(each.rstrip(".") for each in zones)


async def _facts(doors: Doors, setting: Setting, zone: str, *, written: bool = True) -> names.Facts:
    return await names.gather(
        doors.kube,
        Designate(doors.cloud),
        setting=setting,
        zone=zone,
        controller=doors.controller,
        written=written,
    )
