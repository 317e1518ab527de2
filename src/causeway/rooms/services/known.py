"""What is known of the cloud's part of the Services, by the last list, later looks and our own writes.

Our own writes enter it as they succeed, and count for more than a list that began before them.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable

import msgspec

from causeway.cloud import errors
from causeway.cloud.neutron import Neutron, Subnet
from causeway.cloud.octavia import Octavia
from causeway.cloud.octavia_objects import Created, HealthMonitor, Listener, Pool, StatusTree
from causeway.cloud.ownership import uids_in
from causeway.rooms.services.addresses import Addresses
from causeway.rooms.services.lost import written_off
from causeway.rooms.services.model import KIND
from causeway.rooms.services.pace import UNKNOWN, Pace, Size
from causeway.rooms.services.parts import Parts
from causeway.rooms.services.seen import Holders, Seen

SLOW = 30.0  # seconds between lists of everything
STUCK_AFTER = 300.0  # seconds in PENDING after which the user is told


class Known:
    """The cloud's part of one cluster's Services.

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
        self._seen: dict[str, Seen] = {}
        self._holders = Holders()
        self._attending: defaultdict[str, set[str]] = defaultdict(set)
        self._paces: defaultdict[tuple[str, bool], Pace] = defaultdict(Pace)
        self._kick = asyncio.Event()
        self._subnets: dict[str, tuple[float, list[Subnet]]] = {}
        self.parts = Parts(octavia, cluster)
        self.addresses = Addresses(cluster)
        self.ready = asyncio.Event()
        """Set after the first complete reading."""
        self.looks = 0

    # reading

    def of(self, uid: str) -> list[Seen]:
        """Return the load balancers that hold something of a Service."""
        return [self._seen[one] for one in self._holders.of(uid) if one in self._seen]

    def get(self, identifier: str) -> Seen | None:
        """Return one load balancer, if it is known."""
        return self._seen.get(identifier)

    def shared(self, name: str) -> list[Seen]:
        """Return the load balancers of ours that are shared by a name."""
        tag = share_tag(name)
        return [seen for seen in self._seen.values() if tag in seen.balancer.tags]

    def at_port(self, port_id: str | None) -> list[Seen]:
        """Return the load balancer whose VIP has this port, if there is one."""
        return [seen for seen in self._seen.values() if port_id and seen.balancer.vip_port_id == port_id]

    def uids(self) -> set[str]:
        """Return the uids of all Services that have something in the cloud."""
        return self._holders.uids() | self.addresses.uids()

    def stuck(self, uid: str) -> str | None:
        """Return the load balancer of a Service that is PENDING for too long."""
        now = self._now()
        for seen in self.of(uid):
            if seen.pending_since is not None and now - seen.pending_since >= STUCK_AFTER:
                return seen.balancer.id
        return None

    def levels(self) -> dict[tuple[str, ...], float]:
        """Return the number of our load balancers by provisioning status."""
        own = (seen.balancer.provisioning_status for seen in self._seen.values() if not seen.foreign)
        return {(status,): float(count) for status, count in Counter(own).items()}

    def stuck_levels(self) -> dict[tuple[str, ...], float]:
        """Return how many load balancers are PENDING for too long."""
        return {(): float(sum(self._is_stuck(seen) for seen in self._seen.values()))}

    async def subnets(self, network_id: str) -> list[Subnet]:
        """Return the subnets of a network, as they were at most a slow poll ago."""
        when, known = self._subnets.get(network_id, (float("-inf"), []))
        if self._now() - when >= SLOW:
            known = await self._neutron.list_subnets(network_id)
            self._subnets[network_id] = (self._now(), known)
        return known

    async def settled(self, seen: Seen) -> StatusTree | None:
        """Return the tree below a load balancer with the options of all parts known; None: it is busy."""
        if seen.balancer.pending:
            return None
        if seen.tree is None:
            tree = written_off(await self._octavia.status_tree(seen.balancer.id), seen.lost)
            if tree.pending:
                self.changed(seen.balancer.id)
                return None
            seen.tree = tree
        if not seen.complete or not self.parts.knows(seen.tree):
            await self.parts.read(seen.balancer.id)
            seen.complete = True
            self._index(seen)
        return seen.tree

    async def visit(self, identifier: str) -> Seen | None:
        """Return a load balancer nobody tagged as ours, read now if it is not known; None: there is none."""
        if identifier not in self._seen:
            try:
                found = await self._octavia.get_load_balancer(identifier)
            except errors.NotFound:
                return None
            self._seen[identifier] = Seen(found)
        return self._seen[identifier]

    def attend(self, seen: Seen, uid: str) -> None:
        """Wake a Service when this load balancer settles, though it holds nothing of the Service yet."""
        self._attending[seen.balancer.id].add(uid)

    # what our own writes tell

    def created(self, made: Created, size: Size) -> None:
        """Take in a load balancer that was just created."""
        self.parts.learn(*made.listeners, *made.pools, *made.monitors)
        seen = Seen(made.balancer, complete=True)
        self._seen[made.balancer.id] = seen
        self._index(seen)
        self._begin(seen, size)

    def changed(self, identifier: str, size: Size = UNKNOWN, *, going: bool = False) -> None:
        """Take in that a change of a load balancer has begun: it is busy until a look says otherwise.

        ``going``: it is being deleted.
        """
        seen = self._seen.get(identifier)
        if seen is None:
            return
        if not seen.balancer.pending:
            seen.balancer = msgspec.structs.replace(seen.balancer, provisioning_status="PENDING_UPDATE")
        if going and not seen.going:
            self._pace(seen).forget(identifier)
            seen.going = True  # for good: what is being deleted is not made better by another change
        self._begin(seen, size)

    def doubt(self, identifier: str) -> None:
        """Read anew what is below a load balancer before it is relied upon: a call about it has failed.

        Lists do not tell of a change that took effect without an answer when an earlier one ended in the same
        second: that is how exact their times are.
        """
        seen = self._seen.get(identifier)
        if seen is not None:
            seen.tree, seen.complete = None, False

    def look_again(self, identifier: str, seconds: float) -> None:
        """Look at a load balancer in so many seconds: what it was changed to does not show yet."""
        self.changed(identifier)
        seen = self._seen.get(identifier)
        if seen is not None:
            self._pace(seen).hold(identifier, self._now() + max(0.25, seconds))
            self._retime(seen)

    def tagged(self, identifier: str, tags: list[str]) -> None:
        """Take in the new tags of a load balancer."""
        seen = self._seen[identifier]
        seen.balancer = msgspec.structs.replace(seen.balancer, tags=tags)
        self._index(seen)

    def learned(self, balancer_id: str, *found: Listener | Pool | HealthMonitor) -> None:
        """Take in what a call told of a part of a load balancer."""
        self.parts.learn(*found)
        for one in found:
            if isinstance(one, Listener):
                self._holders.link(balancer_id, self._uids(one.tags))

    def _begin(self, seen: Seen, size: Size) -> None:
        now = self._now()
        seen.tree, seen.touched, seen.told, seen.listed = None, now, False, False
        if seen.pending_since is None:
            seen.pending_since = now
        seen.looked = seen.due = now
        self._pace(seen).begin(seen.balancer.id, size, now)
        self._retime(seen)
        self._kick.set()

    def _retime(self, seen: Seen) -> None:
        """Set anew when to look at what is under way beside this load balancer, and at itself."""
        for identifier, when in self._pace(seen).moments(self._now()).items():
            other = self._seen.get(identifier)
            if other is not None and other.due is not None:
                other.due = when

    def _drop(self, seen: Seen) -> None:
        identifier = seen.balancer.id
        self._pace(seen).forget(identifier)
        self._seen.pop(identifier, None)
        self.parts.forget(lambda one: one in self._seen)
        for uid in self._holders.drop(identifier) | self._attending.pop(identifier, set()):
            self._wake(uid)

    def _index(self, seen: Seen) -> None:
        """Note which Services a load balancer holds something of."""
        uids = set(self._uids(seen.balancer.tags))
        for listener in seen.tree.listeners if seen.tree else ():
            known = self.parts.listeners.get(listener.id)
            uids |= self._uids(known.tags) if known else frozenset()
        if seen.tree is not None:
            self._holders.keep(seen.balancer.id, frozenset(uids))
        self._holders.link(seen.balancer.id, uids)

    def _uids(self, tags: list[str]) -> frozenset[str]:
        return uids_in(tags, self._cluster, KIND)

    def _wake_all(self, seen: Seen) -> None:
        identifier = seen.balancer.id
        for uid in self._holders.holding(identifier) | self._attending.pop(identifier, set()):
            self._wake(uid)

    def _pace(self, seen: Seen) -> Pace:
        return self._paces[seen.balancer.provider, seen.going]

    def _is_stuck(self, seen: Seen) -> bool:
        return seen.pending_since is not None and self._now() - seen.pending_since >= STUCK_AFTER

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def share_tag(name: str) -> str:
    """Return the tag of a load balancer that is shared by a name (namespace/name)."""
    return f"causeway-share={name}"
