"""Whether the zones exist that the platform is to write names into."""

from collections.abc import Iterator

from causeway.kit.errors import Finding
from causeway.rooms.platforms.checks import Check, Remark, blocker, listing, unreadable
from causeway.rooms.platforms.facts import CloudFacts
from causeway.rooms.platforms.model import Platform

_WRITABLE = "PRIMARY"


def zones(platform: Platform, facts: CloudFacts) -> Iterator[Check]:
    """Judge the zones, if the platform asks for any."""
    asked = platform.spec.names
    if asked is None or facts.names is None:
        return
    if isinstance(facts.names, Finding):
        yield unreadable("names", facts.names)
        return
    remarks: list[Remark] = []
    for index, zone in enumerate(asked.zones):
        place = f"spec.names.furtherZones[{index - 1}]" if index else "spec.names.zone"
        kind = facts.names.zones.get(zone)
        if kind is None:
            remedy = f"openstack zone create --email ADDRESS {zone}"
            remarks.append(blocker(place, f"zone {zone} does not exist in the project", remedy))
        elif kind != _WRITABLE:
            cause = f"zone {zone} is {kind}: it is copied from elsewhere and cannot be written"
            remarks.append(blocker(place, cause, "Name a primary zone."))
    yield Check("names", listing(asked.zones), tuple(remarks))
