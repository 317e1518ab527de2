"""Several who want one name: who gets it, and what those are told who do not. Pure.

The platform's own names and its nodes' are theirs. Else who has a name keeps it, and a free one goes to who
asked first. What is in one namespace shares a name, as with external-dns (routes and Ingresses of different
paths have the same host); of two namespaces one gets it alone, so that nobody can put himself beside, or in
the place of, somebody else's application. Whoever a wildcard answers for has his name by that, as long as no
record has it. If a wildcard answers for hosts of several namespaces, nothing here tells which of them is
served: then nobody gets a record.
"""

from collections.abc import Callable, Iterable

from causeway.rooms.names.model import RANKS, Note, Record, Source, Wish

Holders = Callable[[str, Iterable[Wish]], frozenset[str]]


def together(wishes: Iterable[Wish], holders: Holders) -> tuple[list[Record], list[Note]]:
    """Return the records of all wishes; ``holders`` are those resources that have a name now."""
    by_name: dict[str, list[Wish]] = {}
    for wish in wishes:
        by_name.setdefault(wish.name, []).append(wish)
    records: list[Record] = []
    notes: list[Note] = []
    for name, wanted in by_name.items():
        holding = holders(name, wanted) & {each.source.resource for each in wanted}
        answered = {each.source for each in wanted if not each.targets}
        having = holding or frozenset(each.resource for each in answered)
        first = min((each.source for each in wanted), key=lambda each: _precedence(each, having))
        granted = [each for each in wanted if _side(each.source) == _side(first)]
        several = len({_side(each) for each in answered}) > 1
        disputed = several and not holding and first.resource in having
        written = [each for each in granted if each.targets and not disputed]
        # Those a wildcard answers for lose nothing before somebody has a record there.
        losing = [each for each in wanted if (disputed or each not in granted) and (each.targets or written)]
        cause, remedy = _disputed(name, answered) if disputed else _taken(name, first)
        notes += [Note(each, "NameTaken", cause, remedy) for each in sorted({one.source for one in losing})]
        types, told = _compatible(name, written)
        notes += told
        records += [_merged(name, each, first) for each in types]
    return records, notes


def _taken(name: str, first: Source) -> tuple[str, str]:
    return f"{name} belongs to {first.resource}", "Choose another name, or take it from there."


def _disputed(name: str, answered: Iterable[Source]) -> tuple[str, str]:
    """Return why nobody gets a name: which of several hosts of an Ingress is served, nothing says."""
    several = ", ".join(sorted(each.resource for each in answered))
    cause = f"{name} is a host of several namespaces, and the router's wildcard answers it: {several}"
    return cause, "Choose another name, or take the host from all but one namespace."


def _precedence(source: Source, holding: frozenset[str]) -> tuple[int, bool, str, str, str]:
    # Of two of one moment the router, too, takes the one whose UID comes first.
    return RANKS[source.kind], source.resource not in holding, source.created, source.uid, source.resource


def _side(source: Source) -> tuple[str, str]:
    """Return what sources have in common that share a name."""
    return ("", source.namespace) if source.namespace else (source.kind, source.name)


def _compatible(name: str, granted: list[Wish]) -> tuple[list[list[Wish]], list[Note]]:
    """Return the wishes by type, without what cannot be beside the rest: a CNAME is alone."""
    by_type: dict[str, list[Wish]] = {}
    for wish in granted:
        by_type.setdefault(wish.type, []).append(wish)
    aliases = by_type.get("CNAME", [])
    targets = {target for each in aliases for target in each.targets}
    reason = ""
    if len(by_type) > 1 and aliases:
        del by_type["CNAME"]
        reason = f"{name} has addresses, so it cannot also stand for {', '.join(sorted(targets))}"
    elif len(targets) > 1:
        reason = f"{name} can stand for one name only, {min(targets)}, not for {', '.join(sorted(targets))}"
    remedy = "Give targets of one kind, and one if it is a name."
    notes = [Note(each.source, "TargetLeftOut", reason, remedy) for each in aliases if reason]
    return [by_type[kind] for kind in sorted(by_type)], notes


def _merged(name: str, wishes: list[Wish], first: Source) -> Record:
    targets = sorted({target for each in wishes for target in each.targets})
    sources = tuple(sorted({each.source for each in wishes}))
    holder = first if first in sources else sources[0]
    return Record(
        name,
        wishes[0].type,
        tuple(targets[:1] if wishes[0].type == "CNAME" else targets),
        min((each.ttl for each in wishes if each.ttl is not None), default=None),
        holder.resource,
        sources,
        min(each.order for each in wishes),
    )
