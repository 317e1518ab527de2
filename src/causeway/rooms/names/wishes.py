"""What all kinds of objects have in common that want names. Pure."""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_address

from causeway.kube.objects import Meta
from causeway.rooms.names.annotations import Annotations, record_type
from causeway.rooms.names.model import Note, Setting, Source, Wish


def source_from(kind: str, meta: Meta) -> Source:
    """Return an object as a source of wishes."""
    return Source(kind, meta.namespace, meta.name, meta.uid, meta.creation_timestamp or "")


def unread(who: Source, said: Annotations, at: str = "") -> Iterator[Note]:
    """Yield what of its annotations cannot be read, or of those ``at`` another object it goes by."""
    for each in said.errors:
        cause = f"{each}, at {at}" if at else each
        remedy = f"Correct the annotation{f' of {at}' if at else ''}; the rest of it is followed."
        yield Note(who, "BadAnnotation", cause, remedy)


def wishes(
    names: Iterable[str], targets: Iterable[str], who: Source, ttl: int | None, first: int = 0
) -> Iterator[Wish | Note]:
    """Yield the records by which names lead to targets; ``first`` is the place of the first name.

    A name that leads to itself leads nowhere, and is told instead.
    """
    by_type: dict[str, set[str]] = {}
    for target in targets:
        kind = record_type(target)
        by_type.setdefault(kind, set()).add(target if kind == "CNAME" else str(ip_address(target)))
    for order, name in enumerate(names, first):
        for kind, found in sorted(by_type.items()):
            if found == {name}:
                cause, remedy = f"{name} is to lead to itself", "Give another target, or none."
                yield Note(who, "BadAnnotation", cause, remedy, name)
            else:
                yield Wish(name, kind, tuple(sorted(found)), who, ttl, order)


def by_wildcard(
    hosts: Iterable[str], places: Collection[str], setting: Setting, who: Source
) -> Iterator[Wish]:
    """Yield that hosts are their source's: the platform's own wildcard leads them to where it is served."""
    for host in hosts:
        if host not in setting.fixed and any(_answered(host, each, setting) for each in places):
            yield Wish(host, "", (), who)


def places_of(name: str, places: Iterable[str], setting: Setting) -> list[str]:
    """Return to which of the places of its application a name has to lead by a record of its own.

    One that the platform's own wildcard leads there already needs none.
    """
    return [each for each in places if each != name and not _answered(name, each, setting)]


def _answered(name: str, place: str, setting: Setting) -> bool:
    """Return whether the platform's own wildcard leads a name to a place: an address, or a router's name."""
    wildcard = f"*.{name.partition('.')[2]}"
    return wildcard in setting.fixed and (
        place == setting.fixed[wildcard] or wildcard == f"*.{place.partition('.')[2]}"
    )
