"""The names addresses answer with: PTR records of floating IPs. Pure.

A floating IP that a name leads to answers that name. One that has a name already which is not from us, by its
description, keeps it.
"""

from collections.abc import Iterable, Mapping, Sequence
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
    """Take the name of a floating IP's address away; ``name`` is what is listed, None for one released."""

    id: str
    address: str
    name: str | None = None

    def __str__(self) -> str:
        return f"let {self.address} answer no name"


Turn = SetReverse | UnsetReverse


def plan_reverse(
    records: Iterable[Record],
    floating: Sequence[FloatingIp],
    setting: Setting,
    released: Mapping[str, str],
) -> list[Turn]:
    """Return what is to be done for the floating IPs of the project; a name we gave stays while it leads.

    ``released`` are floating IPs that had a name from us and are listed no more: addresses by id.
    """
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
                steps.append(UnsetReverse(each.id, each.address, each.ptrdname))
            continue
        chosen = min(leading, key=lambda record: (record.name != each.ptrdname, *_preference(record)))
        # Without a time to live of its own it is listed with its zone's, which nobody asked for.
        if each.ptrdname != chosen.name or chosen.ttl not in (None, each.ttl):
            steps.append(SetReverse(each.id, each.address, chosen.name, chosen.ttl))
    # An address in use again has its name judged above, whichever floating IP it was given to. One that a
    # name leads to is not released: Designate lists none, or a part, where Neutron did not answer it.
    kept = {each.address for each in floating} | by_address.keys()
    return steps + [UnsetReverse(key, address) for key, address in released.items() if address not in kept]


def _preference(record: Record) -> tuple[int, int, str]:
    return min(RANKS[source.kind] for source in record.sources), record.order, record.name
