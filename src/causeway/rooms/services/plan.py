"""What is left to do for one Service. Pure.

``plan`` names every remaining step that can be known now; ``possible`` picks those that can be done now.
Octavia refuses a second change while it works on the first, so at most one change per load balancer is
possible at a time; the rest waits until the load balancer has settled and the plan is made anew.
"""

from collections.abc import Iterable, Iterator, Sequence

from causeway.cloud import octavia_providers
from causeway.rooms.services.annotations import telling
from causeway.rooms.services.children import children, leave
from causeway.rooms.services.model import SERVED, Desired, Note, Role, Wanted
from causeway.rooms.services.outside import hindrance, outside, release
from causeway.rooms.services.present import Actual, Balancer, Verdict
from causeway.rooms.services.sharing import conflicts
from causeway.rooms.services.steps import (
    CreateBalancer,
    DeleteBalancer,
    ShareBalancer,
    Step,
    WriteMeta,
    WriteStatus,
)


def plan(desired: Desired, actual: Actual) -> list[Step]:
    """Return the steps from ``actual`` to ``desired``, in order; [] when there is nothing left to do."""
    if not desired.balancers:
        return _dismantle(desired, actual)
    steps: list[Step] = []
    if not actual.finalizer:
        steps.append(WriteMeta(finalizer=True, annotations=actual.written))
    chosen = {wanted.role: choose(wanted, desired, actual) for wanted in desired.balancers}
    kept = {balancer.id for balancer in chosen.values() if balancer is not None}
    for balancer in actual.balancers:
        if balancer.id not in kept and balancer.holds(desired.uid):
            steps += _leave(desired, balancer)
    for wanted in desired.balancers:
        found = chosen[wanted.role]
        if found is None:
            if not (wanted.sharing and wanted.sharing.id):
                steps.append(CreateBalancer(desired.subject, wanted))
            continue
        if found.ours and desired.uid not in found.owners:
            steps.append(ShareBalancer(found.id, desired.uid, joins=True))
        steps += children(desired, wanted, found)
    front = chosen.get(Role.OUTSIDE) or (None if desired.balancer(Role.OUTSIDE) else chosen.get(Role.INSIDE))
    steps += outside(desired, actual, front)
    if steps or any(one is not None and one.busy for one in chosen.values()):
        return steps
    return _tell(desired, actual, chosen, front)


def possible(steps: Sequence[Step], actual: Actual) -> list[Step]:
    """Return the steps of a plan that can be done now, in order."""
    busy = {balancer.id for balancer in actual.balancers if balancer.busy}
    going = {step.balancer for step in steps if isinstance(step, DeleteBalancer)}
    standing = [one for one in actual.balancers if one.id in going]
    chosen: list[Step] = []
    for step in steps:
        if step.balancer in busy:
            continue
        if isinstance(step, CreateBalancer) and any(one.role == step.role for one in standing):
            continue  # the address is free only once the old one is really gone
        if isinstance(step, WriteMeta) and not step.finalizer and (len(steps) > 1 or busy):
            continue  # the Service may go only once nothing of it is left, and that is known
        chosen.append(step)
        if step.changes and step.balancer is not None:
            busy.add(step.balancer)
    return chosen


def choose(wanted: Wanted, desired: Desired, actual: Actual) -> Balancer | None:
    """Return the load balancer to keep: one that fits, and of several the one made first."""
    fitting = [one for one in actual.balancers if not why_not(wanted, desired, one)]
    return min(fitting, key=lambda one: (one.created_at, one.id), default=None)


def why_not(wanted: Wanted, desired: Desired, balancer: Balancer) -> str:
    """Return why a load balancer is not what is wanted, or "" if it is."""
    return next(_objections(wanted, desired, balancer), "")


def _objections(wanted: Wanted, desired: Desired, balancer: Balancer) -> Iterator[str]:
    sharing = wanted.sharing
    if sharing and sharing.id:
        if balancer.id != sharing.id:
            yield "the Service is to share another one"
        elif balancer.alien:
            yield "it belongs to another platform"
        elif balancer.role != Role.OUTSIDE:
            yield "it is at a ClusterIP"
        return
    if not balancer.ours or balancer.role != wanted.role:
        yield "the Service asks for no such one"
    if balancer.broken:
        yield "it is in ERROR"
    name = sharing.name if sharing else ""
    if balancer.share != name or (not name and desired.uid not in balancer.owners):
        yield "the Service is to share another one"
    if name:
        return  # whoever came first has said where it is and what it can do
    for is_wanted, is_there in (
        (wanted.vip.address, balancer.vip.address),
        (wanted.vip.port_id, balancer.vip.port_id),
        (wanted.vip.subnet_id, balancer.vip.subnet_id),
        (wanted.vip.network_id, balancer.vip.network_id),
    ):
        if is_wanted and is_wanted != is_there:
            yield f"it is not at {is_wanted}"
    if not _same_provider(wanted.provider, balancer.provider):
        yield f"it is of provider {balancer.provider}"
    if (wanted.flavor, wanted.zone) != (balancer.flavor, balancer.zone):
        yield "its flavor or availability zone is another"


