"""Security groups and address groups as the cloud has them: listed now and then, kept right between.

Two calls list everything; between two lists our own writes are entered as they succeed. What was written
since a list began is believed over the list, which may not know of it.
"""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from causeway.cloud.ownership import Owner
from causeway.cloud.security_groups import AddressGroup, SecurityGroup
from causeway.engine.listing import Listed
from causeway.rooms.policies.model import GROUP_KINDS, PEERS, GroupKey

T = TypeVar("T", SecurityGroup, AddressGroup)


class Lister(Protocol):
    """The part of Neutron that is read."""

    async def list_groups(self, cluster: str, *kinds: str) -> list[SecurityGroup]:
        """Return a cluster's security groups of some kinds."""
        ...

    async def list_address_groups(self, cluster: str, kind: str) -> list[AddressGroup]:
        """Return a cluster's address groups of a kind."""
        ...


def owner_of_group(cluster: str, key: GroupKey) -> Owner:
    """Return the owner a security group carries."""
    return Owner(cluster, key.kind, f"{key.uid}.{key.variant}" if key.variant else key.uid)


def key_of_group(owner: Owner) -> GroupKey:
    """Return the key that an owner stands for."""
    if owner.kind == "policy":
        uid, _, variant = owner.uid.partition(".")
        return GroupKey(owner.kind, uid, variant)
    return GroupKey(owner.kind, owner.uid)


class Shelf(Generic[T]):
    """The objects of one kind by the uid of their owner; a call that outlived its caller may double one."""

    def __init__(self) -> None:
        self._by_owner: dict[Owner, dict[str, T]] = {}
        self._owners: dict[str, Owner] = {}
        self._written: dict[str, int] = {}  # id -> when we last wrote it
        self._clock = 0

    def of(self, owner: Owner) -> list[T]:
        """Return the objects of an owner, first the one to use: known longest, ports may be in it."""
        return list(self._by_owner.get(owner, {}).values())

    def owners(self) -> list[Owner]:
        """Return everybody who has one."""
        return list(self._by_owner)

    def put(self, thing: T) -> None:
        """Enter an object as we made or changed it."""
        self._wrote(thing.id)
        self._enter(thing)

    def drop(self, identifier: str) -> None:
        """Strike out an object we deleted."""
        self._wrote(identifier)
        self._strike(identifier)

    def begin(self) -> int:
        """Return the moment a list begins, for ``take``."""
        return self._clock

    def take(self, began: int, listed: Iterable[T]) -> None:
        """Take in a complete list."""
        fresh: dict[str, T] = {thing.id: thing for thing in listed}
        for identifier in {*self._owners, *fresh}:
            if self._written.get(identifier, 0) > began:
                continue
            if identifier in fresh:
                self._enter(fresh[identifier])
            else:
                self._strike(identifier)
        self._written = {key: moment for key, moment in self._written.items() if moment > began}

    def _wrote(self, identifier: str) -> None:
        self._clock += 1
        self._written[identifier] = self._clock

    def _enter(self, thing: T) -> None:
        owner = thing.owner
        if owner is not None:
            self._owners[thing.id] = owner
            self._by_owner.setdefault(owner, {})[thing.id] = thing

    def _strike(self, identifier: str) -> None:
        owner = self._owners.pop(identifier, None)
        if owner is not None:
            del self._by_owner[owner][identifier]
            if not self._by_owner[owner]:
                del self._by_owner[owner]


class View(Listed):
    """What this room has in the cloud, for one cluster; the only one that lists it.

    Without ``address_groups`` the cloud has none.
    """

    def __init__(self, neutron: Lister, cluster: str, *, address_groups: bool = True) -> None:
        super().__init__()
        self._neutron = neutron
        self._address_groups = address_groups
        self.cluster = cluster
        self.groups = Shelf[SecurityGroup]()
        self.peers = Shelf[AddressGroup]()

    def group(self, key: GroupKey) -> list[SecurityGroup]:
        """Return the security groups that are ``key``: one, if nothing went wrong."""
        return self.groups.of(owner_of_group(self.cluster, key))

    def group_keys(self) -> list[GroupKey]:
        """Return the keys of all security groups there are."""
        return [key_of_group(owner) for owner in self.groups.owners()]

    def set(self, key: str) -> list[AddressGroup]:
        """Return the address groups that are the set ``key``."""
        return self.peers.of(Owner(self.cluster, PEERS, key))

    def sets(self) -> list[str]:
        """Return the keys of all address groups there are."""
        return [owner.uid for owner in self.peers.owners()]

    async def _list(self) -> None:
        groups, peers = self.groups.begin(), self.peers.begin()
        listed = await self._neutron.list_groups(self.cluster, *GROUP_KINDS)
        self.groups.take(groups, listed)
        if self._address_groups:
            self.peers.take(peers, await self._neutron.list_address_groups(self.cluster, PEERS))
