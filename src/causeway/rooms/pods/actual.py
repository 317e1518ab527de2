"""The pods' ports and the nodes' trunks as the cloud has them: listed now and then, kept right between.

Nobody asks the cloud about a single pod. Three calls list everything; between two lists our own writes are
entered as they succeed. A list that was begun before a write ended may not know of it, so what was written
since the list began is believed over the list.
"""

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from causeway.cloud.neutron import Port, Trunk
from causeway.cloud.ownership import Owner
from causeway.cloud.prepared_ports import PreparedPort
from causeway.engine.listing import Listed
from causeway.rooms.pods.lent import Prepared
from causeway.rooms.pods.model import KIND, NATIVE, NODE_KIND, Attachment, host_of


class Lister(Protocol):
    """The part of Neutron that is read."""

    async def list_owned_ports(self, cluster: str, kind: str | None = None) -> list[Port]:
        """Return the ports of a cluster."""
        ...

    async def list_trunks(self) -> list[Trunk]:
        """Return all trunks of the project."""
        ...


class PreparedLister(Protocol):
    """The part of Neutron that knows prepared ports."""

    async def list_prepared_ports(self, cluster: str) -> list[PreparedPort]:
        """Return the ports that people gave to the pods of a cluster."""
        ...


@dataclass
class TrunkState:
    """A node's trunk: its subports with their VLANs, and the last VLAN given out."""

    id: str
    node: str
    vlans: dict[str, int] = field(default_factory=dict)
    last_vlan: int = 0


