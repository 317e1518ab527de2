"""Wishes and a listing of a zone -> steps. Pure, and the only place where something of a zone is judged.

A record set is ours when a TXT with our owner id speaks of it (see ``registry``). Nothing else is ever
changed or deleted; where it is in the way, that is told. The TXT is written before its record set and deleted
after it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from causeway.cloud.designate import RecordSet
from causeway.cloud.ownership import owner_in
from causeway.rooms.names.model import (
    KIND,
    TYPES,
    Chain,
    Create,
    Delete,
    Desired,
    Note,
    Planned,
    Record,
    Setting,
    Step,
    Update,
    Wish,
)
from causeway.rooms.names.registry import Claim, Mark, claim_in, old_form_speaks_of
from causeway.rooms.names.sharing import together

_TXT = "TXT"
_TROUBLED = "ERROR"


@dataclass(frozen=True)
class Holding:
    """The claim that speaks of a record set, and the TXT it is written in."""

    claim: Claim
    txt: RecordSet


class Zone:
    """A listing of a zone, read for who owns what."""

    def __init__(self, name: str, listed: Iterable[RecordSet], setting: Setting) -> None:
        self.name = name
        self._setting = setting
        self.sets = {(each.name.lower(), each.type): each for each in listed}
        self._names: dict[str, list[RecordSet]] = {}
        self._plain: Counter[tuple[str, str]] = Counter()
        for (at, kind), each in self.sets.items():
            self._names.setdefault(at, []).append(each)
            self._plain[setting.affixes.plain(at), kind] += 1
        self.holdings: dict[tuple[str, str], Holding] = {}
        for each in self.sets.values():
            claim = claim_in(each.records) if each.type == _TXT and not each.leaving else None
            if claim is not None:
                self.holdings[setting.affixes.record_of(each.name.lower())] = Holding(claim, each)
        self._spoken_of: dict[str, list[RecordSet]] = {}
        for each in self.sets.values():
            if (holding := self.ours(each)) is not None:
                self._spoken_of.setdefault(holding.txt.id, []).append(each)

    def at(self, name: str) -> list[RecordSet]:
        """Return every record set of a name."""
        return self._names.get(name, [])

    def holding(self, name: str, kind: str) -> Holding | None:
        """Return who has, or is about to make, the record set of a name and type."""
        plain = self._setting.affixes.plain(name.lower())
        found = self.holdings.get((plain, kind))
        return found or (self.holdings.get((plain, "")) if old_form_speaks_of(kind) else None)

    def reserved(self, name: str, kind: str) -> Holding | None:
        """Return the claim of ours to exactly a name and type that is to be made."""
        found = self.holdings.get((self._setting.affixes.plain(name), kind))
        return found if found is not None and found.claim.owner == self._setting.owner else None

    def ours(self, each: RecordSet) -> Holding | None:
        """Return the claim that makes a record set ours, None if it is not."""
        found = self.holding(each.name, each.type)
        if each.type not in TYPES or found is None or found.claim.owner != self._setting.owner:
            return None
        if found.claim.mark:
            made = owner_in(each.description or "")
            meant = found.claim.mark is Mark.of(each.name)
            return found if meant and made is not None and made.kind == KIND else None
        # A TXT of external-dns's is about *.name and wildcard.name alike: with both there it proves nothing.
        plain = self._setting.affixes.plain(each.name.lower())
        return found if self._plain[plain, each.type] == 1 else None

    def bereft(self, each: RecordSet) -> str:
        """Return why a record set this platform made, by its description, is nobody's; "" if it is not so."""
        made = owner_in(each.description or "")
        ours = made is not None and (made.cluster, made.kind) == (self._setting.cluster, KIND)
        if self._setting.previewed or not ours or each.leaving or each.type not in TYPES:
            return ""
        if self.holding(each.name, each.type):
            return ""
        note = self._setting.affixes.txt_name(each.name.lower(), each.type)
        return (
            f"{each.type} {each.name} carries the platform's description, but its owner's note {note} is gone"
        )

    def spoken_of(self, txt: RecordSet) -> list[RecordSet]:
        """Return what is ours by a TXT."""
        return self._spoken_of.get(txt.id, [])

    def holders(self, name: str, wanted: Iterable[Wish]) -> frozenset[str]:
        """Return the resources that have a name now, in claims of ours.

        Old ones name nobody: then it is who wants what the record set holds.
        """
        plain = self._setting.affixes.plain(name)
        found = [self.holdings.get((plain, kind)) for kind in (*TYPES, "")]
        named = {each.claim.resource for each in found if each and each.claim.owner == self._setting.owner}
        return frozenset(named | {each.source.resource for each in wanted if "" in named and self._has(each)})

    def _has(self, wish: Wish) -> bool:
        """Return whether a record set of ours holds what somebody wants."""
        current = self.sets.get((wish.name, wish.type))
        if current is None or self.ours(current) is None:
            return False
        return {*wish.targets} <= {*_sorted(current.records)}


