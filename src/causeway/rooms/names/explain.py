"""Why a name leads where it does, or nowhere; and what is still to be done in a whole zone.

``gather`` reads, the others judge and are pure. What remains comes from the room's own plan, so that a zone
can be looked at before this platform writes into it.
"""

import asyncio
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sized
from dataclasses import dataclass, replace
from typing import TypeVar

from causeway.cloud.designate import Designate, RecordSet
from causeway.cloud.designate import Zone as CloudZone
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding
from causeway.kube.client import Client
from causeway.kube.defined import WhereDefined
from causeway.kube.gateways import GATEWAYS, HTTP_ROUTES, TLS_ROUTES, Gateway, HTTPRoute, TLSRoute
from causeway.kube.ingresses import INGRESSES, Ingress
from causeway.kube.objects import Cached, Namespace, Node, Service
from causeway.kube.reflector import ApiSource
from causeway.kube.resource import NAMESPACES, NODES, SERVICES, Resource
from causeway.kube.routes import ROUTES, Route
from causeway.rooms.names.annotations import HOSTNAME, PREFIXES
from causeway.rooms.names.asking import asking, describe, lacking
from causeway.rooms.names.attached import NONE, Gateways
from causeway.rooms.names.desired import desired
from causeway.rooms.names.model import (
    HTTP_ROUTE,
    INGRESS,
    NODE,
    PLATFORM,
    SERVICE,
    TLS_ROUTE,
    TYPES,
    Desired,
    Note,
    Planned,
    Record,
    Setting,
    Source,
    Wish,
)
from causeway.rooms.names.plan import Zone, plan
from causeway.rooms.names.registry import claim_in
from causeway.rooms.names.told import Told, warnings

T = TypeVar("T", bound=Cached)

_QUIET = ("ACTIVE", "PENDING")
_LOG = "kubectl -n kube-system logs deployment/causeway-controller"
_PLURALS = {INGRESS: "ingresses", PLATFORM: "platform"}
_SET, _NOTE = "record set", "note"
_BEREFT, _NOBODY = "the platform, without its note", "nobody that says so"
_ITSELF = "the zone itself"
_OUTSIDE, _NO_ADDRESS, _NOT_READ = "NotInZone", "NoAddress", "NotRead"


@dataclass(frozen=True)
class Facts:
    """Everything an explanation is drawn from; ``zone`` None: there is none of that name in the project.

    Unless it is ``written`` the platform does nothing there yet: steps that remain are what it would do.
    """

    setting: Setting
    name: str
    zone: CloudZone | None
    sets: tuple[RecordSet, ...] = ()
    services: tuple[Service, ...] = ()
    nodes: tuple[Node, ...] = ()
    routes: tuple[Route, ...] = ()
    ingresses: tuple[Ingress, ...] = ()
    gateways: Gateways = NONE
    controller: Finding | None = None  # what is wrong with the controller itself
    warnings: tuple[Told, ...] = ()  # what it told last of the name in question
    written: bool = True


async def gather(
    kube: Client,
    designate: Designate,
    *,
    setting: Setting,
    zone: str,
    controller: Finding | None,
    written: bool = True,
) -> Facts:
    """Read all facts about one zone; raises ``CloudError``."""
    services, nodes, routes, ingresses, gateways, found = await asyncio.gather(
        kube.list(SERVICES, of=Service),
        kube.list(NODES, of=Node),
        kube.list(ROUTES, of=Route),
        kube.list(INGRESSES, of=Ingress),
        _gateways(kube),
        designate.find_zone(zone),
    )
    sets = await designate.list_record_sets(found.id) if found is not None else []
    return Facts(
        setting,
        zone,
        found,
        tuple(sets),
        tuple(services.items),
        tuple(nodes.items),
        tuple(routes.items),
        tuple(ingresses.items),
        gateways,
        controller,
        written=written,
    )


