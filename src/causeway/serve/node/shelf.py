"""The ready ports of this node and who has them: decides at once, without asking anybody. No I/O.

A port is held by the attachments that use it, or are about to; it is free when the last of them lets go.
"""

from dataclasses import dataclass

from causeway.kube.objects import Claim, PoolPort, PortPool

Holder = tuple[str, str]
"""An attachment: (container ID, interface name)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose port is asked for; ``plain`` says that any ready port will do, of ``network`` ("": shared).

    ``selected`` says that a NetworkPolicy is about the pod.
    """

    uid: str
    namespace: str
    name: str
    plain: bool
    network: str = ""
    interface: str = ""
    selected: bool = False


@dataclass
class _Held:
    port: PoolPort
    claim: Claim
    holders: set[Holder]


class Shelf:
    """The ports of one node."""

    def __init__(self) -> None:
        self._entries: dict[str, PoolPort] = {}
        self._own: dict[tuple[str, str], PoolPort] = {}  # made for one pod, by (uid, interface)
        self._held: dict[str, _Held] = {}
        self._of_holder: dict[Holder, str] = {}
        self._held_by_pod: dict[tuple[str, str], str] = {}
        self._rested: dict[str, int] = {}  # when a port was let go last, in an order
        self._releases = 0
        self._free: dict[str, dict[str, None]] = {}  # by namespace, what rested longest first
        self.generation = 0
        self._known = ("", 0)

    @property
    def asked(self) -> bool:
        """Return whether the controller waits to hear that its newest list is known: something retires."""
        return any(entry.retiring for entry in self._entries.values())

    def fill(self, pool: PortPool | None) -> None:
        """Take in what the controller says there is."""
        known = (pool.metadata.uid, pool.metadata.generation) if pool else ("", 0)
        if known == self._known:
            return  # only the status changed
        self._known = known
        self.generation = pool.metadata.generation if pool else 0
        self._entries = {entry.port_id: entry for entry in pool.spec.ports} if pool else {}
        usable = [entry for entry in self._entries.values() if not entry.retiring]
        self._own = {(entry.pod_uid, entry.interface): entry for entry in usable if entry.pod_uid}
        self._rested = {port_id: when for port_id, when in self._rested.items() if port_id in self._entries}
        self._free = {}
        for entry in sorted(usable, key=lambda entry: self._rested.get(entry.port_id, 0)):
            if not entry.pod_uid and entry.port_id not in self._held:
                self._free.setdefault(entry.namespace, {})[entry.port_id] = None

    def take(self, wanted: Wanted, holder: Holder) -> PoolPort | None:
        """Return the port for a pod, which is held from now on, or None while there is none for it.

        What the pod has already, as an earlier sandbox of it, it is given again.
        """
        port_id = self._held_by_pod.get((wanted.uid, wanted.interface))
        if port_id is not None:
            return self._join(port_id, holder)
        own = self._own.get((wanted.uid, wanted.interface))
        unguarded = own is not None and own.prepared and wanted.selected
        if own is not None and own.port_id not in self._held and not unguarded:
            return self._hold(own, wanted, holder)
        free = self._free.get(wanted.network) if wanted.plain and not wanted.interface else None
        if not free:
            return None
        return self._hold(self._entries[next(iter(free))], wanted, holder)

    def restore(self, port: PoolPort, claim: Claim, holder: Holder) -> None:
        """Hold a port as a record of an earlier life of this daemon says."""
        held = self._held.get(port.port_id)
        if held is not None:
            self._join(port.port_id, holder)
        else:
            self._keep(port, claim, holder)

    def let_go(self, holder: Holder) -> None:
        """Say that an attachment does not use its port any more; one that has none is fine."""
        port_id = self._of_holder.pop(holder, None)
        if port_id is None:
            return
        held = self._held[port_id]
        held.holders.discard(holder)
        if held.holders:
            return
        del self._held[port_id]
        self._held_by_pod.pop((held.claim.pod_uid, held.claim.interface), None)
        self._releases += 1
        self._rested[port_id] = self._releases
        entry = self._entries.get(port_id)
        if entry is not None and not entry.retiring and not entry.pod_uid:
            self._free.setdefault(entry.namespace, {})[port_id] = None

    def keep_only(self, holder: Holder) -> None:
        """Say that the link of this attachment's port is its own now, and nobody else's."""
        port_id = self._of_holder.get(holder)
        for other in self._held[port_id].holders - {holder} if port_id else ():
            self.let_go(other)

    def claim_of(self, holder: Holder) -> Claim:
        """Return what the port of an attachment was claimed for; raises ``KeyError`` if it has none."""
        return self._held[self._of_holder[holder]].claim

    def claims(self) -> tuple[Claim, ...]:
        """Return who has which port, in an order that stays the same."""
        return tuple(self._held[port_id].claim for port_id in sorted(self._held))

    def ready(self) -> int:
        """Return how many ports are free."""
        return sum(len(free) for free in self._free.values())

    def _join(self, port_id: str, holder: Holder) -> PoolPort:
        held = self._held[port_id]
        held.holders.add(holder)
        self._of_holder[holder] = port_id
        return held.port

    def _hold(self, port: PoolPort, wanted: Wanted, holder: Holder) -> PoolPort:
        claim = Claim(port.port_id, wanted.uid, wanted.namespace, wanted.name, wanted.interface)
        self._keep(port, claim, holder)
        return port

    def _keep(self, port: PoolPort, claim: Claim, holder: Holder) -> None:
        self._held[port.port_id] = _Held(port, claim, {holder})
        self._of_holder[holder] = port.port_id
        self._held_by_pod[claim.pod_uid, claim.interface] = port.port_id
        self._free.get(port.namespace, {}).pop(port.port_id, None)
