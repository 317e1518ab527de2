"""What the cloud has for Services: one poller lists it all, nobody asks per object.

``Snapshot`` holds every load balancer and floating IP that carries the cluster's tags. Octavia changes things
long after it has answered, so the snapshot is refreshed quickly while something is PENDING and slowly else; a
Service whose load balancer changed is woken. Only the tree below a settled load balancer is read one by one,
when its Service is worked on.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec
import structlog

from causeway.cloud import errors
from causeway.cloud.neutron import FloatingIP, Neutron
from causeway.cloud.octavia import ERROR, LoadBalancer, Octavia, PoolStatus, StatusTree
from causeway.cloud.ownership import Owner, of_cluster, owner_of
from causeway.kube.objects import Service
from causeway.rooms.services.model import (
    CONDITION,
    FINALIZER,
    KIND,
    Actual,
    Address,
    Backend,
    Balancer,
    Listener,
    Member,
    Pool,
    Verdict,
    front_in,
    sticky_in,
)

_log = structlog.get_logger(__name__)

SLOW = 30.0  # seconds between polls while nothing is PENDING
QUICK_FIRST, QUICK_LAST = 0.5, 2.0  # seconds between polls after a change, growing
STUCK_AFTER = 300.0  # seconds in PENDING after which the user is told


@dataclass
class _Seen:
    balancer: LoadBalancer
    touched: float = -1.0  # when we changed it last: an older listing knows nothing of that
    pending_since: float | None = None


class Snapshot:
    """The load balancers and floating IPs of one cluster's Services, by the uid of the Service.

    ``wake`` is called with the uid of every Service whose part of the cloud changed.
    """

    def __init__(
        self,
        octavia: Octavia,
        neutron: Neutron,
        cluster: str,
        wake: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._octavia = octavia
        self._neutron = neutron
        self._cluster = cluster
        self._wake = wake
        self._seen: dict[str, _Seen] = {}
        self._addresses: dict[str, FloatingIP] = {}
        self._touched_addresses: dict[str, float] = {}
        self._unsettled: set[str] = set()
        self._kick = asyncio.Event()
        self._quick = QUICK_FIRST
        self.ready = asyncio.Event()
        """Set after the first complete reading."""
        self.polls = 0

    # reading

    def balancers(self, uid: str) -> list[LoadBalancer]:
        """Return the load balancers of a Service."""
        return [seen.balancer for seen in self._seen.values() if _uid(seen.balancer.tags) == uid]

    def addresses(self, uid: str) -> list[FloatingIP]:
        """Return the floating IPs of a Service."""
        return [ip for ip in self._addresses.values() if ip.owner and ip.owner.uid == uid]

    def uids(self) -> set[str]:
        """Return the uids of all Services that have something in the cloud."""
        owners = [_uid(seen.balancer.tags) for seen in self._seen.values()]
        owners += [ip.owner.uid for ip in self._addresses.values() if ip.owner]
        return {uid for uid in owners if uid}

    def stuck(self, uid: str) -> float | None:
        """Return for how many seconds a load balancer of a Service is PENDING, if that is too long."""
        now = asyncio.get_running_loop().time()
        ages = [
            now - seen.pending_since
            for seen in self._seen.values()
            if seen.pending_since is not None and _uid(seen.balancer.tags) == uid
        ]
        oldest = max(ages, default=0.0)
        return oldest if oldest >= STUCK_AFTER else None

    # what our own writes tell

    def created(self, balancer: LoadBalancer) -> None:
        """Take in a load balancer that was just created."""
        self._seen[balancer.id] = _Seen(balancer, *self._touch())

    def changed(self, identifier: str) -> None:
        """Take in that a change of a load balancer has begun: it is busy until a poll says otherwise."""
        seen = self._seen.get(identifier)
        if seen is not None:
            seen.touched, since = self._touch()
            seen.pending_since = seen.pending_since if seen.pending_since is not None else since
            seen.balancer = msgspec.structs.replace(seen.balancer, provisioning_status="PENDING_UPDATE")

    def unsettled(self, identifier: str) -> None:
        """Wake the Service of this load balancer after the next poll: something below it is still PENDING."""
        self._unsettled.add(identifier)
        self._kick.set()

    def put_address(self, address: FloatingIP) -> None:
        """Take in a floating IP as we just made or changed it."""
        self._addresses[address.id] = address
        self._touched_addresses[address.id] = self._now()

    def tagged(self, identifier: str, owner: Owner) -> None:
        """Take in that a floating IP carries the tags of its owner now."""
        address = self._addresses.get(identifier)
        if address is not None:
            self.put_address(msgspec.structs.replace(address, tags=owner.tags()))

    def drop_address(self, identifier: str) -> None:
        """Take in that we released a floating IP."""
        self._addresses.pop(identifier, None)
        self._touched_addresses[identifier] = self._now()

    # polling

    async def refresh(self, *, with_addresses: bool = True) -> None:
        """Read everything now and wake the Services of what changed."""
        started = self._now()
        listed = await self._octavia.list_load_balancers(of_cluster(self._cluster, KIND))
        if with_addresses:
            addresses = await self._neutron.list_floating_ips(self._cluster, KIND)
            self._take_addresses(addresses, started)
        self.polls += 1
        self._take_balancers(listed, started)
        for identifier in self._unsettled & self._seen.keys():
            self._wake(_uid(self._seen[identifier].balancer.tags))
        self._unsettled.clear()
        self.ready.set()

    async def run(self, each_slow: Callable[[], None] = lambda: None) -> None:
        """Poll until cancelled; ``each_slow`` is called after every poll of the slow kind."""
        due = self._now()
        while True:
            slow = self._now() >= due
            try:
                await self.refresh(with_addresses=slow)
            except errors.CloudError as error:
                pause = getattr(error, "retry_after", QUICK_LAST)
                _log.warning("poll failed", cause=str(error), again_in=pause)
                await asyncio.sleep(pause)
                continue
            if slow:
                due = self._now() + SLOW
                each_slow()
            await self._pause(due)

    async def _pause(self, due: float) -> None:
        """Wait for the next poll: briefly while something is PENDING, and no longer once something is."""
        self._kick.clear()
        if not self._waiting():
            try:
                async with asyncio.timeout(max(0.0, due - self._now())):
                    await self._kick.wait()
            except TimeoutError:
                return
        await asyncio.sleep(self._quick)
        self._quick = min(QUICK_LAST, self._quick * 1.5)

    def _waiting(self) -> bool:
        now = self._now()
        return bool(self._unsettled) or any(
            seen.pending_since is not None and now - seen.pending_since < STUCK_AFTER
            for seen in self._seen.values()
        )

    def _take_balancers(self, listed: Iterable[LoadBalancer], started: float) -> None:
        fresh = {balancer.id: balancer for balancer in listed}
        for identifier in [*self._seen]:
            seen = self._seen[identifier]
            if identifier not in fresh and seen.touched < started:
                del self._seen[identifier]
                self._wake(_uid(seen.balancer.tags))
        for identifier, balancer in fresh.items():
            known = self._seen.get(identifier)
            if known is not None and known.touched >= started:
                continue  # listed before our change: the next poll tells
            since = known.pending_since if known else None
            since = (since if since is not None else started) if balancer.pending else None
            self._seen[identifier] = _Seen(balancer, known.touched if known else -1.0, since)
            if known is None or _differ(known.balancer, balancer) or self._just_stuck(since):
                self._wake(_uid(balancer.tags))

    def _just_stuck(self, since: float | None) -> bool:
        return since is not None and self._now() - since >= STUCK_AFTER

    def _take_addresses(self, listed: Iterable[FloatingIP], started: float) -> None:
        # What we wrote since the listing began is newer than the listing.
        self._touched_addresses = {
            one: when for one, when in self._touched_addresses.items() if when >= started
        }
        before, recent = self._addresses, self._touched_addresses.keys()
        after = {address.id: address for address in listed if address.id not in recent}
        after |= {one: address for one, address in before.items() if one in recent}
        self._addresses = after
        for identifier in before.keys() | after.keys():
            old, new = before.get(identifier), after.get(identifier)
            owner = (new.owner if new else None) or (old.owner if old else None)
            if owner and (old is None or new is None or old.port_id != new.port_id):
                self._wake(owner.uid)

    def _touch(self) -> tuple[float, float]:
        self._quick = QUICK_FIRST
        self._kick.set()
        now = self._now()
        return now, now

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def actual(service: Service, snapshot: Snapshot, octavia: Octavia) -> Actual:
    """Return what there is for ``service``: the snapshot, and the tree of each settled load balancer."""
    balancers = []
    for one in snapshot.balancers(service.metadata.uid):
        if one.pending:
            balancers.append(of_listing(one))
            continue
        try:
            balancer = of_tree(one, await octavia.status_tree(one.id))
        except errors.NotFound:
            snapshot.changed(one.id)  # gone a moment ago: the next poll drops it
            continue
        if balancer.busy:
            snapshot.unsettled(one.id)
        balancers.append(balancer)
    status = service.status
    return Actual(
        tuple(balancers),
        tuple(
            Address(ip.id, ip.floating_ip_address, ip.port_id, owner_of(ip.tags) is not None)
            for ip in snapshot.addresses(service.metadata.uid)
        ),
        FINALIZER in service.metadata.finalizers,
        tuple(ingress.ip for ingress in status.load_balancer.ingress if ingress.ip),
        next(
            (
                Verdict(condition.status == "True", condition.reason, condition.message)
                for condition in status.conditions
                if condition.type == CONDITION
            ),
            None,
        ),
    )


def of_listing(one: LoadBalancer) -> Balancer:
    """Return what a list tells of a load balancer."""
    return Balancer(
        one.id,
        one.vip_address or "",
        one.vip_port_id,
        busy=one.pending,
        broken=one.provisioning_status == ERROR,
        created_at=one.created_at or "",
    )


def of_tree(one: LoadBalancer, tree: StatusTree) -> Balancer:
    """Return a load balancer with its children; busy also while a child is PENDING."""
    pools = [pool for listener in tree.listeners for pool in listener.pools]
    states = [tree.provisioning_status]
    states += [listener.provisioning_status for listener in tree.listeners]
    states += [pool.provisioning_status for pool in pools]
    states += [member.provisioning_status for pool in pools for member in pool.members]
    attached = {pool.id for pool in pools}
    summary = of_listing(one)
    return Balancer(
        summary.id,
        summary.vip,
        summary.vip_port_id,
        busy=any(state.startswith("PENDING") for state in states),
        broken=tree.provisioning_status == ERROR,
        created_at=summary.created_at,
        listeners=tuple(
            Listener(
                listener.id,
                front_in(listener.name),
                next((_pool(pool) for pool in listener.pools), None),
                broken=listener.provisioning_status == ERROR,
            )
            for listener in tree.listeners
        ),
        stray_pools=tuple(pool.id for pool in one.pools if pool.id not in attached),
    )


def _pool(pool: PoolStatus) -> Pool:
    backend = Backend(
        sticky_in(pool.name),
        frozenset(Member(member.address, member.protocol_port) for member in pool.members),
    )
    states = [pool.provisioning_status, *(member.provisioning_status for member in pool.members)]
    return Pool(pool.id, backend, broken=ERROR in states)


def _uid(tags: list[str]) -> str:
    owner = owner_of(tags)
    return owner.uid if owner else ""


def _differ(old: LoadBalancer, new: LoadBalancer) -> bool:
    return (old.provisioning_status, old.updated_at, old.vip_port_id) != (
        new.provisioning_status,
        new.updated_at,
        new.vip_port_id,
    )
