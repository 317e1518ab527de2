"""The pods' ports and the nodes' trunks as the cloud has them: listed now and then, kept right between.

Nobody asks the cloud about a single pod. Two calls list everything; between two lists our own writes are
entered as they succeed. A list that was begun before a write ended may not know of it, so what was written
since the list began is believed over the list.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from causeway.cloud.neutron import Port, Trunk
from causeway.cloud.ownership import owner_of
from causeway.rooms.pods.model import KIND, NODE_KIND, Actual, Attachment, OwnedPort, Told


class Lister(Protocol):
    """The part of Neutron that is read."""

    async def list_owned_ports(self, cluster: str, kind: str | None = None) -> list[Port]:
        """Return the ports of a cluster."""
        ...

    async def list_trunks(self) -> list[Trunk]:
        """Return all trunks of the project."""
        ...


@dataclass
class TrunkState:
    """A node's trunk: its subports with their VLANs, and the last VLAN given out."""

    id: str
    node: str
    vlans: dict[str, int] = field(default_factory=dict)
    last_vlan: int = 0


class View:
    """Everything of one cluster that this room works with."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._ports: dict[str, Port] = {}
        self._of_pod: dict[str, set[str]] = {}
        self._attached: dict[str, Attachment] = {}
        self._written: dict[str, int] = {}  # id of a port or trunk -> when we last wrote it
        self._clock = 0
        self.trunks: dict[str, TrunkState] = {}  # by id
        self._trunk_of_node: dict[str, str] = {}

    def actual(self, uid: str, node: str | None, told: Told | None) -> Actual:
        """Return what there is of the pod ``uid``."""
        ports = [self._ports[port_id] for port_id in sorted(self._of_pod.get(uid, ()))]
        return Actual(
            ports=tuple(
                OwnedPort(
                    id=port.id,
                    mac=port.mac_address,
                    addresses=tuple(fixed.ip_address for fixed in port.fixed_ips),
                    attached=self._attached.get(port.id),
                )
                for port in ports
            ),
            trunk_id=self._trunk_of_node.get(node) if node else None,
            told=told,
        )

    def pods(self) -> list[str]:
        """Return the uids of all pods that have a port."""
        return list(self._of_pod)

    def port_made(self, port: Port) -> None:
        """Enter a port of ours that now exists."""
        self._wrote(port.id)
        self._enter(port)

    def port_gone(self, port_id: str) -> None:
        """Strike out a port that no longer exists."""
        self._wrote(port_id)
        self._strike(port_id)

    def trunk_changed(self, trunk: Trunk) -> None:
        """Enter a trunk of ours as a call returned it."""
        self._wrote(trunk.id)
        if trunk.id in self.trunks:
            self._enter_trunk(trunk)

    def trunk_gone(self, trunk_id: str) -> None:
        """Strike out a trunk that no longer exists."""
        self._wrote(trunk_id)
        self._strike_trunk(trunk_id)

    def begin(self) -> int:
        """Return the moment a list begins, for ``take``."""
        return self._clock

    def take(self, began: int, ports: Sequence[Port], trunks: Sequence[Trunk]) -> None:
        """Take in complete lists of the cluster's ports and the project's trunks."""
        fresh = {port.id: port for port in ports if self._owns(port, KIND)}
        parents = {port.id for port in ports if self._owns(port, NODE_KIND)}
        for port_id in {*self._ports, *fresh}:
            if self._written.get(port_id, 0) > began:
                continue
            if port_id in fresh:
                self._enter(fresh[port_id])
            else:
                self._strike(port_id)
        ours = {trunk.id: trunk for trunk in trunks if trunk.port_id in parents}
        for trunk_id in {*self.trunks, *ours}:
            if self._written.get(trunk_id, 0) > began:
                continue
            if trunk_id in ours:
                self._enter_trunk(ours[trunk_id])
            else:
                self._strike_trunk(trunk_id)
        self._written = {key: moment for key, moment in self._written.items() if moment > began}

    def _owns(self, port: Port, kind: str) -> bool:
        owner = owner_of(port.tags)
        return owner is not None and (owner.cluster, owner.kind) == (self._cluster, kind)

    def _wrote(self, identifier: str) -> None:
        self._clock += 1
        self._written[identifier] = self._clock

    def _enter(self, port: Port) -> None:
        owner = owner_of(port.tags)
        if owner is not None and owner.uid:
            self._ports[port.id] = port
            self._of_pod.setdefault(owner.uid, set()).add(port.id)

    def _strike(self, port_id: str) -> None:
        port = self._ports.pop(port_id, None)
        owner = owner_of(port.tags) if port else None
        if owner is not None:
            of_pod = self._of_pod.get(owner.uid, set())
            of_pod.discard(port_id)
            if not of_pod:
                self._of_pod.pop(owner.uid, None)

    def _enter_trunk(self, trunk: Trunk) -> None:
        known = self.trunks.get(trunk.id)
        self._strike_trunk(trunk.id)
        vlans = {subport.port_id: subport.segmentation_id for subport in trunk.sub_ports}
        last = known.last_vlan if known else 0
        self.trunks[trunk.id] = TrunkState(trunk.id, trunk.name, vlans, last)
        self._trunk_of_node[trunk.name] = trunk.id
        for port_id, vlan in vlans.items():
            self._attached[port_id] = Attachment(trunk.id, vlan)

    def _strike_trunk(self, trunk_id: str) -> None:
        trunk = self.trunks.pop(trunk_id, None)
        if trunk is None:
            return
        if self._trunk_of_node.get(trunk.node) == trunk_id:
            del self._trunk_of_node[trunk.node]
        for port_id in trunk.vlans:
            if self._attached.get(port_id, Attachment("", 0)).trunk_id == trunk_id:
                del self._attached[port_id]


class Poller:
    """Lists the cloud into a view; the only one that does."""

    def __init__(self, neutron: Lister, view: View, cluster: str) -> None:
        self._neutron = neutron
        self._view = view
        self._cluster = cluster
        self._lock = asyncio.Lock()
        self._doubted = 0
        self._settled = -1  # the doubts up to this one are settled
        self._listed_at = -math.inf
        self.synced = asyncio.Event()

    def doubt(self, unless_younger: float = 0.0) -> None:
        """Say that the view may be wrong, unless it is less than so many seconds old.

        It may be when it is not known what a call that failed has done, or when something new is looked for.
        """
        if asyncio.get_running_loop().time() - self._listed_at >= unless_younger:
            self._doubted += 1

    async def settle(self) -> None:
        """Refresh if there is doubt. Raises ``CloudError``; the doubt then remains."""
        if self._settled < self._doubted:
            async with self._lock:
                if self._settled < self._doubted:
                    await self._list()

    async def refresh(self) -> None:
        """List everything. Raises ``CloudError``."""
        async with self._lock:
            await self._list()

    async def _list(self) -> None:
        doubted, began = self._doubted, self._view.begin()
        started = asyncio.get_running_loop().time()
        ports, trunks = await asyncio.gather(
            self._neutron.list_owned_ports(self._cluster), self._neutron.list_trunks()
        )
        self._view.take(began, ports, trunks)
        self._settled, self._listed_at = doubted, started
        self.synced.set()