async def with_warnings(kube: Client, facts: Facts, name: str) -> Facts:
    """Return the facts with what was told of a name, read only where steps remain that may have failed."""
    wanted, _, planned = _planned(facts)
    sources = sorted({each.source for each in wanted.wishes if each.name == name})
    if not _steps(planned, _places(facts, wanted, name)):
        return facts
    return replace(facts, warnings=await warnings(kube, sources, name))


async def _gateways(kube: Client) -> Gateways:
    http, tls, gateways, namespaces = await asyncio.gather(
        _defined(kube, HTTP_ROUTES, HTTPRoute),
        _defined(kube, TLS_ROUTES, TLSRoute),
        _defined(kube, GATEWAYS, Gateway),
        kube.list(NAMESPACES, of=Namespace),
    )
    return Gateways.of({HTTP_ROUTE: http, TLS_ROUTE: tls}, gateways, namespaces.items)


async def _defined(kube: Client, resource: Resource, of: type[T]) -> list[T] | None:
    """Return the objects of a kind, None where it is not defined, or not for us."""
    listing = await WhereDefined(ApiSource(kube, resource, of)).list()
    return listing.items if listing.defined else None


def explain_zone(facts: Facts) -> Explanation:
    """Return what a zone is to hold of this platform, what it holds, what remains and what is in the way."""
    wanted, zone, planned = _planned(facts)
    remaining = tuple(str(step) for chain in planned.chains for step in chain)
    notes = [*_notes_here(facts, wanted), *planned.notes]
    causes = list(_causes(facts, notes, unfinished=bool(remaining)))
    causes += _bereft(zone, facts.sets, planned.notes)
    if remaining and facts.written and facts.zone and not facts.controller:
        remedy = f"{_LOG}; `causeway explain name NAME` tells more of each."
        causes.append(Finding(f"zone {facts.name}", _unfinished(remaining), remedy))
    return Explanation(
        f"zone {facts.name}",
        {
            "record sets": len(planned.records),
            "wanted by": dict(sorted(_count(wanted.wishes, facts).items())) or "none",
            "owner": facts.setting.owner,
        },
        _whole(facts, zone),
        remaining,
        tuple(causes),
    )


def explain_name(facts: Facts, name: str) -> Explanation:
    """Return who wants a name, what the zone says of it, what remains and what is in the way."""
    wanted, zone, planned = _planned(facts)
    wishes = [each for each in wanted.wishes if each.name == name]
    having = {each.source for each in wishes}
    askers = {source for source, names in _asking(facts).items() if name in names}
    records = [each for each in planned.records if each.name == name]
    remaining = _steps(planned, _places(facts, wanted, name))
    notes = [each for each in (*wanted.notes, *planned.notes) if _concerns(each, name, having, askers)]
    causes = list(_causes(facts, notes, unfinished=bool(remaining)))
    causes += _bereft(zone, zone.at(name), notes)
    for told in facts.warnings if remaining else ():
        causes.append(
            Finding(told.source.resource, f"the controller met {told.reason} at {told.at}", told.note)
        )
    if remaining and facts.zone and not (facts.controller or facts.warnings):
        looks = [describe(each) for each in sorted(having) if each.uid]
        causes.append(Finding(f"name {name}", _unfinished(remaining), "; ".join([*looks, _LOG])))
    wildcard = _wildcard(zone, name)
    answering = [each for each in zone.at(wildcard) if each.type in TYPES] if wildcard else []
    nowhere = {each.source for each in notes if each.reason in (_NO_ADDRESS, _NOT_READ) or each.name == name}
    for each in sorted(askers - having - nowhere):
        if each.kind in (SERVICE, NODE) or not answering:  # what a router serves may need no more
            causes.append(Finding(each.resource, *lacking(each, name)))
    if not (having or askers or answering or zone.at(name)):
        remedy = f"Give a Service the annotation {PREFIXES[-1]}{HOSTNAME}, and look at its address."
        causes.append(Finding(f"name {name}", "nobody wants it", remedy))
    return Explanation(
        f"name {name}",
        {
            "wanted by": sorted({each.resource for each in having | askers}) or "nobody",
            "records": [_shown(each) for each in records] or _none(wishes),
        },
        {
            "record sets": [_found(each) for each in zone.at(name)]
            or ("none of its own" if answering else "none"),
            **({"answered by": [_found(each) for each in answering]} if answering else {}),
            "belong to": _owners(zone, [*zone.at(name), *answering]) or _NOBODY,
        },
        remaining,
        tuple(causes),
    )


