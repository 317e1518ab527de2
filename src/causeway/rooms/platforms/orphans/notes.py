"""Record sets of ours whose owner's note is gone: nothing in their zone says whose they are.

The platform leaves such a record set alone, and takes its name for somebody else's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.connection import explained
from causeway.cloud.designate import RecordSet
from causeway.cloud.ownership import Owner
from causeway.rooms.names.model import KIND, TYPES, Setting
from causeway.rooms.names.plan import Zone
from causeway.rooms.platforms.orphans.model import RECORDS, Landscape, Thing

_TXT = "TXT"


def unnoted(cloud: Connection, seen: Landscape, setting: Setting) -> frozenset[str]:
    """Return the ids of them; a zone is read only if one of its record sets has no note at its own place."""
    found = suspects(seen, setting)
    with explained("zones"):
        listed = {zone: _texts(cloud, zone) for zone in sorted({_zone(each) for each in found})}
    return without_note(found, listed, setting)


def suspects(seen: Landscape, setting: Setting) -> list[Thing]:
    """Return the record sets that have no note with our description where we would write it. Pure."""
    owner = Owner(setting.cluster, KIND)
    ours = [each for each in seen.things if each.type == RECORDS and each.owner == owner]
    notes = {(_zone(each), each.name.lower()) for each in ours if each.about == _TXT}
    return [
        each
        for each in ours
        if each.about in TYPES
        and (_zone(each), setting.affixes.txt_name(each.name.lower(), each.about)) not in notes
    ]


def without_note(
    found: Iterable[Thing], listed: Mapping[str, Sequence[RecordSet]], setting: Setting
) -> frozenset[str]:
    """Return the ids of those that no TXT of their zone speaks of, in any form, of whatever owner. Pure."""
    zones = {zone: Zone(zone, texts, setting) for zone, texts in listed.items()}
    return frozenset(each.id for each in found if zones[_zone(each)].holding(each.name, each.about) is None)


def _zone(each: Thing) -> str:
    return each.id.partition("/")[0]


def _texts(cloud: Connection, zone: str) -> list[RecordSet]:
    query: dict[str, Any] = {"type": _TXT, "limit": "max"}
    found: list[RecordSet] = []
    while True:
        response = cloud.dns.get(f"/zones/{zone}/recordsets", params=query)
        if response.status_code == 404:
            return []  # deleted meanwhile, and all in it
        sdk.raise_from_response(response)
        page = msgspec.convert(response.json()["recordsets"], list[RecordSet])
        if not page:
            return found
        found += page
        query["marker"] = page[-1].id
