"""A load balancer as it was seen last, and which Services have something in which load balancer."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from causeway.cloud.octavia_objects import LoadBalancer, StatusTree
from causeway.cloud.ownership import owner_of
from causeway.rooms.services.lost import Part


@dataclass
class Seen:
    """A load balancer and what is known of it; ``tree`` is None while something of it may be changing."""

    balancer: LoadBalancer
    tree: StatusTree | None = None
    touched: float = -1.0  # when we changed it last: an older list knows nothing of that
    pending_since: float | None = None
    due: float | None = None  # when to look at it
    looked: float = -1.0  # when it was looked at last, or changed
    going: bool = False  # it is being deleted
    lost: frozenset[Part] = frozenset()  # what its provider has lost
    complete: bool = False  # whether options of all parts in the tree are known
    told: bool = False  # settled by our own look: the next list only says when
    listed: bool = False  # as a list told, nothing changed since

    @property
    def foreign(self) -> bool:
        """Whether it carries nobody's tags of ours."""
        return owner_of(self.balancer.tags) is None


class Holders:
    """Which Services (by uid) hold something of which load balancers (by id)."""

    def __init__(self) -> None:
        self._of: defaultdict[str, set[str]] = defaultdict(set)
        self._holders: defaultdict[str, set[str]] = defaultdict(set)

    def of(self, uid: str) -> frozenset[str]:
        """Return the load balancers of a Service."""
        return frozenset(self._of.get(uid, ()))

    def holding(self, identifier: str) -> frozenset[str]:
        """Return the Services of a load balancer."""
        return frozenset(self._holders.get(identifier, ()))

    def uids(self) -> set[str]:
        """Return all Services that hold something."""
        return set(self._of)

    def link(self, identifier: str, uids: Iterable[str]) -> None:
        """Note that these Services hold something of a load balancer."""
        for uid in uids:
            self._of[uid].add(identifier)
            self._holders[identifier].add(uid)

    def keep(self, identifier: str, uids: frozenset[str]) -> None:
        """Note that only these hold something of a load balancer."""
        for uid in self.holding(identifier) - uids:
            self._unlink(identifier, uid)
        self._holders[identifier] &= uids

    def drop(self, identifier: str) -> frozenset[str]:
        """Forget a load balancer; return which Services held something of it."""
        uids = self.holding(identifier)
        for uid in uids:
            self._unlink(identifier, uid)
        self._holders.pop(identifier, None)
        return uids

    def _unlink(self, identifier: str, uid: str) -> None:
        self._of[uid].discard(identifier)
        if not self._of[uid]:
            del self._of[uid]
