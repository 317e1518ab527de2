"""Options of listeners, pools and monitors: what calls told of them, by id.

Answers to our own calls tell of what we made; lists, of what was there before or was changed by others.
"""

from collections.abc import Callable

from causeway.cloud.octavia import Octavia
from causeway.cloud.octavia_objects import HealthMonitor, Listener, Pool, StatusTree
from causeway.cloud.ownership import of_cluster
from causeway.rooms.services.model import KIND


class Parts:
    """What is known of everything below the load balancers."""

    def __init__(self, octavia: Octavia, cluster: str) -> None:
        self._octavia = octavia
        self._tags = of_cluster(cluster, KIND)
        self.listeners: dict[str, Listener] = {}
        self.pools: dict[str, Pool] = {}
        self.monitors: dict[str, HealthMonitor] = {}

    def learn(self, *found: Listener | Pool | HealthMonitor) -> None:
        """Take in what calls told."""
        for one in found:
            if isinstance(one, Listener):
                self.listeners[one.id] = one
            elif isinstance(one, Pool):
                self.pools[one.id] = one
            else:
                self.monitors[one.id] = one

    def knows(self, tree: StatusTree) -> bool:
        """Return whether the options of all parts of a tree are known."""
        return all(
            listener.id in self.listeners
            and all(
                pool.id in self.pools
                and (pool.health_monitor is None or pool.health_monitor.id in self.monitors)
                for pool in listener.pools
            )
            for listener in tree.listeners
        )

    def forget(self, alive: Callable[[str], bool]) -> None:
        """Forget the parts of load balancers that are gone."""
        for known in (self.listeners, self.pools):
            for identifier, part in [*known.items()]:
                if part.loadbalancers and not any(alive(one.id) for one in part.loadbalancers):
                    del known[identifier]

    async def read_all(self) -> list[Listener]:
        """Read the options of all that carries our tags; return the listeners."""
        listeners = await self._octavia.list_listeners(self._tags)
        self.learn(*listeners)
        self.learn(*await self._octavia.list_pools(self._tags))
        self.learn(*await self._octavia.list_monitors(self._tags))
        return listeners

    async def read(self, balancer_id: str) -> None:
        """Read the options of all there is below one load balancer."""
        self.learn(*await self._octavia.list_listeners(balancer_id=balancer_id))
        pools = await self._octavia.list_pools(balancer_id=balancer_id)
        self.learn(*pools)
        if any(pool.healthmonitor_id for pool in pools):
            self.learn(*await self._octavia.list_monitors(self._tags))
