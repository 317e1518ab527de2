"""What a plan does with ports that people prepared: it puts them where their pods are, and lets them go.

Nothing else is ever done with them. They go through the pool like others: listed once they are attached,
never taken from a pod, retiring before they are let go. Pure.
"""

from dataclasses import dataclass, field

import msgspec

from causeway.cloud.prepared_ports import PreparedPort
from causeway.kube.objects import Claim, PoolPort
from causeway.rooms.pods.entries import entry_of, unknown_network
from causeway.rooms.pods.model import Bind, Need, Slot, State, Step, Unbind


@dataclass
class Lent:
    """The pool's prepared ports as they should be, and what is to be done for that.

    Of subports, ``put_back`` have the VLAN their node knows, ``fresh`` get a new one. ``served`` are the pods
    that have their port or will have it soon.
    """

    entries: list[PoolPort] = field(default_factory=list)
    put_back: list[tuple[str, int]] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    detach: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    served: set[Slot] = field(default_factory=set)


def lend(state: State) -> Lent:
    """Return what is to be done with the prepared ports of a node."""
    return _Lender(state).lend()


class _Lender:
    def __init__(self, state: State) -> None:
        self._state = state
        self._lent = Lent()
        self._known = {entry.port_id for entry in state.entries}
        claimed = {(claim.pod_uid, claim.interface) for claim in state.claims.values()}
        self._wanted: dict[str, Need] = {}
        for need in state.needs:
            wish = need.wish
            if wish and wish.port_id and not wish.finding and not need.leaving and need.slot not in claimed:
                self._wanted[wish.port_id] = need

    def lend(self) -> Lent:
        state, lent = self._state, self._lent
        for entry in state.entries:
            if entry.prepared:
                self._look_at(entry, state.claims.get(entry.port_id))
        listed = {entry.port_id for entry in lent.entries}
        for port_id, port in state.prepared.items():
            if port_id not in listed:
                self._take_in(port)
        return lent

    def _look_at(self, entry: PoolPort, claim: Claim | None) -> None:
        state, port_id = self._state, entry.port_id
        settled = not state.present or port_id in state.settled
        if claim is None and (not state.present or (entry.retiring and settled)):
            if self._is_here(port_id):
                self._let_go(port_id)
                self._lent.entries.append(entry)
            return
        need = self._wanted.get(port_id)
        mine = need is not None and need.slot == (entry.pod_uid, entry.interface)
        wanted = claim is not None or (mine and not entry.retiring)
        there = state.attached.get(port_id) == state.place(entry)
        if not wanted or not (there or self._put_back(entry)):
            entry = msgspec.structs.replace(entry, retiring=True)
        elif need is not None and mine:
            self._lent.served.add(need.slot)
        self._lent.entries.append(entry)

    def _put_back(self, entry: PoolPort) -> bool:
        """Put a port back where its entry says it is, if it may be; return whether it may."""
        state, port_id = self._state, entry.port_id
        port = state.prepared.get(port_id)
        if port is None or port.device_owner or port_id in state.attached or not state.present:
            return False
        if state.native:
            self._bind(port_id)
        elif state.trunk_id is None or entry.segmentation_id in {0, *state.vlans.values()}:
            return False
        elif port_id not in state.busy:
            self._lent.put_back.append((port_id, entry.segmentation_id))
        return True

    def _take_in(self, port: PreparedPort) -> None:
        state, need = self._state, self._wanted.get(port.id)
        if port.id in state.busy:
            if need is not None:
                self._lent.served.add(need.slot)
        elif self._is_here(port.id):
            # The node may have handed it out, if its pool was lost.
            if need is not None and state.present:
                network, slot = need.network, need.slot
                self._lent.served.add(need.slot)
            else:
                network, slot = unknown_network(port), None
            entry = entry_of(port, network, state.attached[port.id].vlan, slot)
            entry = msgspec.structs.replace(entry, prepared=True, retiring=slot is None)
            if entry.fixed_ips and state.present:
                self._lent.entries.append(entry)
            else:  # no pod can have it
                self._let_go(port.id)
        elif need is not None and port.id not in state.attached and state.present and state.trunk_id:
            self._lent.served.add(need.slot)
            if port.id in self._known:
                return  # until its old entry is struck out, by which it would be let go at once
            if state.native:
                self._bind(port.id)
            elif port.id not in state.resting:
                self._lent.fresh.append(port.id)

    def _bind(self, port_id: str) -> None:
        if port_id not in self._state.busy:
            self._lent.steps.append(Bind(port_id, self._state.node))

    def _let_go(self, port_id: str) -> None:
        if port_id in self._state.busy:
            return
        if self._state.native:
            self._lent.steps.append(Unbind(port_id))
        else:
            self._lent.detach.append(port_id)

    def _is_here(self, port_id: str) -> bool:
        place = self._state.attached.get(port_id)
        return place is not None and place.trunk_id == self._state.trunk_id
