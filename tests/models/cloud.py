"""Octavia and Neutron's floating IPs in memory: only what the service room relies on, no transport.

A contract test runs the same operations on this model and on a real cloud, so that what is proven with the
model holds there. Octavia answers first and works later: here it works when ``settle`` is called.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from causeway.cloud import errors
from causeway.cloud.neutron import FloatingIP, Neutron, Port, Subnet
from causeway.cloud.octavia import Octavia
from causeway.cloud.octavia_objects import (
    Created,
    HealthMonitor,
    Listener,
    ListenerRequest,
    ListenerStatus,
    LoadBalancer,
    LoadBalancerRequest,
    MemberRequest,
    MemberStatus,
    MonitorRequest,
    MonitorStatus,
    Persistence,
    Pool,
    PoolRequest,
    PoolStatus,
    Reference,
    StatusTree,
)
from causeway.cloud.ownership import Owner

_DEFAULTS: dict[str, Any] = {
    "connection_limit": -1,
    "timeout_client_data": 50000,
    "timeout_member_connect": 5000,
    "timeout_member_data": 50000,
    "timeout_tcp_inspect": 0,
    "allowed_cidrs": None,
    "insert_headers": {},
    "default_tls_container_ref": None,
}


@dataclass
class _Part:
    id: str
    name: str
    state: str = "PENDING_CREATE"


@dataclass
class _Member(_Part):
    address: str = ""
    port: int = 0
    subnet: str = ""


@dataclass
class _Monitor(_Part):
    shown: HealthMonitor | None = None
    tags: list[str] = field(default_factory=list)


@dataclass
class _Pool(_Part):
    listener: str | None = None
    members: list[_Member] = field(default_factory=list)
    persistence: Persistence | None = None
    protocol: str = ""
    algorithm: str = ""
    tags: list[str] = field(default_factory=list)
    monitor: _Monitor | None = None


@dataclass
class _Listener(_Part):
    protocol: str = ""
    port: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


@dataclass
class _Balancer(_Part):
    vip: str = ""
    request: LoadBalancerRequest | None = None
    tags: list[str] = field(default_factory=list)
    made: int = 0
    changed: int = 0
    listeners: dict[str, _Listener] = field(default_factory=dict)
    pools: dict[str, _Pool] = field(default_factory=dict)

    def parts(self) -> Iterator[_Part]:
        """Yield everything below the load balancer."""
        yield from self.listeners.values()
        for pool in self.pools.values():
            yield pool
            yield from pool.members
            if pool.monitor:
                yield pool.monitor


class ModelOctavia(Octavia):
    """Octavia in memory; ``failing`` load balancer creations still to come will end in ERROR."""

    def __init__(self) -> None:
        self.balancers: dict[str, _Balancer] = {}
        self.failing = 0
        self.writes: list[str] = []
        self.reads = 0
        self._numbers = itertools.count(1)
        self._ids = (f"00000000-0000-0000-0000-{number:012d}" for number in itertools.count(1))

    def settle(self) -> None:
        """Do what was promised: PENDING becomes ACTIVE, or gone, or ERROR."""
        for balancer in [*self.balancers.values()]:
            if balancer.state == "PENDING_DELETE":
                del self.balancers[balancer.id]
                continue
            if balancer.state == "PENDING_CREATE" and self.failing:
                self.failing -= 1
                balancer.state = "ERROR"
                continue
            balancer.listeners = {one: each for one, each in balancer.listeners.items() if _stays(each)}
            balancer.pools = {one: each for one, each in balancer.pools.items() if _stays(each)}
            for pool in balancer.pools.values():
                pool.members = [member for member in pool.members if _stays(member)]
                pool.monitor = pool.monitor if pool.monitor and _stays(pool.monitor) else None
            for part in (balancer, *balancer.parts()):
                if part.state.startswith("PENDING"):
                    part.state = "ACTIVE"

    async def providers(self) -> list[str]:
        return ["ovn", "amphora"]

    async def list_load_balancers(self, tags: Sequence[str]) -> list[LoadBalancer]:
        self.reads += 1
        return [self._shown(one) for one in self.balancers.values() if set(tags) <= set(one.tags)]

    async def get_load_balancer(self, identifier: str) -> LoadBalancer:
        self.reads += 1
        return self._shown(self._balancer(identifier))

    async def list_listeners(self, tags: Sequence[str] = (), balancer_id: str = "") -> list[Listener]:
        self.reads += 1
        return [
            _listener(balancer, one)
            for balancer in self.balancers.values()
            for one in balancer.listeners.values()
            if (balancer.id == balancer_id if balancer_id else set(tags) <= set(one.tags))
        ]

    async def list_pools(self, tags: Sequence[str] = (), balancer_id: str = "") -> list[Pool]:
        self.reads += 1
        return [
            _pool(one)
            for balancer in self.balancers.values()
            for one in balancer.pools.values()
            if (balancer.id == balancer_id if balancer_id else set(tags) <= set(one.tags))
        ]

    async def list_monitors(self, tags: Sequence[str]) -> list[HealthMonitor]:
        self.reads += 1
        return [
            pool.monitor.shown
            for balancer in self.balancers.values()
            for pool in balancer.pools.values()
            if pool.monitor and pool.monitor.shown and set(tags) <= set(pool.monitor.tags)
        ]

    async def status_tree(self, identifier: str) -> StatusTree:
        self.reads += 1
        balancer = self._balancer(identifier)
        listeners = [
            ListenerStatus(
                listener.id,
                listener.state,
                "ONLINE",
                listener.name,
                [_pool_status(pool) for pool in balancer.pools.values() if pool.listener == listener.id],
            )
            for listener in balancer.listeners.values()
        ]
        return StatusTree(balancer.id, balancer.state, "ONLINE", balancer.name, listeners)

    async def create_load_balancer(self, request: LoadBalancerRequest) -> Created:
        number = next(self._numbers)
        vip = request.vip_address or f"10.9.0.{number}"
        if any(one.vip == vip for one in self.balancers.values()):
            raise errors.AddressTaken("load-balancer", f"{vip} already allocated")
        if request.provider == "ovn":
            for each in request.listeners:
                _ovn_takes(each)
        balancer = _Balancer(self._id(), request.name, vip=vip, request=request, tags=request.tags)
        balancer.made = number
        for each in request.listeners:
            listener = self._add_listener(balancer, each)
            if each.default_pool:
                self._add_pool(balancer, each.default_pool, listener.id)
        self.balancers[balancer.id] = balancer
        self.writes.append("create load balancer")
        pools = [*balancer.pools.values()]
        monitors = [one.monitor.shown for one in pools if one.monitor and one.monitor.shown]
        return Created(
            self._shown(balancer),
            tuple(_listener(balancer, one) for one in balancer.listeners.values()),
            tuple(_pool(one) for one in pools),
            tuple(monitors),
        )

    async def set_tags(self, identifier: str, tags: Sequence[str]) -> None:
        balancer = self._balancer(identifier)
        self._change(balancer)
        balancer.tags = list(tags)

    async def delete_load_balancer(self, identifier: str) -> None:
        if identifier in self.balancers:
            self._change(self.balancers[identifier], "PENDING_DELETE", also_broken=True)

    async def create_listener(self, request: ListenerRequest) -> Listener:
        balancer = self._balancer(request.loadbalancer_id)
        self._mutable(balancer)
        if balancer.request and balancer.request.provider == "ovn":
            _ovn_takes(request)
        listener = self._add_listener(balancer, request)
        self._change(balancer)
        return _listener(balancer, listener)

    async def update_listener(self, identifier: str, changes: dict[str, Any]) -> Listener:
        balancer = self._holding("listener", identifier)
        self._change(balancer)
        listener = balancer.listeners[identifier]
        listener.state = "PENDING_UPDATE"
        for name, value in changes.items():
            listener.options[name] = _DEFAULTS[name] if value is None else value
        return _listener(balancer, listener)

    async def delete_listener(self, identifier: str) -> None:
        for balancer in self.balancers.values():
            if identifier in balancer.listeners:
                self._change(balancer)
                balancer.listeners[identifier].state = "PENDING_DELETE"
                for pool in balancer.pools.values():
                    pool.listener = None if pool.listener == identifier else pool.listener

    async def create_pool(self, request: PoolRequest) -> Pool:
        balancer = self._holding("listener", request.listener_id)
        self._mutable(balancer)
        if any(pool.listener == request.listener_id for pool in balancer.pools.values()):
            raise errors.Conflict("load-balancer", "This listener already has a default pool")
        pool = self._add_pool(balancer, request, request.listener_id)
        self._change(balancer)
        return _pool(pool)

    async def update_pool(self, identifier: str, changes: dict[str, Any]) -> Pool:
        balancer = self._holding("pool", identifier)
        self._change(balancer)
        pool = balancer.pools[identifier]
        pool.state = "PENDING_UPDATE"
        pool.algorithm = changes.get("lb_algorithm", pool.algorithm)
        pool.persistence = changes.get("session_persistence", pool.persistence)
        return _pool(pool)

    async def delete_pool(self, identifier: str) -> None:
        for balancer in self.balancers.values():
            if identifier in balancer.pools:
                self._change(balancer)
                balancer.pools[identifier].state = "PENDING_DELETE"

    async def put_members(self, pool_id: str, members: Sequence[MemberRequest]) -> None:
        balancer = self._holding("pool", pool_id)
        self._change(balancer)
        pool = balancer.pools[pool_id]
        wanted = {(member.address, member.protocol_port) for member in members}
        present = {(member.address, member.port) for member in pool.members}
        for member in pool.members:
            if (member.address, member.port) not in wanted:
                member.state = "PENDING_DELETE"
        pool.members += [
            _Member(self._id(), "", address=one.address, port=one.protocol_port, subnet=one.subnet_id)
            for one in members
            if (one.address, one.protocol_port) not in present
        ]

    async def create_monitor(self, request: MonitorRequest) -> HealthMonitor:
        balancer = self._holding("pool", request.pool_id)
        pool = balancer.pools[request.pool_id]
        if pool.monitor is not None:
            raise errors.Conflict("load-balancer", "This pool already has a health monitor")
        self._change(balancer)
        pool.monitor = self._monitor(request)
        assert pool.monitor.shown
        return pool.monitor.shown

    async def update_monitor(self, identifier: str, changes: dict[str, Any]) -> HealthMonitor:
        balancer, pool = self._watched(identifier)
        self._change(balancer)
        assert pool.monitor
        assert pool.monitor.shown
        pool.monitor.shown = msgspec.structs.replace(pool.monitor.shown, **changes)
        pool.monitor.state = "PENDING_UPDATE"
        return pool.monitor.shown

    async def delete_monitor(self, identifier: str) -> None:
        try:
            balancer, pool = self._watched(identifier)
        except errors.NotFound:
            return
        self._change(balancer)
        assert pool.monitor
        pool.monitor.state = "PENDING_DELETE"

    def _id(self) -> str:
        return next(self._ids)

    def _watched(self, identifier: str) -> tuple[_Balancer, _Pool]:
        for balancer in self.balancers.values():
            for pool in balancer.pools.values():
                if pool.monitor and pool.monitor.id == identifier:
                    return balancer, pool
        raise errors.NotFound("load-balancer", f"healthmonitor {identifier} not found.")

    def _balancer(self, identifier: str) -> _Balancer:
        if identifier not in self.balancers:
            raise errors.NotFound("load-balancer", f"Load Balancer {identifier} not found.")
        return self.balancers[identifier]

    def _holding(self, kind: str, identifier: str) -> _Balancer:
        for balancer in self.balancers.values():
            if identifier in (balancer.listeners if kind == "listener" else balancer.pools):
                return balancer
        raise errors.NotFound("load-balancer", f"{kind} {identifier} not found.")

    def _mutable(self, balancer: _Balancer, *, also_broken: bool = False) -> None:
        if balancer.state.startswith("PENDING") or (balancer.state == "ERROR" and not also_broken):
            raise errors.Immutable("load-balancer", f"Load Balancer {balancer.id} is immutable")

    def _change(
        self, balancer: _Balancer, state: str = "PENDING_UPDATE", *, also_broken: bool = False
    ) -> None:
        self._mutable(balancer, also_broken=also_broken)
        balancer.state = state
        self.writes.append(state)
        balancer.changed = len(self.writes)

    def _add_listener(self, balancer: _Balancer, request: ListenerRequest) -> _Listener:
        transport = {"UDP": "UDP", "SCTP": "SCTP"}
        kind = transport.get(request.protocol, "TCP")
        taken = {(transport.get(one.protocol, "TCP"), one.port) for one in balancer.listeners.values()}
        if (kind, request.protocol_port) in taken:
            raise errors.Conflict("load-balancer", f"already using protocol_port {request.protocol_port}")
        options = {
            name: default if getattr(request, name) in (None, "", {}, []) else getattr(request, name)
            for name, default in _DEFAULTS.items()
        }
        listener = _Listener(
            self._id(),
            request.name,
            protocol=request.protocol,
            port=request.protocol_port,
            options=options,
            tags=request.tags,
        )
        balancer.listeners[listener.id] = listener
        return listener

    def _add_pool(self, balancer: _Balancer, request: PoolRequest, listener: str) -> _Pool:
        members = [
            _Member(self._id(), "", address=one.address, port=one.protocol_port, subnet=one.subnet_id)
            for one in request.members
        ]
        pool = _Pool(self._id(), request.name, listener=listener, members=members, tags=request.tags)
        pool.persistence = request.session_persistence
        pool.protocol, pool.algorithm = request.protocol, request.lb_algorithm
        pool.monitor = self._monitor(request.healthmonitor) if request.healthmonitor else None
        balancer.pools[pool.id] = pool
        return pool

    def _monitor(self, request: MonitorRequest) -> _Monitor:
        shown = HealthMonitor(
            self._id(),
            request.type,
            request.delay,
            request.timeout,
            request.max_retries,
            request.max_retries_down or 3,
        )
        return _Monitor(shown.id, request.name, shown=shown, tags=request.tags)

    def _shown(self, one: _Balancer) -> LoadBalancer:
        request = one.request
        return LoadBalancer(
            one.id,
            one.name,
            one.state,
            "ONLINE",
            vip_address=one.vip,
            vip_port_id=(request.vip_port_id if request else "") or f"port-of-{one.id}",
            vip_subnet_id=request.vip_subnet_id if request else None,
            vip_network_id=request.vip_network_id if request else None,
            provider=request.provider if request else "ovn",
            flavor_id=(request.flavor_id or None) if request else None,
            availability_zone=(request.availability_zone or None) if request else None,
            tags=one.tags,
            pools=[Reference(pool) for pool in one.pools],
            listeners=[Reference(listener) for listener in one.listeners],
            created_at=f"{one.made:09d}",
            updated_at=str(one.changed),
        )


class ModelNeutron(Neutron):
    """Floating IPs in memory; ``free`` of them are left, on each subnet of ``subnets``; and ports, if put."""

    def __init__(self, free: int = 100) -> None:
        self.addresses: dict[str, FloatingIP] = {}
        self.ports: dict[str, Port] = {}
        self.listed_ports = 0
        self.free = free
        self.subnets: list[Subnet] = []
        self._numbers = itertools.count(1)

    async def list_floating_ips(self, cluster: str, kind: str) -> list[FloatingIP]:
        return [
            ip
            for ip in self.addresses.values()
            if ip.owner and (ip.owner.cluster, ip.owner.kind) == (cluster, kind)
        ]

    async def list_all_floating_ips(self) -> list[FloatingIP]:
        return [*self.addresses.values()]

    async def list_subnets(self, network_id: str) -> list[Subnet]:
        return [one for one in self.subnets if one.network_id == network_id]

    async def create_floating_ip(
        self,
        network_id: str,
        port_id: str | None,
        owner: Owner,
        *,
        subnet_id: str = "",
        address: str = "",
    ) -> FloatingIP:
        if len(self.addresses) >= self.free:
            raise errors.NoAddresses("network", "No more IP addresses available on network ext.")
        number = next(self._numbers)
        prefix = next(
            (one.cidr.rpartition(".")[0] for one in self.subnets if one.id == subnet_id), "172.24.4"
        )
        made = FloatingIP(
            f"fip-{number}",
            address or f"{prefix}.{number}",
            network_id,
            port_id=port_id,
            description=owner.description(),
        )
        self.addresses[made.id] = made
        return made

    async def tag_floating_ip(self, floating_ip_id: str, tags: Sequence[str]) -> None:
        self._replace(floating_ip_id, tags=list(tags))

    async def associate_floating_ip(self, floating_ip_id: str, port_id: str | None) -> FloatingIP:
        return self._replace(floating_ip_id, port_id=port_id)

    async def disown_floating_ip(self, floating_ip_id: str) -> FloatingIP:
        return self._replace(floating_ip_id, port_id=None, description="")

    async def delete_floating_ip(self, floating_ip_id: str) -> None:
        self.addresses.pop(floating_ip_id, None)

    async def list_ports(self, tags: Sequence[str] = (), **filters: str) -> list[Port]:
        self.listed_ports += 1
        wanted = filters["fixed_ips"].removeprefix("subnet_id=")
        return [
            port
            for port in self.ports.values()
            if set(tags) <= set(port.tags) and any(ip.subnet_id == wanted for ip in port.fixed_ips)
        ]

    async def delete_port(self, port_id: str) -> None:
        self.ports.pop(port_id, None)

    def _replace(self, identifier: str, **changes: object) -> FloatingIP:
        if identifier not in self.addresses:
            raise errors.NotFound("network", f"Floating IP {identifier} could not be found")
        old = self.addresses[identifier]
        values = {name: getattr(old, name) for name in FloatingIP.__struct_fields__}
        self.addresses[identifier] = FloatingIP(**{**values, **changes})
        return self.addresses[identifier]


def _stays(part: _Part) -> bool:
    return part.state != "PENDING_DELETE"


def _ovn_takes(request: ListenerRequest) -> None:
    if request.protocol not in {"TCP", "UDP", "SCTP"} or request.allowed_cidrs:
        raise errors.Unsupported("load-balancer", "OVN provider does not support that")


def _listener(balancer: _Balancer, one: _Listener) -> Listener:
    return Listener(
        one.id,
        one.protocol,
        one.port,
        one.name,
        **one.options,
        loadbalancers=[Reference(balancer.id)],
        tags=one.tags,
    )


def _pool(one: _Pool) -> Pool:
    watched = one.monitor.id if one.monitor else None
    return Pool(one.id, one.protocol, one.algorithm, one.name, one.persistence, watched, tags=one.tags)


def _pool_status(pool: _Pool) -> PoolStatus:
    members = [
        MemberStatus(member.id, member.address, member.port, member.state, "ONLINE")
        for member in pool.members
    ]
    watched = MonitorStatus(pool.monitor.id, pool.monitor.state) if pool.monitor else None
    return PoolStatus(pool.id, pool.state, "ONLINE", pool.name, members, watched)
