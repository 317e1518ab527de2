"""A cloud in memory, as far as pods need one: slow and failing.

A call that was begun takes effect even when its caller was killed meanwhile, as with the real one. What must
never be done with ports is noted as a sin at the moment it happens.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from causeway.cloud import errors
from causeway.cloud.neutron import FixedIP, Port, PortRequest, Subport, Trunk
from causeway.cloud.ownership import Owner
from causeway.cloud.prepared_ports import PreparedPort, tags_of
from causeway.kit import trace

NODES = ("w1", "w2")
PREPARED = ("prepared-1", "prepared-2")  # by people, for pods of namespace n
CHASSIS = {"m1": "m1.example"}  # native nodes, where there are any


class Cloud:
    """Neutron, as far as pods need it."""

    def __init__(self, chance: random.Random, sins: list[str]) -> None:
        self._chance = chance
        self._sins = sins
        self.faults = 0.0
        self.calls = Counter[str]()
        self.quota = 10_000
        self.used: dict[str, str] = {}  # port -> uid of the pod whose link it is
        self.effects: set[asyncio.Task[Any]] = set()
        self._ids = itertools.count(1)
        self.ports: dict[str, Port] = {}
        self.trunks: dict[str, Trunk] = {}
        self.bound: dict[str, str] = {}  # port -> chassis
        for node in NODES:
            self.add_trunk(node)
        # Somebody else's: a subport on our trunk, a trunk of the same name, a port of another cluster.
        self._port("foreign-subport", [])
        self._port("foreign-parent", Owner("other", "node", "w1").tags())
        self._port("foreign-pod", Owner("other", "pod", "u1").tags())
        self._port("service-port", Owner("c", "service", "u1").tags())
        for name in PREPARED:
            self._prepare(name, "c", "n")
        self._prepare("prepared-elsewhere", "other", "n")
        self._prepare("prepared-for-others", "c", "another")
        self.before = {name: self.ports[name] for name in PREPARED}
        self.trunks["t-w1"] = msgspec.structs.replace(
            self.trunks["t-w1"], sub_ports=[Subport("foreign-subport", 2)]
        )
        self.trunks["t-other"] = Trunk("t-other", "w1", "ACTIVE", "foreign-parent")

    def add_trunk(self, node: str) -> None:
        self._port(f"parent-{node}", Owner("c", "node", node).tags())
        self.trunks[f"t-{node}"] = Trunk(f"t-{node}", node, "ACTIVE", f"parent-{node}")

    def ours(self) -> dict[str, Port]:
        """Return the ports of pods."""
        owners = {port.id: port.owner for port in self.ports.values()}
        return {
            port_id: self.ports[port_id]
            for port_id, owner in owners.items()
            if owner and (owner.cluster, owner.kind) == ("c", "pod")
        }

    def places(self) -> dict[str, tuple[str, int]]:
        """Return (node, VLAN) of every port that reaches a node, VLAN 0 on native ones."""
        nodes = {chassis: node for node, chassis in CHASSIS.items()}
        return self.subports() | {port: (nodes[chassis], 0) for port, chassis in self.bound.items()}

    def subports(self) -> dict[str, tuple[str, int]]:
        return {
            sub.port_id: (trunk.name, sub.segmentation_id)
            for trunk in self.trunks.values()
            for sub in trunk.sub_ports
        }

    def _port(self, port_id: str, tags: list[str], name: str = "") -> Port:
        number = next(self._ids)
        self.ports[port_id] = Port(
            port_id,
            name or port_id,
            "DOWN",
            "net",
            f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}",
            (FixedIP("sub", f"10.1.{number >> 8}.{number & 255}"),),
            tuple(tags),
            security_groups=("sg",),
        )
        return self.ports[port_id]

    def _prepare(self, port_id: str, cluster: str, namespace: str) -> None:
        shown = self._port(port_id, list(tags_of(cluster, namespace)), f"name-of-{port_id}")
        values = {field: getattr(shown, field) for field in shown.__struct_fields__}
        self.ports[port_id] = PreparedPort(**values | {"security_groups": ("theirs",)})

    def occupy(self, port_id: str) -> None:
        """A server takes a prepared port, if it is free, or lets it go."""
        owner = {"": "compute:nova", "compute:nova": ""}.get(self.ports[port_id].device_owner)
        if owner is not None and port_id not in self.places():
            self._with(port_id, device_owner=owner)

    def consent(self, port_id: str) -> None:
        """The owner of a prepared port says that it is not for our pods, or is again."""
        tags = () if self.ports[port_id].tags else tags_of("c", "n")
        self._with(port_id, tags=tags)

    def restore(self) -> None:
        """The owners of prepared ports give them to our pods, and use them nowhere else."""
        for name in PREPARED:
            if self.ports[name].device_owner == "compute:nova":
                self.occupy(name)
            if not self.ports[name].tags:
                self.consent(name)

    async def list_prepared_ports(self, cluster: str) -> list[PreparedPort]:
        def find() -> list[PreparedPort]:
            prepared = [port for port in self.ports.values() if isinstance(port, PreparedPort)]
            return [port for port in prepared if f"causeway-for={cluster}" in port.tags]

        found: list[PreparedPort] = await self._call("list prepared ports", find)
        return found

    async def bind_port(self, port_id: str, *, host: str, cluster: str) -> PreparedPort:
        def bind() -> PreparedPort:
            port = self._people(port_id)
            if port_id in self.subports() or (port.device_owner and not port.is_lent(cluster)):
                raise errors.InUse("network", "port is in use", status=409)
            self._must(self.bound.get(port_id) in (None, host), f"bound {port_id}, which is elsewhere")
            self.bound[port_id] = host
            changed = self._with(port_id, device_owner="causeway:pod", device_id=cluster, host=host)
            assert isinstance(changed, PreparedPort)
            return changed

        bound: PreparedPort = await self._call("bind port", bind)
        return bound

    async def unbind_port(self, port_id: str, *, cluster: str) -> PreparedPort:
        def unbind() -> PreparedPort:
            port = self._people(port_id)
            if port.is_lent(cluster):
                self._must(port_id not in self.used, f"unbound {port_id} that a pod has")
                self.bound.pop(port_id, None)
                self._with(port_id, device_owner="", device_id="", host="")
            return self._people(port_id)

        unbound: PreparedPort = await self._call("unbind port", unbind)
        return unbound

    def _people(self, port_id: str) -> PreparedPort:
        port = self.ports[port_id]
        assert isinstance(port, PreparedPort)
        return port

    async def _call(self, name: str, effect: Callable[[], Any]) -> Any:
        """Make a call that takes a while; what it does happens even if nobody waits for it any more."""
        self.calls[name] += 1
        with trace.span(f"network {name}", kind="outgoing"):
            return await self._served(effect)

    async def _served(self, effect: Callable[[], Any]) -> Any:
        before, after = self._chance.uniform(0.01, 2), self._chance.uniform(0.01, 1)

        async def serve() -> Any:
            await asyncio.sleep(before)
            if self._chance.random() < self.faults:
                raise errors.ServerError("network", "broke before")
            result = effect()
            if self._chance.random() < self.faults:
                raise errors.Timeout("network", "broke after")
            await asyncio.sleep(after)
            return result

        task = asyncio.create_task(serve())
        self.effects.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, effect: "asyncio.Task[Any]") -> None:
        self.effects.discard(effect)
        if not effect.cancelled():
            effect.exception()

    def _must(self, right: bool, what: str) -> None:
        if not right:
            self._sins.append(what)

    async def list_owned_ports(self, cluster: str, kind: str | None = None) -> list[Port]:
        found: list[Port] = await self._call(
            "list ports",
            lambda: [port for port in self.ports.values() if port.owner and port.owner.cluster == cluster],
        )
        return found

    async def list_trunks(self) -> list[Trunk]:
        trunks: list[Trunk] = await self._call("list trunks", lambda: list(self.trunks.values()))
        return trunks

    async def get_trunk(self, trunk_id: str) -> Trunk:
        trunk: Trunk = await self._call("get trunk", lambda: self.trunks[trunk_id])
        return trunk

    async def create_ports(self, requests: Sequence[PortRequest]) -> list[Port]:
        def create() -> list[Port]:
            if len(self.ours()) + len(requests) > self.quota:
                raise errors.Quota("network", "Quota exceeded for resources: ['port'].", status=409)
            made = []
            for request in requests:
                port = self._port(f"p{next(self._ids)}", request.tags, request.name)
                made.append(self._with(port.id, security_groups=tuple(request.security_groups)))
                if request.host:
                    self.bound[port.id] = request.host
            return made

        ports: list[Port] = await self._call("create ports", create)
        return ports

    async def update_port(
        self, port_id: str, *, name: str | None = None, security_groups: Sequence[str] | None = None
    ) -> Port:
        def update() -> Port:
            if port_id not in self.ports:
                raise errors.NotFound("network", "no such port", status=404)
            self._must(port_id in self.ours(), f"changed foreign {port_id}")
            if name is not None:
                return self._with(port_id, name=name)
            return self._with(port_id, security_groups=tuple(security_groups or ()))

        changed: Port = await self._call("rename port" if name else "set groups", update)
        return changed

    def _with(self, port_id: str, **changes: Any) -> Port:
        self.ports[port_id] = msgspec.structs.replace(self.ports[port_id], **changes)
        return self.ports[port_id]

    async def delete_port(self, port_id: str) -> None:
        def delete() -> None:
            if port_id in self.subports():
                raise errors.InUse("network", "port is a subport", status=409)
            self._must(port_id not in self.ports or port_id in self.ours(), f"deleted foreign {port_id}")
            self._must(port_id not in self.used, f"deleted {port_id} that a pod has")
            self.ports.pop(port_id, None)
            self.bound.pop(port_id, None)

        await self._call("delete port", delete)

    async def add_subports(self, trunk_id: str, subports: Sequence[Subport]) -> Trunk:
        def add() -> Trunk:
            trunk = self.trunks[trunk_id]
            self._must(trunk_id != "t-other", "changed a foreign trunk")
            taken = {sub.segmentation_id for sub in trunk.sub_ports}
            attached = set(self.subports())
            for sub in subports:
                self._must(1 <= sub.segmentation_id <= 4094, f"VLAN {sub.segmentation_id}")
                if sub.port_id not in self.ports:
                    raise errors.NotFound("network", "no such port", status=404)
                if self.ports[sub.port_id].device_owner:
                    raise errors.InUse("network", "port is in use", status=409)
                if sub.segmentation_id in taken or sub.port_id in attached:
                    raise errors.AddressTaken("network", "duplicate", status=409)
                taken.add(sub.segmentation_id)
                attached.add(sub.port_id)
            self.trunks[trunk_id] = msgspec.structs.replace(trunk, sub_ports=[*trunk.sub_ports, *subports])
            for sub in subports:
                self._must(sub.port_id in self.ours() or sub.port_id in PREPARED, f"took {sub.port_id}")
                self._with(sub.port_id, device_owner="trunk:subport")
            return self.trunks[trunk_id]

        changed: Trunk = await self._call("add subports", add)
        return changed

    async def remove_subports(self, trunk_id: str, port_ids: Iterable[str]) -> Trunk:
        removed = set(port_ids)

        def remove() -> Trunk:
            trunk = self.trunks[trunk_id]
            there = {sub.port_id for sub in trunk.sub_ports}
            self._must(not removed & set(self.used), f"detached {removed & set(self.used)} that pods have")
            ours = {*self.ours(), *PREPARED}
            self._must(removed <= ours | (removed - there), "detached foreign ports")
            if not removed <= there:
                raise errors.NotFound("network", "no such subport", status=404)
            left = [sub for sub in trunk.sub_ports if sub.port_id not in removed]
            self.trunks[trunk_id] = msgspec.structs.replace(trunk, sub_ports=left)
            for port_id in removed:
                self._with(port_id, device_owner="")
            return self.trunks[trunk_id]

        changed: Trunk = await self._call("remove subports", remove)
        return changed
