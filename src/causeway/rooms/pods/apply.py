"""Steps become calls here and nowhere else. Every step may be repeated: what is done already is success.

Ports are made in bulk, whatever node they are for; subports are changed in one call at a time for a trunk,
because Neutron locks it. How many calls are made at a time follows what the cloud can take.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from causeway.cloud import errors
from causeway.cloud.neutron import Port, PortRequest, Subport, Trunk
from causeway.cloud.prepared_ports import PreparedPort
from causeway.engine.batch import Batcher
from causeway.engine.pace import Pace
from causeway.kit import trace
from causeway.rooms.pods.actual import View
from causeway.rooms.pods.entries import name_of, ready_name
from causeway.rooms.pods.model import Attach, Bind, Detach, Need, SetGroups, tags_for
from causeway.rooms.pods.neighbours import NetworkOfNamespace

Item = TypeVar("Item")

log = structlog.get_logger()

_PORTS_A_CALL = 10  # more are hardly cheaper each, and all wait for the last
_CREATIONS = 8  # calls at a time at most, however fast the cloud is
_QUIET = 2.0  # seconds a name waits: it may be another one by then
_NAMES_AT_A_TIME = 4
_FAILED = "binding_failed"
_URGENT, _LATER, _LAST = 0, 1, 2  # priorities

_ONE_MAY_BE_TO_BLAME = (
    errors.Quota,
    errors.NoAddresses,
    errors.BadRequest,
    errors.Conflict,
    errors.NotFound,
)


class Ports(Protocol):
    """The part of Neutron that is written."""

    async def create_ports(self, requests: Sequence[PortRequest]) -> list[Port]:
        """Create ports in one call."""
        ...

    async def update_port(
        self, port_id: str, *, name: str | None = None, security_groups: Sequence[str] | None = None
    ) -> Port:
        """Change a port."""
        ...

    async def delete_port(self, port_id: str) -> None:
        """Delete a port."""
        ...

    async def get_trunk(self, trunk_id: str) -> Trunk:
        """Return one trunk."""
        ...

    async def add_subports(self, trunk_id: str, subports: Sequence[Subport]) -> Trunk:
        """Add subports in one call."""
        ...

    async def remove_subports(self, trunk_id: str, port_ids: Iterable[str]) -> Trunk:
        """Remove subports in one call."""
        ...


class PreparedWriter(Protocol):
    """The part of Neutron that says where prepared ports are used."""

    async def bind_port(self, port_id: str, *, host: str, cluster: str) -> PreparedPort:
        """Bind a port to a chassis."""
        ...

    async def unbind_port(self, port_id: str, *, cluster: str) -> PreparedPort:
        """Bind a port to nothing."""
        ...


@dataclass(frozen=True)
class _Order:
    node: str
    request: PortRequest


class Applier:
    """Makes the calls and enters what they did into the view. Everything raises ``CloudError``."""

    def __init__(self, neutron: Ports, people: PreparedWriter, view: View) -> None:
        self._neutron = neutron
        self._people = people
        self._view = view
        self.pace = Pace()
        self._creating = Batcher(
            self._create_ports,
            most=_PORTS_A_CALL,
            flights=_CREATIONS,
            divisible=_ONE_MAY_BE_TO_BLAME,
            final=(errors.Quota, errors.NoAddresses),
        )
        self.making = 0
        self._left: Counter[str] = Counter()  # security groups, by calls under way
        self._names: dict[str, Mapping[str, str]] = {}
        self._named = asyncio.Event()

    def close(self) -> None:
        """Break off what is under way."""
        self._creating.close()

    async def create(self, node: str, network: NetworkOfNamespace, special: Need | None) -> None:
        """Make one port, together with others that are asked for at the same time."""
        groups = network.groups if special is None else special.groups or ()
        host = self._view.hosts.get(node, "")
        request = PortRequest(
            name=ready_name(node) if special is None else name_of(special.namespace, special.name),
            network_id=network.network_id,
            tags=tags_for(self._view.cluster, special.slot if special else None, host),
            fixed_ips=_fixed_ips(network, special),
            security_groups=list(groups),
            mac_address=special.mac if special is not None else "",
            host=host,
        )
        self.making += 1
        try:
            await self._creating.ask(_Order(node, request))
        finally:
            self.making -= 1

    async def attach(self, step: Attach) -> None:
        """Add subports to a trunk, but for those it has."""
        trunk = self._view.trunks.get(step.trunk_id)
        if trunk is None:
            raise errors.NotFound("network", f"trunk {step.trunk_id} does not exist any more", status=404)
        missing = [(port_id, vlan) for port_id, vlan in step.ports if port_id not in trunk.vlans]
        trunk.last_vlan = missing[-1][1] if missing else trunk.last_vlan

        async def add(some: Sequence[tuple[str, int]]) -> Trunk:
            subports = [Subport(port_id, vlan) for port_id, vlan in some]
            return await self._neutron.add_subports(step.trunk_id, subports)

        await self._change(step.trunk_id, missing, add, _URGENT)

    async def detach(self, step: Detach) -> None:
        """Remove subports from a trunk; what is not there is fine."""
        trunk = self._view.trunks.get(step.trunk_id)
        there = [port_id for port_id in step.ports if trunk and port_id in trunk.vlans]

        async def remove(some: Sequence[str]) -> Trunk:
            return await self._neutron.remove_subports(step.trunk_id, some)

        await self._change(step.trunk_id, there, remove, _LATER)

    async def delete(self, port_id: str) -> None:
        """Delete a port."""
        async with self.pace.turn(_LATER):
            await self._neutron.delete_port(port_id)
        self._view.port_gone(port_id)

    async def bind(self, step: Bind) -> None:
        """Bind a prepared port to a node's chassis."""
        host = self._view.hosts.get(step.node)
        if host is None:
            raise errors.NotFound("network", f"node {step.node} is not native any more", status=404)
        async with self.pace.turn(_URGENT):
            port = await self._people.bind_port(step.port_id, host=host, cluster=self._view.cluster)
            if port.host != host or port.vif_type == _FAILED:  # without a pause it would be tried for ever
                why = "it cannot be bound there" if port.host == host else "where it is bound cannot be read"
                await self._people.unbind_port(step.port_id, cluster=self._view.cluster)
                raise errors.Conflict("network", f"port {port.id} for chassis {host}: {why}")
        self._view.prepared_changed(port)

    async def unbind(self, port_id: str) -> None:
        """Let go of a prepared port that is bound to a chassis."""
        async with self.pace.turn(_LATER):
            port = await self._people.unbind_port(port_id, cluster=self._view.cluster)
        self._view.prepared_changed(port)

    def to_blame(self, step: Attach) -> list[str]:
        """Return the prepared ports for which adding subports failed, if it failed for no others."""
        trunk = self._view.trunks.get(step.trunk_id)
        missing = [port_id for port_id, _ in step.ports if trunk and port_id not in trunk.vlans]
        return missing if self._view.prepared.ports.keys() >= {*missing} else []

    async def set_groups(self, step: SetGroups) -> None:
        """Give a port other security groups."""
        before = self._view.ports.get(step.port_id)
        left = frozenset(before.security_groups).difference(step.groups) if before else frozenset()
        async with self.pace.turn(_URGENT):
            self._left.update(left)
            try:
                port = await self._neutron.update_port(step.port_id, security_groups=step.groups)
            finally:
                self._left.subtract(left)
                self._left = +self._left
        self._view.port_changed(port)

    def is_left(self, group: str) -> bool:
        """Return whether a port is being taken out of a security group at this moment.

        Neutron lets the group be deleted as soon as it has written that down, and OVN's driver fails over a
        group that has gone when it comes to do it: what the port then allows stays as it was.
        """
        return group in self._left

    def name(self, node: str, names: Mapping[str, str]) -> None:
        """Say which ports of a node should have other names, by port id; it is done when there is time."""
        if names:
            self._names[node] = names
            self._named.set()
        else:
            self._names.pop(node, None)

    async def keep_names(self) -> None:
        """Give ports their names until cancelled."""
        while True:
            await self._named.wait()
            self._named.clear()
            await asyncio.sleep(_QUIET)
            wanted = iter([(node, port_id) for node, names in self._names.items() for port_id in names])
            await asyncio.gather(*(self._rename_each(wanted) for _ in range(_NAMES_AT_A_TIME)))

    async def _rename_each(self, wanted: Iterator[tuple[str, str]]) -> None:
        for node, port_id in wanted:  # there may be thousands: a few go through them, each takes the next
            try:
                await self._rename(node, port_id)
            except errors.CloudError as error:  # the next look at the node asks for it again
                log.info("port not renamed", port=port_id, cause=str(error))

    async def _rename(self, node: str, port_id: str) -> None:
        async with self.pace.turn(_LAST):
            name, port = self._names.get(node, {}).get(port_id), self._view.ports.get(port_id)
            if name is not None and port is not None and port.name != name:
                with trace.work("name port", {"room": "pods", "kind": "Port", "key": name}, of=name):
                    self._view.port_changed(await self._neutron.update_port(port_id, name=name))

    async def _create_ports(self, orders: Sequence[_Order]) -> list[None]:
        async with self.pace.turn(_URGENT):
            made = await self._neutron.create_ports([order.request for order in orders])
        for order, port in zip(orders, made, strict=True):
            self._view.port_made(port, order.node)
        return [None] * len(orders)

    async def _change(
        self,
        trunk_id: str,
        items: Sequence[Item],
        call: Callable[[Sequence[Item]], Awaitable[Trunk]],
        priority: int,
    ) -> None:
        """Change a trunk in one call; if one of ``items`` may be to blame for its failure, in halves."""
        if not items:
            return
        try:
            async with self.pace.turn(priority):
                changed = await call(items)
        except _ONE_MAY_BE_TO_BLAME:
            await self._look_again(trunk_id)
            if len(items) == 1:
                raise
            failed: errors.CloudError | None = None
            for half in (items[: len(items) // 2], items[len(items) // 2 :]):
                try:
                    await self._change(trunk_id, half, call, priority)
                except errors.CloudError as error:
                    failed = error
            if failed is not None:
                raise failed from None
        except errors.CloudError:
            await self._look_again(trunk_id)
            raise
        else:
            self._view.trunk_changed(changed)

    async def _look_again(self, trunk_id: str) -> None:
        """Learn what became of a trunk after a call that failed; if that fails too, the poller will."""
        with contextlib.suppress(errors.CloudError):
            try:
                self._view.trunk_changed(await self._neutron.get_trunk(trunk_id))
            except errors.NotFound:
                self._view.trunk_gone(trunk_id)


def _fixed_ips(network: NetworkOfNamespace, special: Need | None) -> list[dict[str, str]]:
    if special is not None and special.addresses:
        return [{"ip_address": each} for each in special.addresses]
    chosen = special.subnets if special is not None else ()
    return [{"subnet_id": each} for each in chosen or [subnet.id for subnet in network.subnets]]
