"""The steps for what hangs below a load balancer: listeners, pools, members, monitors. Pure."""

from causeway.cloud import octavia_providers
from causeway.rooms.services.model import Desired, Front, ListenerOptions, Serving, Wanted
from causeway.rooms.services.present import Balancer, Listener, Pool
from causeway.rooms.services.steps import (
    CreateListener,
    CreateMonitor,
    CreatePool,
    DeleteListener,
    DeleteMonitor,
    DeletePool,
    PutMembers,
    Step,
    UpdateListener,
    UpdateMonitor,
    UpdatePool,
)


def children(desired: Desired, wanted: Wanted, balancer: Balancer) -> list[Step]:
    """Return the steps for what hangs below a load balancer the Service keeps.

    Where the provider does not update, a pool or monitor whose options are to change is replaced: Octavia
    writes PENDING_UPDATE after it has told the provider, so that a quick provider's answer is lost and the
    pool stays PENDING for ever, and the OVN provider ignores it when affinity is taken away.
    """
    if balancer.busy or balancer.broken:  # a broken one of ours is not kept, a person's is his to repair
        return []
    alone = balancer.ours and balancer.owners <= {desired.uid}
    steps: list[Step] = [DeletePool(balancer.id, pool) for pool in balancer.stray_pools if alone]
    present: dict[Front, tuple[Listener, Pool | None]] = {}
    others: set[Front] = set()
    for listener in balancer.listeners:
        if listener.uid != desired.uid and not (alone and not listener.uid):
            others.add(listener.front)
            continue
        serving = wanted.fronts.get(listener.front)
        other = serving is not None and listener.options.protocol != serving.listener.protocol
        if serving is None or other or listener.front in present:
            steps += _remove(balancer, listener)
            continue
        repairs, pool = _repairs(balancer, listener, serving)
        steps += repairs
        if not listener.broken:
            present[listener.front] = listener, pool
    for front, serving in wanted.fronts.items():
        if front in others:
            continue  # another Service or a person has it: told by ``sharing.conflicts``
        if front not in present:
            steps.append(CreateListener(balancer.id, desired.subject, front, serving.listener))
            continue
        listener, pool = present[front]
        if not same(serving.listener, listener.options):
            steps.append(UpdateListener(balancer.id, listener.id, front, serving.listener))
        if pool is None:
            steps.append(CreatePool(balancer.id, desired.subject, listener.id, front, serving.pool))
        else:
            steps += _below(desired, balancer, front, serving, pool)
    return steps


def _repairs(balancer: Balancer, listener: Listener, serving: Serving) -> tuple[list[Step], Pool | None]:
    """Return the steps that take away what is broken or cannot be changed, and the pool that stays."""
    steps: list[Step] = []
    pool = listener.pool
    damaged = listener.broken or (pool is not None and pool.broken)
    if pool is not None and (damaged or _replaced(serving, pool, balancer)):
        steps.append(DeletePool(balancer.id, pool.id, repair=damaged))
        pool = None
    if listener.broken:
        steps.append(DeleteListener(balancer.id, listener.id, repair=True))
    return steps, pool


def _remove(balancer: Balancer, listener: Listener) -> list[Step]:
    below: list[Step] = [DeletePool(balancer.id, listener.pool.id)] if listener.pool else []
    return [*below, DeleteListener(balancer.id, listener.id)]


def leave(uid: str, balancer: Balancer) -> list[Step]:
    """Return the steps that remove what one Service has on a load balancer that stays."""
    return [step for one in balancer.listeners if one.uid == uid for step in _remove(balancer, one)]


def _below(desired: Desired, balancer: Balancer, front: Front, serving: Serving, pool: Pool) -> list[Step]:
    """Return the steps for a pool that stays."""
    steps: list[Step] = []
    if pool.options != serving.pool:
        steps.append(UpdatePool(balancer.id, pool.id, front, serving.pool))
    if pool.members != serving.members:
        different = len(pool.members ^ serving.members)
        steps.append(PutMembers(balancer.id, pool.id, front, serving, different))
    if serving.monitor == pool.monitor:
        return steps
    if serving.monitor and pool.monitor and updates(balancer) and serving.monitor.type == pool.monitor.type:
        steps.append(UpdateMonitor(balancer.id, pool.monitor_id, front, serving.monitor))
    elif pool.monitor:
        steps.append(DeleteMonitor(balancer.id, pool.monitor_id))
    elif serving.monitor:
        steps.append(CreateMonitor(balancer.id, pool.id, desired.subject, front, serving.monitor))
    return steps


def updates(balancer: Balancer) -> bool:
    """Return whether pools and monitors of this load balancer may be changed; else they are made anew."""
    known = octavia_providers.known(balancer.provider)
    return known is not None and known.updates


def same(wanted: ListenerOptions, there: ListenerOptions) -> bool:
    """Return whether a listener has the wanted options, as far as its provider knows them."""
    return (
        (wanted.connection_limit is None or wanted.connection_limit == there.connection_limit)
        and (wanted.limits is None or wanted.limits == there.limits)
        and (wanted.allowed_cidrs is None or wanted.allowed_cidrs == there.allowed_cidrs)
        and (wanted.forwarded_for, wanted.tls) == (there.forwarded_for, there.tls)
    )


def _replaced(serving: Serving, pool: Pool, balancer: Balancer) -> bool:
    if not updates(balancer):
        return pool.options != serving.pool
    fixed = (pool.options.protocol, pool.options.subnet_id)
    return fixed != (serving.pool.protocol, serving.pool.subnet_id)