def plan(desired: Desired, zone: Zone, setting: Setting) -> Planned:
    """Return what is to be done in a zone for the wishes that lie in it."""
    wishes = [each for each in desired.wishes if setting.zone_of(each.name) == zone.name]
    shared, notes = _shared(wishes, zone)
    records, displaced = _placed(shared, zone, setting)
    notes += displaced
    judged = [_judge(each, zone, setting, desired) for each in records]
    wanted = {(each.name, each.type) for each in records}
    chains = [each.chain for each in judged if each.chain]
    kept = {each.holding.txt.id for each in judged if each.holding is not None}
    leaving = [
        each
        for each in zone.sets.values()
        if not each.leaving
        and (each.name.lower(), each.type) not in wanted
        and (holding := zone.ours(each)) is not None
        and _ours_to_delete(holding.claim, desired)
    ]
    going = {each.id for each in leaving}
    kept |= {
        holding.txt.id
        for each in zone.sets.values()
        if each.id not in going and (holding := zone.ours(each)) is not None
    }
    chains += _removals(leaving, kept, zone, setting, desired)
    return Planned(
        tuple(chains),
        tuple(each.record for each in judged if each.holds),
        tuple(dict.fromkeys([*notes, *(note for each in judged for note in each.notes)])),
    )


def _shared(wishes: Iterable[Wish], zone: Zone) -> tuple[list[Record], list[Note]]:
    """Return the records of all wishes, and what is told of which name."""
    by_name: dict[str, list[Wish]] = {}
    for each in wishes:
        by_name.setdefault(each.name, []).append(each)
    records: list[Record] = []
    notes: list[Note] = []
    for name, wanted in by_name.items():
        found, told = together(wanted, zone.holders)
        records += found
        notes += [replace(each, name=name) for each in told]
    return records, notes


def _placed(records: list[Record], zone: Zone, setting: Setting) -> tuple[list[Record], list[Note]]:
    """Return the records whose TXT has a place of its own, and what the others are told.

    A wildcard and a name can have the same place, and an alias can want to be where a TXT is.
    """
    remedy = "Choose another name for one of the two."
    notes: list[Note] = []
    by_place: dict[str, list[Record]] = {}
    for each in records:
        by_place.setdefault(setting.affixes.txt_name(each.name, each.type), []).append(each)
    kept: list[Record] = []
    for same in by_place.values():
        first = min(same, key=lambda each: (not _there(each, zone), each.name))
        kept.append(first)
        for each in same:
            if each is not first:
                cause = f"{each.name} is not free: its TXT would be that of {first.name}"
                notes += _notes(each, "NameTaken", cause, remedy)
    for each in [each for each in kept if each.type == "CNAME" and each.name in by_place]:
        cause = f"{each.name} is not free: it is the place of a TXT that says whose another name is"
        notes += _notes(each, "NameTaken", cause, remedy)
        kept.remove(each)
    return kept, notes


def _there(record: Record, zone: Zone) -> bool:
    current = zone.sets.get((record.name, record.type))
    return current is not None and zone.ours(current) is not None


@dataclass(frozen=True)
class _Judged:
    """What becomes of one record; ``holds`` unless something foreign is in its way."""

    record: Record
    chain: Chain = ()
    holding: Holding | None = None
    notes: tuple[Note, ...] = ()
    holds: bool = True


def _judge(record: Record, zone: Zone, setting: Setting, desired: Desired) -> _Judged:
    current = zone.sets.get((record.name, record.type))
    if current is not None and current.leaving:
        return _Judged(record, holding=zone.reserved(record.name, record.type))
    if current is not None:
        holding = zone.ours(current)
        if holding is None or not _ours_to_change(holding.claim, desired):
            return _foreign(record, current, zone, setting)
        return _Judged(record, _corrected(record, current, holding), holding, tuple(_told(record, current)))
    for other in zone.at(record.name):
        if "CNAME" not in (record.type, other.type):
            continue
        # Nothing can be beside a CNAME. What is ours goes first, and it is looked again.
        holding = _claim_of(other) if other.type == _TXT else zone.ours(other)
        going = holding is not None and holding.claim.owner == setting.owner
        if other.leaving or (going and holding and _ours_to_delete(holding.claim, desired)):
            return _Judged(record, holding=zone.reserved(record.name, record.type))
        return _foreign(record, other, zone, setting)
    return _made(record, zone, setting, desired)


