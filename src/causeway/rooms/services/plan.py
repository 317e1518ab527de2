"""What is left to do for one Service. Pure.

``plan`` names every remaining step that can be known now; ``possible`` picks those that can be done now.
Octavia refuses a second change while it works on the first, so at most one change per load balancer is
possible at a time; the rest waits until the load balancer has settled and the plan is made anew.
"""

from collections.abc import Iterable

from causeway.rooms.services.model import (
    Actual,
    Address,
    Balancer,
    Desired,
    Front,
    Listener,
    Pool,
    Verdict,
)
from causeway.rooms.services.steps import (
    AddFinalizer,
    AssociateAddress,
    CreateBalancer,
    CreateListener,
    CreatePool,
    DeleteBalancer,
    DeleteListener,
    DeletePool,
    PutMembers,
    ReleaseAddress,
    RemoveFinalizer,
    Step,
    TagAddress,
    TakeAddress,
    WriteStatus,
)


def plan(desired: Desired, actual: Actual) -> list[Step]:
    """Return the steps from ``actual`` to ``desired``, in order; [] when there is nothing left to do."""
    if desired.vip is None:
        return _dismantle(actual)
    steps: list[Step] = [] if actual.finalizer else [AddFinalizer()]
    chosen = _chosen(desired, actual)
    steps += [
        DeleteBalancer(balancer.id, _why(desired, balancer), repair=balancer.broken)
        for balancer in actual.balancers
        if balancer is not chosen
    ]
    if chosen is None:
        steps.append(CreateBalancer(desired))
    else:
        steps += _children(desired, chosen)
    steps += _outside(desired, actual, chosen)
    if steps or chosen is None or chosen.busy:
        return steps
    return _status(desired, actual)


def possible(steps: Iterable[Step], actual: Actual) -> list[Step]:
    """Return the steps of a plan that can be done now, in order."""
    busy = {balancer.id for balancer in actual.balancers if balancer.busy}
    standing = bool(actual.balancers)
    chosen: list[Step] = []
    for step in steps:
        if step.balancer in busy:
            continue
        if isinstance(step, RemoveFinalizer | CreateBalancer) and standing:
            continue  # the address is free, and the Service may go, only once the old one is really gone
        chosen.append(step)
        if step.changes and step.balancer is not None:
            busy.add(step.balancer)
    return chosen


def _dismantle(actual: Actual) -> list[Step]:
    steps: list[Step] = []
    if actual.ingress or actual.verdict:
        steps.append(WriteStatus((), None))
    steps += [ReleaseAddress(address.id) for address in actual.addresses]
    steps += [DeleteBalancer(balancer.id, "the Service asks for none") for balancer in actual.balancers]
    return [*steps, RemoveFinalizer()] if actual.finalizer else steps


def _chosen(desired: Desired, actual: Actual) -> Balancer | None:
    """Return the load balancer to keep: at the right address, and of several the one made first."""
    fitting = [one for one in actual.balancers if one.vip == desired.vip and not one.broken]
    return min(fitting, key=lambda one: (one.created_at, one.id), default=None)


def _why(desired: Desired, balancer: Balancer) -> str:
    if balancer.broken:
        return "it is in ERROR"
    if balancer.vip != desired.vip:
        return f"its address is not {desired.vip}"
    return "an older one serves the Service"


def _children(desired: Desired, balancer: Balancer) -> list[Step]:
    """Return the steps for what hangs below a load balancer.

    A pool whose client affinity is to change is replaced, not updated: Octavia writes PENDING_UPDATE after it
    has told the provider, so that a quick provider's answer is lost and the pool stays PENDING for ever, and
    the OVN provider ignores it when affinity is taken away.
    """
    steps: list[Step] = [DeletePool(balancer.id, pool) for pool in balancer.stray_pools]
    present: dict[Front, tuple[Listener, Pool | None]] = {}
    for listener in balancer.listeners:
        front, pool = listener.front, listener.pool
        if front is None or front not in desired.listeners or front in present:
            steps += [DeletePool(balancer.id, pool.id)] if pool else []
            steps.append(DeleteListener(balancer.id, listener.id))
            continue
        damaged = listener.broken or (pool is not None and pool.broken)
        if pool is not None and (damaged or pool.backend.sticky != desired.listeners[front].sticky):
            steps.append(DeletePool(balancer.id, pool.id, repair=damaged))
            pool = None
        if listener.broken:
            steps.append(DeleteListener(balancer.id, listener.id, repair=True))
        else:
            present[front] = listener, pool
    for front, backend in desired.listeners.items():
        if front not in present:
            steps.append(CreateListener(balancer.id, desired.service, front))
            continue
        listener, pool = present[front]
        if pool is None:
            steps.append(CreatePool(balancer.id, desired.service, listener.id, front, backend))
            continue
        if pool.backend.members != backend.members:
            steps.append(PutMembers(balancer.id, pool.id, front, backend))
    return steps


def _outside(desired: Desired, actual: Actual, balancer: Balancer | None) -> list[Step]:
    """Return the steps for the floating IP; it is associated only with a VIP that serves already."""
    if not desired.floating:
        return [ReleaseAddress(address.id) for address in actual.addresses]
    port = balancer.vip_port_id if balancer else None
    ordered = _ordered(actual, port)
    steps: list[Step] = [ReleaseAddress(address.id) for address in ordered[1:]]
    if balancer is None or port is None:
        return steps
    if not ordered:
        return [*steps, TakeAddress(balancer.id, port, desired.uid)]
    address = ordered[0]
    if not address.tagged:
        steps.append(TagAddress(address.id, desired.uid))
    if address.port_id != port:
        steps.append(AssociateAddress(balancer.id, address.id, port))
    return steps


def _ordered(actual: Actual, port: str | None) -> list[Address]:
    """Return the floating IPs, the one to keep first."""
    return sorted(actual.addresses, key=lambda one: (one.port_id != port, one.id))


def _status(desired: Desired, actual: Actual) -> list[Step]:
    """Return the step that tells the user what is reached when everything else is."""
    ingress = tuple(address.ip for address in actual.addresses) if desired.floating else ()
    verdict = served(desired)
    if (actual.ingress, actual.verdict) == (ingress, verdict):
        return []
    return [WriteStatus(ingress, verdict)]


def served(desired: Desired) -> Verdict:
    """Return the verdict on a Service that is served, with what it asked for in vain."""
    if not desired.notes:
        return Verdict(True, "Served", "The load balancer has all that the Service asks for.")
    message = " ".join(f"{note.cause}. {note.remedy}" for note in desired.notes)
    return Verdict(True, desired.notes[0].reason, message)