class View:
    """Everything of one cluster that this room works with; ``hosts`` are the chassis of native nodes.

    A port is ``destined`` for a node from its making until it is attached; one that is neither attached nor
    destined is loose: a call whose answer was lost made it, or something took it off its trunk.
    """

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self._marks = {kind: frozenset(Owner(cluster, kind).tags()) for kind in (KIND, NODE_KIND)}
        self._written: dict[str, int] = {}  # id of a port or trunk -> when we last wrote it
        self._clock = 0
        self.hosts: dict[str, str] = {}
        self.prepared = Prepared(cluster)
        self.ports: dict[str, Port] = {}
        self.attached: dict[str, Attachment] = {}
        self.trunks: dict[str, TrunkState] = {}  # by id
        self._trunk_of_node: dict[str, str] = {}
        self._destined: dict[str, str] = {}
        self._loose: set[str] = set()
        self._bound: dict[str, set[str]] = {}  # by chassis

    def nodes(self) -> list[str]:
        """Return the nodes that have a trunk or are to get ports."""
        return [*{*self._trunk_of_node, *self._destined.values()}]

    def trunk_of(self, node: str) -> TrunkState | None:
        """Return the trunk of a node."""
        trunk_id = self._trunk_of_node.get(node)
        return self.trunks[trunk_id] if trunk_id else None

    def ports_of(self, node: str, listed: Sequence[str]) -> dict[str, Port]:
        """Return our ports that are on a node's trunk or chassis, destined for it, or ``listed`` (by id)."""
        trunk = self.trunk_of(node)
        there = list(trunk.vlans) if trunk else []
        if host := self.hosts.get(node):
            there += self._bound.get(host, ())
        destined = [port_id for port_id, where in self._destined.items() if where == node]
        wanted = dict.fromkeys([*listed, *there, *destined])
        return {port_id: self.ports[port_id] for port_id in wanted if port_id in self.ports}

    def prepared_of(self, node: str, asked: Iterable[str]) -> dict[str, PreparedPort]:
        """Return the prepared ports that are on a node's trunk or chassis, or ``asked`` for (by id)."""
        known, trunk = self.prepared.ports, self.trunk_of(node)
        host = self.hosts.get(node)
        there = self.prepared.bound_to(host) if host else known.keys() & trunk.vlans.keys() if trunk else ()
        return {port_id: known[port_id] for port_id in sorted({*asked, *there}) if port_id in known}

    def attachment_of(self, node: str, port: Port) -> Attachment | None:
        """Return where a port of a node is attached."""
        if host := self.hosts.get(node):
            return NATIVE if host in (host_of(port), self.prepared.host_of(port.id)) else None
        return self.attached.get(port.id)

    def loose(self) -> list[Port]:
        """Return our ports that are on no trunk of ours, on no node's chassis, and destined for none."""
        known = {*self.hosts.values()}
        strays = (port_ids for host, port_ids in self._bound.items() if host not in known)
        return [self.ports[port_id] for port_ids in (self._loose, *strays) for port_id in port_ids]

    def destine(self, port_id: str, node: str) -> None:
        """Say for which node a port is that is not attached yet."""
        if port_id not in self.attached:
            self._destined.setdefault(port_id, node)
        self._judge(port_id)

    def port_made(self, port: Port, node: str) -> None:
        """Enter a port of ours that now exists, for ``node``."""
        self.port_changed(port)
        if not host_of(port):
            self.destine(port.id, node)

    def port_changed(self, port: Port) -> None:
        """Enter a port of ours as a call returned it."""
        self._wrote(port.id)
        self.ports[port.id] = port
        self._judge(port.id)

    def port_gone(self, port_id: str) -> None:
        """Strike out a port that no longer exists."""
        self._wrote(port_id)
        self._strike(port_id)

    def prepared_changed(self, port: PreparedPort) -> None:
        """Enter a prepared port as a call returned it."""
        self._wrote(port.id)
        self.prepared.enter(port)

    def trunk_changed(self, trunk: Trunk) -> None:
        """Enter a trunk of ours as a call returned it."""
        self._wrote(trunk.id)
        if trunk.id in self.trunks:
            before = [*self.trunks[trunk.id].vlans]
            self._enter_trunk(trunk)
            for port_id in before:
                if port_id not in self.attached and port_id in self.prepared.ports:
                    self._wrote(port_id)
                    self.prepared.take_off(port_id)

    def trunk_gone(self, trunk_id: str) -> None:
        """Strike out a trunk that no longer exists."""
        self._wrote(trunk_id)
        self._strike_trunk(trunk_id)

    def begin(self) -> int:
        """Return the moment a list begins, for ``take``."""
        return self._clock

    def take(
        self,
        began: int,
        ports: Sequence[Port],
        trunks: Sequence[Trunk],
        prepared: Sequence[PreparedPort] = (),
    ) -> None:
        """Take in complete lists of the cluster's ports, the project's trunks and the prepared ports.

        Nobody may see half of it, so it is done at once, and quickly for what is as it was: nearly all.
        """
        fresh = {port.id: port for port in ports if self._owns(port, KIND)}
        parents = {port.id for port in ports if self._owns(port, NODE_KIND)}
        for port_id in {*self.ports, *fresh}:
            if self._written.get(port_id, 0) > began:
                continue
            if port_id not in fresh:
                self._strike(port_id)
            elif self.ports.get(port_id) != fresh[port_id]:
                self.ports[port_id] = fresh[port_id]
                self._judge(port_id)
        ours = {trunk.id: trunk for trunk in trunks if trunk.port_id in parents}
        for trunk_id in {*self.trunks, *ours}:
            if self._written.get(trunk_id, 0) > began:
                continue
            if trunk_id in ours:
                self._enter_trunk(ours[trunk_id])
            else:
                self._strike_trunk(trunk_id)
        self.prepared.parents = frozenset(trunk.port_id for trunk in trunks)
        found = {port.id: port for port in prepared}
        for port_id in {*self.prepared.ports, *found}:
            if self._written.get(port_id, 0) > began:
                continue
            if port_id in found:
                self.prepared.enter(found[port_id])
            else:
                del self.prepared.ports[port_id]
        self._written = {key: moment for key, moment in self._written.items() if moment > began}

    def _owns(self, port: Port, kind: str) -> bool:
        return self._marks[kind].issubset(port.tags)

    def _wrote(self, identifier: str) -> None:
        self._clock += 1
        self._written[identifier] = self._clock

    def _strike(self, port_id: str) -> None:
        gone = self.ports.pop(port_id, None)
        if gone is not None and (host := host_of(gone)):
            self._bound[host].discard(port_id)
        self._destined.pop(port_id, None)
        self._judge(port_id)

    def _judge(self, port_id: str) -> None:
        """Say anew whether a port is loose: asked for each node, it cannot be searched for every time."""
        port = self.ports.get(port_id)
        if port is not None and (host := host_of(port)):
            self._bound.setdefault(host, set()).add(port_id)
        elif port is not None and port_id not in self.attached and port_id not in self._destined:
            self._loose.add(port_id)
        else:
            self._loose.discard(port_id)

    def _enter_trunk(self, trunk: Trunk) -> None:
        known = self.trunks.get(trunk.id)
        vlans = {subport.port_id: subport.segmentation_id for subport in trunk.sub_ports}
        if known and (known.node, known.vlans) == (trunk.name, vlans):
            return
        self._strike_trunk(trunk.id)
        last = known.last_vlan if known else 0
        self.trunks[trunk.id] = TrunkState(trunk.id, trunk.name, vlans, last)
        self._trunk_of_node[trunk.name] = trunk.id
        for port_id, vlan in vlans.items():
            self.attached[port_id] = Attachment(trunk.id, vlan)
            self._destined.pop(port_id, None)
            self._judge(port_id)

    def _strike_trunk(self, trunk_id: str) -> None:
        trunk = self.trunks.pop(trunk_id, None)
        if trunk is None:
            return
        if self._trunk_of_node.get(trunk.node) == trunk_id:
            del self._trunk_of_node[trunk.node]
        for port_id in trunk.vlans:
            if self.attached.get(port_id, Attachment("", 0)).trunk_id == trunk_id:
                del self.attached[port_id]
                self._judge(port_id)


class Poller(Listed):
    """Lists the cloud into a view; the only one that does."""

    def __init__(self, neutron: Lister, people: PreparedLister, view: View) -> None:
        super().__init__()
        self._neutron = neutron
        self._people = people
        self._view = view
        self._listed_at = -math.inf
        self.synced = asyncio.Event()

    def doubt_if_older(self, seconds: float) -> bool:
        """Doubt what is older than that, because something new is looked for; return whether it is."""
        doubtful = asyncio.get_running_loop().time() - self._listed_at >= seconds
        if doubtful:
            self.doubt()
        return doubtful

    async def _list(self) -> None:
        began = self._view.begin()
        started = asyncio.get_running_loop().time()
        ports, trunks, prepared = await asyncio.gather(
            self._neutron.list_owned_ports(self._view.cluster),
            self._neutron.list_trunks(),
            self._people.list_prepared_ports(self._view.cluster),
        )
        self._view.take(began, ports, trunks, prepared)
        self._listed_at = started
        self.synced.set()