def _places(facts: Facts, wanted: Desired, name: str) -> set[str]:
    """Return a name and where the TXTs of its record sets lie."""
    kinds = {each.type for each in wanted.wishes if each.name == name and each.targets}
    return {name, *(facts.setting.affixes.txt_name(name, kind) for kind in kinds)}


def _steps(planned: Planned, places: Container[str]) -> tuple[str, ...]:
    found = [chain for chain in planned.chains if any(each.name in places for each in chain)]
    return tuple(str(step) for chain in found for step in chain)


def _unfinished(remaining: Sized) -> str:
    what = "a step remains" if len(remaining) == 1 else f"{len(remaining)} steps remain"
    return f"{what}, which is usual for some seconds only, and nothing here tells why"


def _asking(facts: Facts) -> dict[Source, frozenset[str]]:
    objects = (*facts.services, *facts.nodes, *facts.routes, *facts.ingresses, *facts.gateways.routes)
    return asking(objects, facts.setting)


def _notes_here(facts: Facts, wanted: Desired) -> Iterator[Note]:
    """Yield what is told of all of an object, at the zones of its names: at the first if it has no names.

    So is what lies in no zone of the platform, as with Events.
    """
    setting, zones = facts.setting, dict[Source, set[str]]()
    names = [(source, name) for source, found in _asking(facts).items() for name in found]
    for source, name in (*names, *((each.source, each.name) for each in wanted.wishes)):
        if zone := setting.zone_of(name):
            zones.setdefault(source, set()).add(zone)
    for note in wanted.notes:
        inside = zones.get(note.source) if note.reason != _OUTSIDE else None
        if facts.name in (inside or setting.zones[:1]):
            yield note


def _concerns(note: Note, name: str, having: Container[Source], askers: Container[Source]) -> bool:
    """Return whether a note is about a name, or about all of an object that wants or asks for it."""
    if note.name or note.reason == _OUTSIDE:  # a name that is explained lies in a zone
        return note.name == name
    if note.reason == _NO_ADDRESS and note.source in having:
        return False  # that is said of the object's other names
    return note.source in having or note.source in askers


def _planned(facts: Facts) -> tuple[Desired, Zone, Planned]:
    wanted = desired(
        facts.services, facts.nodes, facts.setting, facts.routes, facts.ingresses, gateways=facts.gateways
    )
    zone = Zone(facts.name, facts.sets, facts.setting)
    return wanted, zone, plan(wanted, zone, facts.setting)


def _causes(facts: Facts, notes: Iterable[Note], *, unfinished: bool) -> Iterator[Finding]:
    if facts.zone is None:
        remedy = f"openstack zone create --email ADDRESS {facts.name}; or correct spec.names."
        yield Finding(f"zone {facts.name}", "it does not exist in the project", remedy)
    elif facts.zone.status not in _QUIET:
        remedy = "openstack zone show; the log of Designate's worker and the name servers say why."
        yield Finding(f"zone {facts.name}", f"it is in {facts.zone.status}", remedy)
    if unfinished and facts.controller is not None:
        yield facts.controller
    for note in dict.fromkeys(notes):
        yield Finding(note.source.resource, note.cause, note.remedy)


