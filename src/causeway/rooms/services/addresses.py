"""The project's floating IPs as the cloud and our own writes tell of them.

All of them, not only ours: a Service may ask for one that is there, or share a load balancer that has one. A
floating IP we made carries our tags, and its description names its owner from the creating call on. One that
was there before is *borrowed*: it gets a tag that is no proof of ownership, so nobody will ever delete it.
"""

import asyncio
from collections.abc import Iterable

import msgspec

from causeway.cloud.neutron import FloatingIP
from causeway.cloud.ownership import Owner, owner_of
from causeway.rooms.services.model import KIND
from causeway.rooms.services.present import Address

_BORROWED = "causeway-borrowed="


class Addresses:
    """The floating IPs by whom they serve, by the port they lead to, and by themselves."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._all: dict[str, FloatingIP] = {}
        self._touched: dict[str, float] = {}

    def of(self, uid: str) -> list[Address]:
        """Return the floating IPs of a Service, made for it or borrowed."""
        return [self._told(ip) for ip in self._all.values() if self._holder(ip) == uid]

    def at(self, address: str, port_id: str | None, uid: str) -> list[Address]:
        """Return those not of the Service that are ``address`` or lead to the port."""
        return [
            self._told(ip)
            for ip in self._all.values()
            if self._holder(ip) != uid
            and (ip.floating_ip_address == address or (port_id is not None and ip.port_id == port_id))
        ]

    def uids(self) -> set[str]:
        """Return the uids of all Services that have one."""
        return {uid for ip in self._all.values() if (uid := self._holder(ip))}

    def put(self, address: FloatingIP) -> None:
        """Take in a floating IP as we just made or changed it."""
        self._all[address.id] = address
        self._touched[address.id] = _now()

    def tagged(self, identifier: str, tags: list[str]) -> None:
        """Take in the new tags of a floating IP."""
        if identifier in self._all:
            self.put(msgspec.structs.replace(self._all[identifier], tags=tags))

    def drop(self, identifier: str) -> None:
        """Take in that we released a floating IP."""
        self._all.pop(identifier, None)
        self._touched[identifier] = _now()

    def take(self, listed: Iterable[FloatingIP], started: float) -> set[str]:
        """Take in a list that began at ``started``; return the uids of the Services of what changed.

        What we wrote since then is newer than the list.
        """
        self._touched = {one: when for one, when in self._touched.items() if when >= started}
        before, recent = self._all, self._touched.keys()
        after = {address.id: address for address in listed if address.id not in recent}
        after |= {one: address for one, address in before.items() if one in recent}
        self._all = after
        changed = set()
        for identifier in before.keys() | after.keys():
            old, new = before.get(identifier), after.get(identifier)
            if old is None or new is None or (old.port_id, old.tags) != (new.port_id, new.tags):
                changed |= {self._holder(one) for one in (old, new) if one is not None}
        return changed - {""}

    def _holder(self, address: FloatingIP) -> str:
        """Return the uid of the Service a floating IP serves, or ""."""
        for tag in address.tags:
            if tag.startswith(_BORROWED):
                cluster, _, uid = tag[len(_BORROWED) :].partition("/")
                return uid if cluster == self._cluster else ""
        owner = address.owner
        return owner.uid if owner and (owner.cluster, owner.kind) == (self._cluster, KIND) else ""

    def _told(self, ip: FloatingIP) -> Address:
        borrowed = any(tag.startswith(_BORROWED) for tag in ip.tags)
        return Address(
            ip.id,
            ip.floating_ip_address,
            ip.floating_network_id,
            ip.port_id,
            tagged=borrowed or owner_of(ip.tags) is not None,
            borrowed=borrowed,
        )


def borrowing(owner: Owner) -> list[str]:
    """Return the tags of a floating IP that serves ``owner`` and stays after it."""
    return [f"{_BORROWED}{owner.cluster}/{owner.uid}"]


def _now() -> float:
    return asyncio.get_running_loop().time()
