"""The names addresses answer with: PTR records of floating IPs. Pure.

A floating IP that a name leads to answers that name. One that has a name already which is not from us, by its
description, keeps it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from causeway.cloud.designate import FloatingIp
from causeway.rooms.names.model import RANKS, Record, Setting


@dataclass(frozen=True)
class SetReverse:
    """Let the address of a floating IP answer a name."""

    id: str
    address: str
    name: str
    ttl: int | None

    def __str__(self) -> str:
        return f"let {self.address} answer {self.name}"


@dataclass(frozen=True)
class UnsetReverse:
    """Take the name of a floating IP's address away."""

    id: str
    address: str

    def __str__(self) -> str:
        return f"let {self.address} answer no name"


Turn = SetReverse | UnsetReverse


def plan_reverse(records: Iterable[Record], floating: Iterable[FloatingIp], setting: Setting) -> list[Turn]:
    """Return what is to be done for the floating IPs of the project; a name we gave stays while it leads."""
    by_address: dict[str, list[Record]] = {}
    for record in records:
        for target in record.targets if record.type in ("A", "AAAA") else ():
            if not record.name.startswith("*"):
                by_address.setdefault(target, []).append(record)
    steps: list[Turn] = []
    for each in floating:
        leading = by_address.get(each.address, [])
        ours = each.description == setting.mark
        if each.ptrdname and not ours:
            continue
        if not leading:
            if each.ptrdname:
                steps.append(UnsetReverse(each.id, each.address))
            continue
        chosen = min(leading, key=lambda record: (record.name != each.ptrdname, *_preference(record)))
        if (each.ptrdname, each.ttl) != (chosen.name, chosen.ttl):
            steps.append(SetReverse(each.id, each.address, chosen.name, chosen.ttl))
    return steps


def _preference(record: Record) -> tuple[int, int, str]:
    return min(RANKS[source.kind] for source in record.sources), record.order, record.name