def hindrances(desired: Desired, actual: Actual) -> list[Note]:
    """Return what the cloud's state, not the Service itself, stands against."""
    notes: list[Note] = []
    for wanted in desired.balancers:
        notes += conflicts(desired, wanted, actual, choose(wanted, desired, actual))
    note = hindrance(desired, actual)
    return [*notes, *([note] if note else [])]


def served(desired: Desired, notes: Iterable[Note] = ()) -> Verdict:
    """Return the verdict on a Service that is served, with what it asked for in vain."""
    told = sorted([*notes, *desired.notes], key=lambda note: not note.closes)
    if not told:
        return Verdict(True, SERVED, "The load balancer has all that the Service asks for.")
    ready = bool(desired.balancers) and not any(note.closes for note in told)
    return Verdict(ready, told[0].reason, " ".join(f"{note.cause}. {note.remedy}" for note in told))


def _leave(desired: Desired, balancer: Balancer) -> list[Step]:
    """Return the steps by which a Service leaves a load balancer that is not what it wants."""
    if balancer.ours and not balancer.owners - {desired.uid}:
        why = next(
            (
                why_not(wanted, desired, balancer) or "an older one serves the Service"
                for wanted in desired.balancers
                if wanted.role == balancer.role
            ),
            "the Service asks for no such one",
        )
        repair = balancer.broken and desired.balancer(balancer.role) is not None
        return [DeleteBalancer(balancer.id, why, repair=repair)]
    steps = leave(desired.uid, balancer)
    if balancer.ours and not steps and desired.uid in balancer.owners:
        steps.append(ShareBalancer(balancer.id, desired.uid, joins=False))
    return steps


def _dismantle(desired: Desired, actual: Actual) -> list[Step]:
    steps: list[Step] = []
    verdict = served(desired) if desired.notes else None
    if (actual.ingress and not desired.foreign) or verdict != actual.verdict:
        steps.append(WriteStatus(None if desired.foreign else (), verdict))
    steps += release(desired, actual)
    for balancer in actual.balancers:
        if balancer.holds(desired.uid):
            steps += _leave(desired, balancer)
    if actual.finalizer or actual.written:
        steps.append(WriteMeta(finalizer=False, stale=frozenset(actual.written), had=True))
    return steps


def _tell(
    desired: Desired, actual: Actual, chosen: dict[Role, Balancer | None], front: Balancer | None
) -> list[Step]:
    """Return the steps that tell the user what is reached, when everything else is."""
    hindered = hindrances(desired, actual)
    named = any(wanted.sharing and wanted.sharing.id for wanted in desired.balancers)
    reached = () if any(one.closes for one in hindered) else _reached(desired, actual, chosen, front)
    steps: list[Step] = []
    told = telling(reached[0], "" if named else front.id) if reached and front else {}
    if told != actual.written:
        stale = frozenset(actual.written.keys() - told.keys())
        steps.append(WriteMeta(finalizer=True, annotations=told, stale=stale, had=True))
    ingress = (desired.hostname,) if desired.hostname and reached else reached
    verdict = served(desired, hindered)
    if desired.foreign:
        return [*steps, *([WriteStatus(None, verdict)] if actual.verdict != verdict else [])]
    if (actual.ingress, actual.verdict) != (ingress, verdict):
        steps.append(WriteStatus(ingress, verdict))
    return steps


def _reached(
    desired: Desired, actual: Actual, chosen: dict[Role, Balancer | None], front: Balancer | None
) -> tuple[str, ...]:
    """Return the addresses a Service answers at from outside."""
    if not desired.addressed or front is None:
        return ()
    floating = [one.ip for one in (*actual.addresses, *actual.others) if one.port_id == front.vip.port_id]
    through = desired.floating is not None and ":" not in front.vip.address
    found = floating[:1] if through else [front.vip.address]
    second = chosen.get(Role.SECOND)
    if second is not None and front.role == Role.INSIDE:
        found.append(second.vip.address)
    return tuple(found)


def _same_provider(one: str, other: str) -> bool:
    known, there = octavia_providers.known(one), octavia_providers.known(other)
    return one == other or (known is not None and known == there)
