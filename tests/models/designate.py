"""Designate in memory: the rules of one project's zones that a plan depends on.

``tests/contract/test_designate_model.py`` holds this to the real one.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from causeway.cloud import errors
from causeway.cloud.designate import FloatingIp, NewRecordSet, RecordSet, Zone

_TTL = 3600  # seconds, of the zone that reverse records are put into


@dataclass
class ModelDesignate:
    """Zones with their record sets; ``settle`` lets what is PENDING come to its end."""

    zones: dict[str, Zone] = field(default_factory=dict)
    sets: dict[str, dict[str, RecordSet]] = field(default_factory=dict)
    floating: dict[str, str] = field(default_factory=dict)  # addresses by id
    reverse: dict[str, tuple[str, FloatingIp]] = field(default_factory=dict)  # who wrote what, by address
    calls: list[str] = field(default_factory=list)
    fail: dict[str, errors.CloudError] = field(default_factory=dict)  # by the beginning of a call
    at_once: bool = True  # nothing stays PENDING
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)

    def zone(self, name: str) -> Zone:
        """Make a zone."""
        made = Zone(f"zone-{next(self._ids)}", name)
        self.zones[made.id] = made
        self.sets[made.id] = {}
        soa = RecordSet(f"set-{next(self._ids)}", name, "SOA", ("ns1.test. admin.test. 1 2 3 4 5",))
        self.sets[made.id][soa.id] = soa
        return made

    def put(self, zone_id: str, name: str, kind: str, *records: str, description: str = "") -> RecordSet:
        """Make a record set as somebody else does."""
        made = RecordSet(f"set-{next(self._ids)}", name, kind, records, description=description or None)
        self.sets[zone_id][made.id] = made
        return made

    def answers(self, zone_id: str) -> dict[tuple[str, str], tuple[str, ...]]:
        """Return the records by name and type, without what is being deleted and the SOA."""
        return {
            (each.name, each.type): each.records
            for each in self.sets[zone_id].values()
            if not each.leaving and each.type != "SOA"
        }

    def settle(self) -> None:
        """Let the name servers take everything."""
        for sets in self.sets.values():
            for each in [*sets.values()]:
                if each.leaving:
                    del sets[each.id]
                elif each.status == "PENDING":
                    sets[each.id] = msgspec.structs.replace(each, status="ACTIVE", action="NONE")

    async def find_zone(self, name: str) -> Zone | None:
        self._called(f"find {name}")
        return next((each for each in self.zones.values() if each.name == name), None)

    async def list_record_sets(self, zone_id: str) -> list[RecordSet]:
        self._called("list")
        if zone_id not in self.sets:
            raise errors.NotFound("dns", "Could not find Zone")
        return [*self.sets[zone_id].values()]

    async def create_record_set(self, zone_id: str, new: NewRecordSet) -> RecordSet:
        self._called(f"create {new.type} {new.name}")
        sets = self.sets[zone_id]
        beside = [each for each in sets.values() if each.name == new.name]
        if any(each.type == new.type for each in beside):
            raise errors.Conflict("dns", "Duplicate RecordSet")
        if any("CNAME" in (each.type, new.type) for each in beside):
            raise errors.BadRequest("dns", "CNAME recordsets may not share a name with any other records")
        made = RecordSet(
            f"set-{next(self._ids)}",
            *(new.name, new.type, new.records, new.ttl, new.description, "PENDING", "CREATE"),
        )
        sets[made.id] = made
        return self._settled(made)

    async def update_record_set(
        self, zone_id: str, identifier: str, records: Sequence[str], ttl: int | None, description: str
    ) -> RecordSet:
        sets = self.sets[zone_id]
        self._called(f"update {sets[identifier].type} {sets[identifier].name}" if identifier in sets else "")
        if identifier not in sets:
            raise errors.NotFound("dns", "Could not find RecordSet")
        changed = msgspec.structs.replace(
            sets[identifier],
            records=tuple(records),
            ttl=ttl,
            description=description,
            status="PENDING",
            action="UPDATE",
        )
        sets[identifier] = changed
        return self._settled(changed)

    async def delete_record_set(self, zone_id: str, identifier: str) -> None:
        sets = self.sets[zone_id]
        if identifier not in sets:
            return
        self._called(f"delete {sets[identifier].type} {sets[identifier].name}")
        sets[identifier] = msgspec.structs.replace(sets[identifier], status="PENDING", action="DELETE")
        if self.at_once:
            del sets[identifier]

    async def list_floating_ips(self) -> list[FloatingIp]:
        self._called("list floating")
        bare = ((address, FloatingIp(key, address)) for key, address in self.floating.items())
        return [
            msgspec.structs.replace(self.reverse[address][1], id=each.id) if address in self.reverse else each
            for address, each in bare
        ]

    async def set_reverse(self, identifier: str, name: str, ttl: int | None, description: str) -> None:
        self._called(f"reverse {identifier} {name}")
        if identifier not in self.floating:
            raise errors.NotFound("dns", "FloatingIP is not associated for project")
        address = self.floating[identifier]
        self.reverse[address] = (identifier, FloatingIp(identifier, address, name, ttl or _TTL, description))

    async def unset_reverse(self, identifier: str) -> None:
        self._called(f"reverse {identifier}")
        written = [address for address, (writer, _) in self.reverse.items() if writer == identifier]
        if not written:
            raise errors.NotFound("dns", "No such FloatingIP")
        for address in written:
            del self.reverse[address]

    def _settled(self, changed: RecordSet) -> RecordSet:
        if self.at_once:
            self.settle()
        return changed

    def _called(self, call: str) -> None:
        for beginning, error in self.fail.items():
            if call.startswith(beginning):
                raise error
        self.calls.append(call)

    @property
    def writes(self) -> list[str]:
        """Return the calls that changed something."""
        return [each for each in self.calls if not each.startswith(("find", "list"))]
