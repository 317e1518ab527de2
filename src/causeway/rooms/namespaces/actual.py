"""The networks and groups of namespaces as the cloud has them: listed now and then, kept right between.

Five calls list everything, whatever the number of namespaces. A list that was begun before a write ended may
not know of it, so what was written since the list began is believed over the list.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from causeway.cloud.errors import NotFound
from causeway.cloud.networks import Interface, Network, Networks, Subnet
from causeway.cloud.ownership import Owner
from causeway.cloud.security_groups import AddressGroup, SecurityGroup, SecurityGroups
from causeway.engine.listing import Listed
from causeway.rooms.namespaces.model import KIND, Actual

T = TypeVar("T")


class Kept(Generic[T]):
    """Objects of one collection by id."""

    def __init__(self) -> None:
        self._objects: dict[str, T] = {}
        self._written: dict[str, int] = {}  # when we last wrote an object
        self._clock = 0

    def all(self) -> list[T]:
        """Return every object in the order of the ids."""
        return [self._objects[key] for key in sorted(self._objects)]

    def get(self, key: str) -> T | None:
        """Return the object of an id, if there is one."""
        return self._objects.get(key)

    def put(self, key: str, thing: T) -> None:
        """Enter an object as a call of ours returned it."""
        self._wrote(key)
        self._objects[key] = thing

    def drop(self, key: str) -> None:
        """Strike out an object that we deleted."""
        self._wrote(key)
        self._objects.pop(key, None)

    @property
    def now(self) -> int:
        """Return the present moment, for ``take``."""
        return self._clock

    def take(self, began: int, listed: Mapping[str, T]) -> None:
        """Take in a complete list that was begun at a moment."""
        recent = {key for key, moment in self._written.items() if moment > began}
        fresh = {key: thing for key, thing in listed.items() if key not in recent}
        self._objects = fresh | {key: thing for key, thing in self._objects.items() if key in recent}
        self._written = {key: self._written[key] for key in recent}

    def _wrote(self, key: str) -> None:
        self._clock += 1
        self._written[key] = self._clock


class View(Listed):
    """Everything of one cluster that this room works with; ``interfaces`` are kept by subnet."""

    def __init__(
        self, networks: Networks, groups: SecurityGroups, cluster: str, router_id: str | None
    ) -> None:
        super().__init__()
        self.networks = Kept[Network]()
        self.subnets = Kept[Subnet]()
        self.groups = Kept[SecurityGroup]()
        self.interfaces = Kept[str]()
        self.peers = Kept[AddressGroup]()
        self.synced = asyncio.Event()
        self.has_address_groups = True
        self._of_networks = networks
        self._of_groups = groups
        self._cluster = cluster
        self._router_id = router_id

    def actual(self, uid: str) -> Actual:
        """Return what there is for the namespace ``uid``."""
        networks = tuple(each for each in self.networks.all() if _uid(each.owner) == uid)
        ids = {each.id for each in networks}
        subnets = tuple(each for each in self.subnets.all() if each.network_id in ids)
        return Actual(
            networks=networks,
            subnets=subnets,
            joined=frozenset(each.id for each in subnets if self.interfaces.get(each.id)),
            groups=tuple(each for each in self.groups.all() if _uid(each.owner) == uid),
            peers=next((each.id for each in self.peers.all()), None),
        )

    def uids(self) -> set[str]:
        """Return the uids of all namespaces that have something in the cloud."""
        owners = [each.owner for each in self.networks.all()]
        owners += [each.owner for each in self.groups.all()]
        return {owner.uid for owner in owners if owner}

    async def _list(self) -> None:
        kept = (self.networks, self.subnets, self.groups, self.interfaces, self.peers)
        began = [each.now for each in kept]
        networks, subnets, groups, interfaces, peers = await asyncio.gather(
            self._of_networks.list_networks(self._cluster, KIND),
            self._of_networks.list_subnets(self._cluster, KIND),
            self._of_groups.list_groups(self._cluster, KIND),
            self._interfaces(),
            self._peers(),
        )
        self.networks.take(began[0], {each.id: each for each in networks})
        self.subnets.take(began[1], {each.id: each for each in subnets})
        self.groups.take(began[2], {each.id: each for each in groups})
        self.interfaces.take(began[3], _by_subnet(interfaces))
        self.peers.take(began[4], {each.id: each for each in peers})
        self.synced.set()

    async def _interfaces(self) -> list[Interface]:
        return await self._of_networks.list_interfaces(self._router_id) if self._router_id else []

    async def _peers(self) -> list[AddressGroup]:
        try:
            return await self._of_groups.list_address_groups(self._cluster, KIND)
        except NotFound:  # the cloud lacks the extension
            self.has_address_groups = False
            return []


def _by_subnet(interfaces: Iterable[Interface]) -> dict[str, str]:
    return {ip["subnet_id"]: each.id for each in interfaces for ip in each.fixed_ips}


def _uid(owner: Owner | None) -> str:
    return owner.uid if owner else ""
