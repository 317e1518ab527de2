"""From what a node's pods need and what there is to its pool and the next calls. Pure.

A plan goes as far as is known, so plans are made and carried out in turn. What is under way is not planned
again. The rules that keep a port from serving two pods, or from being taken from one:

- a port is listed in the pool only once it is a subport, and is struck out only once it is no more;
- ``retiring`` is final: the node does not hand the port out any more once it has said that it knows, so what
  it does not claim then is free to go;
- a port that any pod may get keeps the groups of its network; to be given others it is retired first;
- what its pod, which leaves, has for the last time is retired while the pod still has it: the node confirms
  that in the write by which it says that the pod is gone, and does so at no other time than any other entry;
- what people prepared is theirs: it is only put where it is wanted (``lend``).
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import msgspec

from causeway.cloud.neutron import Port
from causeway.kit.errors import Finding
from causeway.kube.objects import Claim, PoolPort
from causeway.rooms.pods.entries import (
    entry_of,
    free_vlans,
    no_trunk,
    trunk_full,
    unknown_network,
    wanted_names,
)
from causeway.rooms.pods.lend import lend
from causeway.rooms.pods.model import (
    Attach,
    Create,
    Delete,
    Detach,
    Need,
    Plan,
    SetGroups,
    Slot,
    State,
    Step,
    slot_of,
)
from causeway.rooms.pods.neighbours import NetworkOfNamespace
from causeway.rooms.pods.sizing import surplus, to_make

SUBPORTS_A_CALL = 50


def plan(state: State) -> Plan:
    """Return the pool and the next steps for one node; an empty plan when all is as it should be."""
    return _Planner(state).plan()


class _Planner:
    def __init__(self, state: State) -> None:
        self._state = state
        self._needs = {need.slot: need for need in state.needs}
        self._entries = {entry.port_id: entry for entry in state.entries if not entry.prepared}
        self._lent = lend(state)
        self._claimed = {(claim.pod_uid, claim.interface) for claim in state.claims.values()}
        self._steps: list[Step] = [*self._lent.steps]
        self._detach = self._lent.detach
        self._attach = self._lent.put_back
        self._served = self._lent.served  # slots with a port made for them, on its way or there
        self._ready: Counter[str] = Counter()  # ready ports that nobody has, by namespace
        self._returning: list[PoolPort] = []  # what pods that leave will have had, and any other may get
        self._findings: dict[str, Finding] = {}

    def plan(self) -> Plan:
        for entry in list(self._entries.values()):
            self._look_at(entry)
        for port_id, port in self._state.ports.items():
            if port_id not in self._entries:
                self._take_in(port)
        if self._state.present:
            self._supply()
        self._change_trunk()
        short = sum(1 for need in self._waiting() if need.slot not in self._served)
        if short and self._state.trunk_id is None:
            self._findings["NoTrunk"] = no_trunk(self._state.node, short)
        entries = (*self._entries.values(), *self._lent.entries)
        return Plan(
            entries,
            tuple(self._steps),
            dict(wanted_names(self._state, self._entries.values())),
            self._findings,
        )

    # what the pool lists

    def _look_at(self, entry: PoolPort) -> None:
        state, port_id = self._state, entry.port_id
        port, claim = state.ports.get(port_id), self._claim(port_id)
        if port is None:
            if claim is None and entry.retiring and self._settled(port_id):
                del self._entries[port_id]
            else:
                self._retire(entry)
            return
        if state.attached.get(port_id) != state.place(entry) and not self._is_leaving(entry, claim):
            self._mend(entry, port)
        if claim is not None:
            self._look_at_claimed(entry, port, claim)
        else:
            self._look_at_free(entry, port)

    def _look_at_claimed(self, entry: PoolPort, port: Port, claim: Claim) -> None:
        need = self._needs.get((claim.pod_uid, claim.interface))
        if claim.pod_uid in self._state.leaving and not entry.retiring:
            if entry.pod_uid:
                self._retire(entry)
            else:
                self._returning.append(entry)
        if need is None or need.groups is None or need.groups == _groups(port):
            return
        if entry.pod_uid or (entry.retiring and self._settled(entry.port_id)):
            self._set_groups(port, need.groups)
        else:
            self._retire(entry)

    def _look_at_free(self, entry: PoolPort, port: Port) -> None:
        if self._is_leaving(entry, None):
            place = self._state.attached.get(port.id)
            if place is not None and place.trunk_id != self._state.trunk_id:  # another node's by now
                del self._entries[port.id]
            else:
                self._remove(port)
            return
        network = self._state.networks.get(port.network_id)
        slot = (entry.pod_uid, entry.interface)
        if network is None or network.namespace != entry.namespace:
            self._retire(entry)
        elif not entry.pod_uid:
            if _groups(port) != network.groups:
                self._retire(entry)
            elif not entry.retiring:
                self._ready[entry.namespace] += 1
        elif (need := self._wanted(slot)) is None or need.network != network or slot in self._served:
            self._retire(entry)
        elif not entry.retiring:
            self._served.add(slot)
            if need.groups is not None and need.groups != _groups(port):
                self._set_groups(port, need.groups)

    def _mend(self, entry: PoolPort, port: Port) -> None:
        """Put a port back where its entry says it is, or give the entry up."""
        state = self._state
        vlan = entry.segmentation_id
        free = not state.native and vlan not in state.vlans.values()
        if port.id not in state.attached and state.trunk_id and free and state.present:
            if port.id not in state.busy:
                self._attach.append((port.id, vlan))
        else:
            self._retire(entry)

    # what the pool does not list

    def _take_in(self, port: Port) -> None:
        state = self._state
        if port.id in state.busy:
            slot = slot_of(port)
            if slot:
                self._served.add(slot)
            elif network := state.networks.get(port.network_id):
                # Also when it is attached: a list may show that before the call has ended.
                self._ready[network.namespace] += 1
            return
        attached, slot = state.attached.get(port.id), slot_of(port)
        network = state.networks.get(port.network_id)
        useful = state.present and network is not None and self._is_useful(port, network, slot)
        if not useful and (attached is None or not state.present):
            self._remove(port)
            return
        if attached is not None:  # the node may have handed it out, if its pool was lost
            entry = entry_of(port, network or unknown_network(port), attached.vlan, slot)
            self._entries[port.id] = entry if useful else msgspec.structs.replace(entry, retiring=True)
        if not useful or network is None:
            return
        if slot is None:
            self._ready[network.namespace] += 1
        else:
            self._served.add(slot)

    def _is_useful(self, port: Port, network: NetworkOfNamespace, slot: Slot | None) -> bool:
        if slot is None:
            return _groups(port) == network.groups
        need = self._wanted(slot)
        return need is not None and slot not in self._served and need.network == network

    # what lacks

    def _supply(self) -> None:
        state = self._state
        waiting = Counter(
            need.network.namespace for need in self._waiting() if need.plain and need.slot not in self._served
        )
        networks = {need.network.namespace: need.network for need in state.needs}
        networks |= {each.namespace: each for each in state.networks.values()}
        if state.trunk_id is None:
            return
        for namespace, network in networks.items():
            scarce = namespace in state.scarce
            coming, wanted = state.coming.get(namespace, 0), 0 if scarce else state.targets.get(namespace, 0)
            spare = self._ready[namespace] + coming - waiting[namespace]
            if count := to_make(spare, wanted, state.sizes):
                self._steps.append(Create(state.node, network, count))
                continue
            returning = [entry for entry in self._returning if entry.namespace == namespace]
            soon = spare + len(returning)
            excess = max(0, soon) if scarce else surplus(soon, wanted, state.sizes)
            for entry in returning[:excess]:
                self._retire(entry)
            self._shrink(namespace, min(excess - len(returning), self._ready[namespace]))
        for need in self._waiting():
            known = not need.plain and need.groups is not None and need.wish is None
            if known and need.slot not in self._served and not state.coming.get(need.slot):
                self._steps.append(Create(state.node, need.network, special=need))

    def _shrink(self, namespace: str, count: int) -> None:
        free = (
            entry
            for entry in reversed(self._entries.values())
            if entry.namespace == namespace
            and not (entry.pod_uid or entry.retiring)
            and self._claim(entry.port_id) is None
        )
        for entry in list(islice(free, max(0, count))):
            self._retire(entry)

    def _waiting(self) -> Iterator[Need]:
        for need in self._state.needs:
            if need.slot not in self._claimed and not need.leaving:
                yield need

    # the trunk

    def _change_trunk(self) -> None:
        state = self._state
        if state.trunk_id is None or state.native or state.trunk_busy:
            return
        known = {step.port_id for step in self._steps if isinstance(step, Delete)} | self._entries.keys()
        fresh = [
            port_id
            for port_id in state.ports
            if port_id not in state.attached and port_id not in state.busy and port_id not in known
        ] + self._lent.fresh
        used = {*state.vlans.values(), *(entry.segmentation_id for entry in self._listed())}
        vlans = free_vlans(used, len(fresh), after=state.last_vlan)
        if len(vlans) < len(fresh):
            self._findings["TrunkFull"] = trunk_full(state.node)
        pairs = self._attach + list(zip(fresh, vlans, strict=False))
        if pairs:
            self._steps.append(Attach(state.trunk_id, tuple(pairs[:SUBPORTS_A_CALL])))
        elif self._detach:
            self._steps.append(Detach(state.trunk_id, tuple(self._detach[:SUBPORTS_A_CALL])))

    # words

    def _listed(self) -> tuple[PoolPort, ...]:
        return (*self._entries.values(), *self._lent.entries)

    def _claim(self, port_id: str) -> Claim | None:
        return self._state.claims.get(port_id)

    def _settled(self, port_id: str) -> bool:
        return not self._state.present or port_id in self._state.settled

    def _is_leaving(self, entry: PoolPort, claim: Claim | None) -> bool:
        return claim is None and (
            not self._state.present or (entry.retiring and self._settled(entry.port_id))
        )

    def _wanted(self, slot: Slot) -> Need | None:
        need = self._needs.get(slot)
        return None if need is None or need.leaving or slot in self._claimed else need

    def _retire(self, entry: PoolPort) -> None:
        self._entries[entry.port_id] = msgspec.structs.replace(entry, retiring=True)

    def _remove(self, port: Port) -> None:
        if port.id in self._state.busy:
            return
        if port.id in self._state.attached and not self._state.native:
            self._detach.append(port.id)
        else:
            self._steps.append(Delete(port.id))

    def _set_groups(self, port: Port, groups: tuple[str, ...]) -> None:
        if port.id not in self._state.busy:
            self._steps.append(SetGroups(port.id, groups))


def _groups(port: Port) -> tuple[str, ...]:
    return tuple(sorted(port.security_groups))
