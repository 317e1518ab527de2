"""What there is for one Service: the snapshot's load balancers and addresses in the room's own words."""

from collections.abc import Iterable

from causeway.cloud.octavia_objects import (
    ERROR,
    HealthMonitor,
    Listener,
    ListenerStatus,
    Pool,
    PoolStatus,
    StatusTree,
)
from causeway.cloud.ownership import owner_of, uids_in
from causeway.kube.objects import Service
from causeway.rooms.services import present, subnets
from causeway.rooms.services.annotations import written
from causeway.rooms.services.model import (
    CONDITION,
    FINALIZER,
    KIND,
    Desired,
    Front,
    ListenerOptions,
    Member,
    Monitor,
    PoolOptions,
    Role,
    TimeLimits,
    Vip,
)
from causeway.rooms.services.parts import Parts
from causeway.rooms.services.present import Actual, Balancer, Verdict
from causeway.rooms.services.seen import Seen
from causeway.rooms.services.snapshot import Snapshot

_TRANSPORT = {"UDP": "UDP", "SCTP": "SCTP"}
ROLE = "causeway-role="
SHARE = "causeway-share="
MEMBERS_OF = "causeway-members-of="
"""Tags that say what no field of Octavia does: a load balancer's role, the name it is shared by, and the
subnet a pool's members are reached from."""


async def actual(service: Service, wanted: Desired, snapshot: Snapshot, cluster: str) -> Actual:
    """Return what there is for ``service``, its own load balancers and those it is to share."""
    uid = service.metadata.uid
    seen = concerned(uid, snapshot)
    for balancer in wanted.balancers:
        if balancer.sharing and balancer.sharing.id:
            named = await snapshot.visit(balancer.sharing.id)
            seen |= {named.balancer.id: named} if named else {}
        elif balancer.sharing:
            seen |= {one.balancer.id: one for one in snapshot.shared(balancer.sharing.name)}
    for one in seen.values():
        snapshot.attend(one, uid)
    balancers = await assemble(seen.values(), snapshot, cluster)
    status, floating = service.status, wanted.floating
    addresses = snapshot.addresses
    others = {
        address.id: address
        for port in (None, *(one.vip.port_id for one in balancers if one.role == Role.OUTSIDE))
        for address in addresses.at(floating.address if floating else "", port, uid)
    }
    allowed = None
    if floating and floating.subnets and not floating.address:
        allowed = subnets.matching(await snapshot.subnets(floating.network_id), floating.subnets)
    return Actual(
        balancers,
        tuple(addresses.of(uid)),
        tuple(others.values()),
        allowed,
        FINALIZER in service.metadata.finalizers,
        tuple(one.hostname or one.ip for one in status.load_balancer.ingress if one.hostname or one.ip),
        {} if wanted.foreign else written(service.metadata.annotations),  # another controller writes its own
        next(
            (
                Verdict(condition.status == "True", condition.reason, condition.message)
                for condition in status.conditions
                if condition.type == CONDITION
            ),
            None,
        ),
    )


def concerned(uid: str, snapshot: Snapshot) -> dict[str, Seen]:
    """Return the load balancers that hold something of a Service, or lead to a floating IP of its."""
    seen = {one.balancer.id: one for one in snapshot.of(uid)}
    ports = {one.balancer.vip_port_id for one in seen.values()}
    for address in snapshot.addresses.of(uid):
        if address.port_id not in ports:  # it has left one that others share
            seen |= {one.balancer.id: one for one in snapshot.at_port(address.port_id)}
    return seen


async def assemble(seen: Iterable[Seen], snapshot: Snapshot, cluster: str) -> tuple[Balancer, ...]:
    """Return load balancers with all there is below them."""
    return tuple([_balancer(one, await snapshot.settled(one), snapshot.parts, cluster) for one in [*seen]])


def _balancer(seen: Seen, tree: StatusTree | None, parts: Parts, cluster: str) -> Balancer:
    """Return one load balancer; without a tree it is busy and only what lists tell is known."""
    one = seen.balancer
    owner = owner_of(one.tags)
    tags = [tag for tag in one.tags if tag.startswith((ROLE, SHARE))]
    role = next((tag[len(ROLE) :] for tag in tags if tag.startswith(ROLE)), Role.INSIDE.value)
    listeners = tree.listeners if tree else []
    attached = {pool.id for listener in listeners for pool in listener.pools}
    ours = owner is not None and (owner.cluster, owner.kind) == (cluster, KIND)
    return Balancer(
        one.id,
        Vip(one.vip_address or "", one.vip_subnet_id or "", one.vip_network_id or "", one.vip_port_id or ""),
        one.name,
        Role(role) if ours else Role.OUTSIDE,
        one.provider,
        one.flavor_id or "",
        one.availability_zone or "",
        next((tag[len(SHARE) :] for tag in tags if tag.startswith(SHARE)), ""),
        uids_in(one.tags, cluster, KIND),
        ours,
        owner is not None and not ours,
        busy=tree is None,
        broken=(tree or one).provisioning_status == ERROR,
        created_at=one.created_at or "",
        listeners=tuple(
            _listener(listener, parts, cluster) for listener in listeners if listener.id in parts.listeners
        ),
        stray_pools=tuple(pool.id for pool in one.pools if tree and seen.listed and pool.id not in attached),
    )


def _listener(status: ListenerStatus, parts: Parts, cluster: str) -> present.Listener:
    known = parts.listeners[status.id]
    pools = [pool for pool in status.pools if pool.id in parts.pools]
    return present.Listener(
        known.id,
        Front(_TRANSPORT.get(known.protocol, "TCP"), known.protocol_port),
        listener_options(known),
        next(iter(uids_in(known.tags, cluster, KIND)), ""),
        _pool(pools[0], parts) if pools else None,
        broken=status.provisioning_status == ERROR,
    )


def _pool(status: PoolStatus, parts: Parts) -> present.Pool:
    states = [status.provisioning_status, *(member.provisioning_status for member in status.members)]
    monitor = parts.monitors.get(status.health_monitor.id) if status.health_monitor else None
    if status.health_monitor:
        states.append(status.health_monitor.provisioning_status)
    return present.Pool(
        status.id,
        pool_options(parts.pools[status.id]),
        frozenset(Member(member.address, member.protocol_port) for member in status.members),
        monitor.id if monitor else "",
        monitor_of(monitor) if monitor else None,
        broken=ERROR in states,
    )


def listener_options(known: Listener) -> ListenerOptions:
    """Return the options of a listener as the cloud has them."""
    limits = (
        known.timeout_client_data,
        known.timeout_member_connect,
        known.timeout_member_data,
        known.timeout_tcp_inspect,
    )
    return ListenerOptions(
        known.protocol,
        known.connection_limit,
        TimeLimits(*(0 if each is None else each for each in limits)),
        frozenset(known.allowed_cidrs or ()),
        (known.insert_headers or {}).get("X-Forwarded-For") == "true",
        known.default_tls_container_ref or "",
    )


def pool_options(known: Pool) -> PoolOptions:
    """Return the options of a pool as the cloud has them."""
    affinity = known.session_persistence
    return PoolOptions(
        known.protocol,
        known.lb_algorithm,
        affinity is not None,
        (affinity.persistence_timeout or 0) if affinity else 0,
        next((tag[len(MEMBERS_OF) :] for tag in known.tags if tag.startswith(MEMBERS_OF)), ""),
    )


def monitor_of(known: HealthMonitor) -> Monitor:
    """Return a health monitor as the cloud has it."""
    return Monitor(known.type, known.delay, known.timeout, known.max_retries, known.max_retries_down)