def _made(record: Record, zone: Zone, setting: Setting, desired: Desired) -> _Judged:
    """Return the chain that makes a record set nobody has: first the claim, then what it speaks of."""
    affixes = setting.affixes
    name = affixes.txt_name(record.name, record.type)
    if not name.endswith(f".{zone.name}") or affixes.record_of(name) != (
        affixes.plain(record.name),
        record.type,
    ):
        cause = f"the zone has no place for the TXT that says whose {record.type} {record.name} is"
        remedy = "Use a name below the zone's own; see spec.names.txtPrefix if it is one."
        return _Judged(record, notes=_notes(record, "NoPlaceForOwner", cause, remedy), holds=False)
    claim = Claim(setting.owner, record.resource, Mark.of(record.name))
    made = Create(record.name, record.type, record.sources, record.targets, record.ttl)
    there = zone.sets.get((name, "CNAME")) or zone.sets.get((name, _TXT))
    if there is None or there.leaving:
        first = Create(name, _TXT, record.sources, (claim.text(),), None)
        return _Judged(record, (first, made) if there is None else ())
    holding = _claim_of(there) if there.type == _TXT else zone.ours(there)
    if not holding or holding.claim.owner != setting.owner or not _ours_to_change(holding.claim, desired):
        return _foreign(record, there, zone, setting)
    if there.type != _TXT or zone.spoken_of(there):  # what is there, or what it speaks of, goes first
        going = _ours_to_delete(holding.claim, desired)
        return _Judged(record) if going else _foreign(record, there, zone, setting)
    claimed = () if holding.claim == claim else (_rewritten(there, claim, record),)
    return _Judged(record, (*claimed, made), holding)


def _corrected(record: Record, current: RecordSet, holding: Holding) -> Chain:
    steps: list[Step] = []
    if holding.claim.resource != record.resource:
        claim = Claim(holding.claim.owner, record.resource, holding.claim.mark)
        steps.append(_rewritten(holding.txt, claim, record))
    if (_sorted(current.records), current.ttl) != (record.targets, record.ttl):
        steps.append(Update(record.name, record.type, record.sources, current.id, record.targets, record.ttl))
    return tuple(steps)


def _removals(
    leaving: Sequence[RecordSet], kept: set[str], zone: Zone, setting: Setting, desired: Desired
) -> Iterator[Chain]:
    """Yield chains that delete record sets and, after them, the claims that speak of nothing any more."""
    for each in leaving:
        steps: list[Step] = [Delete(each.name, each.type, (), each.id)]
        holding = zone.ours(each)
        # The old form may speak of two; then it goes when both are gone.
        if holding is not None and holding.txt.id not in kept and zone.spoken_of(holding.txt) == [each]:
            steps.append(Delete(holding.txt.name, _TXT, (), holding.txt.id))
        yield tuple(steps)
    for (name, kind), holding in zone.holdings.items():
        if (
            name
            and (kind in TYPES or not kind)
            and holding.txt.id not in kept
            and not zone.spoken_of(holding.txt)
            and holding.claim.owner == setting.owner
            and _ours_to_delete(holding.claim, desired)
        ):
            yield (Delete(holding.txt.name, _TXT, (), holding.txt.id),)


def _ours_to_delete(claim: Claim, desired: Desired) -> bool:
    """Return whether this room knows that nobody wants what a claim speaks of."""
    return claim.kind in desired.known and claim.resource not in desired.untouched


def _ours_to_change(claim: Claim, desired: Desired) -> bool:
    """Return whether what a claim of ours speaks of may be given to who wants it; old ones name nobody."""
    return not claim.resource or _ours_to_delete(claim, desired)


def _claim_of(txt: RecordSet) -> Holding | None:
    claim = claim_in(txt.records) if txt.type == _TXT else None
    return Holding(claim, txt) if claim else None


def _rewritten(txt: RecordSet, claim: Claim, record: Record) -> Update:
    return Update(txt.name, _TXT, record.sources, txt.id, (claim.text(),), txt.ttl)


def _sorted(records: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(each.lower() for each in records))


def _told(record: Record, current: RecordSet) -> Iterator[Note]:
    if current.status == _TROUBLED:
        cause = f"{record.type} {record.name} is in ERROR: the name servers did not take it"
        remedy = "Designate goes on trying; see its worker's log and the name servers."
        yield from _notes(record, "RecordInError", cause, remedy)


def _foreign(record: Record, found: RecordSet, zone: Zone, setting: Setting) -> _Judged:
    holding = _claim_of(found) if found.type == _TXT else zone.holding(found.name, found.type)
    if bereft := zone.bereft(found):
        cause = f"{record.name} is not free: {bereft}"
        again = "it is made again" if found.type == record.type else "what is wanted is made"
        remedy = f"Delete that record set, and {again}: openstack recordset delete {zone.name} {found.id}"
        return _Judged(record, notes=_notes(record, "NameTaken", cause, remedy), holds=False)
    if holding is None:
        whose = "was made by somebody else"
    elif holding.claim.owner != setting.owner:
        whose = f"belongs to owner {holding.claim.owner!r}"
    elif zone.ours(found) or found.type == _TXT:
        whose = f"belongs to {holding.claim.resource}"
    else:
        whose = "was made by somebody else"
    cause = f"{record.name} is not free: {found.type} {found.name} {whose}"
    remedy = "Choose another name, or delete that record set; it is never changed from here."
    return _Judged(record, notes=_notes(record, "NameTaken", cause, remedy), holds=False)


def _notes(record: Record, reason: str, cause: str, remedy: str) -> tuple[Note, ...]:
    return tuple(Note(each, reason, cause, remedy, record.name) for each in record.sources)