def _bereft(zone: Zone, sets: Iterable[RecordSet], notes: Iterable[Note]) -> Iterator[Finding]:
    """Yield which record sets the platform made and knows no more, unless a note about the name says so."""
    told = " ".join(each.cause for each in notes)
    for each in sets:
        if (cause := zone.bereft(each)) and cause not in told:
            remedy = f"If it is of no use: openstack recordset delete {zone.name} {each.id}"
            yield Finding(f"name {each.name}", cause, remedy)


def _count(wishes: Iterable[Wish], facts: Facts) -> dict[str, list[str]]:
    written = [each for each in wishes if each.targets]
    found = Counter(each.source.kind for each in written if facts.setting.zone_of(each.name) == facts.name)
    return {_PLURALS.get(kind, f"{kind}s"): [f"{number}"] for kind, number in found.items()}


def _whole(facts: Facts, zone: Zone) -> dict[str, object]:
    by_owner: dict[str, Counter[str]] = {}
    for each in facts.sets:
        owner, what = _told_owner(each, zone, facts.setting)
        by_owner.setdefault(owner, Counter())[what] += 1
    return {
        "status": facts.zone.status if facts.zone else "does not exist",
        "record sets": len(facts.sets),
        "ours": sum(1 for each in zone.sets.values() if zone.ours(each)),
        "by owner": {owner: _numbers(by_owner[owner]) for owner in _in_order(by_owner)} or "none",
        "not at rest": [_found(each) for each in facts.sets if each.status != "ACTIVE"] or "none",
    }


def _told_owner(each: RecordSet, zone: Zone, setting: Setting) -> tuple[str, str]:
    """Return whose a record set is by what the zone says, and what it is."""
    if each.type in ("SOA", "NS") and each.name.lower() == zone.name:
        return _ITSELF, _SET
    claim = claim_in(each.records) if each.type == "TXT" else None
    if claim is not None:
        return claim.owner or _NOBODY, _NOTE
    holding = zone.holding(each.name, each.type)
    if holding is not None and (holding.claim.owner != setting.owner or zone.ours(each)):
        return holding.claim.owner or _NOBODY, _SET
    return _BEREFT if zone.bereft(each) else _NOBODY, _SET


def _in_order(owners: Iterable[str]) -> list[str]:
    """Return owners by name, those after them who are none."""
    last = (_BEREFT, _NOBODY, _ITSELF)
    return sorted(owners, key=lambda each: (last.index(each) + 1 if each in last else 0, each))


def _numbers(found: Counter[str]) -> list[str]:
    ordered = [(what, found[what]) for what in (_SET, _NOTE) if found[what]]
    return [f"{number} {what}" if number == 1 else f"{number} {what}s" for what, number in ordered]


def _owners(zone: Zone, sets: Iterable[RecordSet]) -> list[str]:
    found = [zone.holding(each.name, each.type) for each in sets]
    return sorted({f"{each.claim.owner} ({each.claim.resource or 'no resource'})" for each in found if each})


def _wildcard(zone: Zone, name: str) -> str | None:
    """Return the wildcard that answers for a name; the nearest name that is there hides those above it."""
    there = {at for each, _ in zone.sets for at in _upwards(each)}  # also by what is below it
    if name in there:
        return None
    nearest = next((at for at in _upwards(name) if at in there), "")
    return f"*.{nearest}" if zone.at(f"*.{nearest}") else None


def _upwards(name: str) -> Iterator[str]:
    """Yield a name and those it lies in."""
    while name:
        yield name
        name = name.partition(".")[2]


def _none(wishes: Iterable[Wish]) -> str:
    return "none of its own: a wildcard answers" if any(not each.targets for each in wishes) else "none"


def _shown(record: Record) -> str:
    ttl = f", {record.ttl} s" if record.ttl else ""
    return f"{record.type} {' '.join(record.targets)}{ttl}"


def _found(each: RecordSet) -> str:
    doing = f" {each.action}" if each.action != "NONE" else ""
    return f"{each.type} {each.name} {' '.join(each.records)} ({each.status}{doing})"
