"""Octavia and Neutron's floating IPs in memory: only what the service room relies on, no transport.

A contract test runs the same operations on this model and on a real cloud, so that what is proven with the
model holds there. Octavia answers first and works later: here it works when ``settle`` is called.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from causeway.cloud import errors
from causeway.cloud.neutron import FloatingIP, Neutron
from causeway.cloud.octavia import (
    ListenerRequest,
    ListenerStatus,
    LoadBalancer,
    LoadBalancerRequest,
    MemberRequest,
    MemberStatus,
    Octavia,
    PoolRequest,
    PoolStatus,
    Reference,
    StatusTree,
)
from causeway.cloud.ownership import Owner


@dataclass
class _Part:
    id: str
    name: str
    state: str = "PENDING_CREATE"


@dataclass
class _Member(_Part):
    address: str = ""
    port: int = 0


@dataclass
class _Pool(_Part):
    listener: str | None = None
    members: list[_Member] = field(default_factory=list)
    persistence: dict[str, str] | None = None


@dataclass
class _Listener(_Part):
    protocol: str = ""
    port: int = 0


@dataclass
class _Balancer(_Part):
    vip: str = ""
    tags: list[str] = field(default_factory=list)
    made: int = 0
    listeners: dict[str, _Listener] = field(default_factory=dict)
    pools: dict[str, _Pool] = field(default_factory=dict)

    def parts(self) -> Iterator[_Part]:
        """Yield everything below the load balancer."""
        yield from self.listeners.values()
        for pool in self.pools.values():
            yield pool
            yield from pool.members


class ModelOctavia(Octavia):
    """Octavia in memory; ``failing`` load balancer creations still to come will end in ERROR."""

    def __init__(self) -> None:
        self.balancers: dict[str, _Balancer] = {}
        self.failing = 0
        self.writes: list[str] = []
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
            for part in (balancer, *balancer.parts()):
                if part.state.startswith("PENDING"):
                    part.state = "ACTIVE"

    async def list_load_balancers(self, tags: Sequence[str]) -> list[LoadBalancer]:
        return [self._shown(one) for one in self.balancers.values() if set(tags) <= set(one.tags)]

    async def get_load_balancer(self, identifier: str) -> LoadBalancer:
        return self._shown(self._balancer(identifier))

    async def status_tree(self, identifier: str) -> StatusTree:
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

    async def create_load_balancer(self, request: LoadBalancerRequest) -> LoadBalancer:
        if any(one.vip == request.vip_address for one in self.balancers.values()):
            raise errors.AddressTaken("load-balancer", f"{request.vip_address} already allocated")
        balancer = _Balancer(next(self._ids), request.name, vip=request.vip_address, tags=request.tags)
        balancer.made = len(self.writes)
        for each in request.listeners:
            listener = self._add_listener(balancer, each)
            if each.default_pool:
                self._add_pool(balancer, each.default_pool, listener.id)
        self.balancers[balancer.id] = balancer
        self.writes.append("create load balancer")
        return self._shown(balancer)

    async def delete_load_balancer(self, identifier: str) -> None:
        if identifier in self.balancers:
            self._change(self.balancers[identifier], "PENDING_DELETE", also_broken=True)

    async def create_listener(self, request: ListenerRequest) -> str:
        balancer = self._balancer(request.loadbalancer_id)
        self._mutable(balancer)
        listener = self._add_listener(balancer, request)
        self._change(balancer)
        return listener.id

    async def delete_listener(self, identifier: str) -> None:
        for balancer in self.balancers.values():
            if identifier in balancer.listeners:
                self._change(balancer)
                balancer.listeners[identifier].state = "PENDING_DELETE"
                for pool in balancer.pools.values():
                    pool.listener = None if pool.listener == identifier else pool.listener

    async def create_pool(self, request: PoolRequest) -> str:
        balancer = self._holding("listener", request.listener_id)
        self._mutable(balancer)
        if any(pool.listener == request.listener_id for pool in balancer.pools.values()):
            raise errors.Conflict("load-balancer", "This listener already has a default pool")
        pool = self._add_pool(balancer, request, request.listener_id)
        self._change(balancer)
        return pool.id

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
            _Member(next(self._ids), "", address=address, port=port)
            for address, port in sorted(wanted - present)
        ]

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

    def _add_listener(self, balancer: _Balancer, request: ListenerRequest) -> _Listener:
        taken = {(one.protocol, one.port) for one in balancer.listeners.values()}
        if (request.protocol, request.protocol_port) in taken:
            raise errors.Conflict("load-balancer", f"already using protocol_port {request.protocol_port}")
        listener = _Listener(
            next(self._ids), request.name, protocol=request.protocol, port=request.protocol_port
        )
        balancer.listeners[listener.id] = listener
        return listener

    def _add_pool(self, balancer: _Balancer, request: PoolRequest, listener: str) -> _Pool:
        members = [
            _Member(next(self._ids), "", address=member.address, port=member.protocol_port)
            for member in request.members
        ]
        pool = _Pool(next(self._ids), request.name, listener=listener, members=members)
        pool.persistence = request.session_persistence
        balancer.pools[pool.id] = pool
        return pool

    def _shown(self, one: _Balancer) -> LoadBalancer:
        return LoadBalancer(
            one.id,
            one.name,
            one.state,
            "ONLINE",
            vip_address=one.vip,
            vip_port_id=f"port-of-{one.id}",
            tags=one.tags,
            pools=[Reference(pool) for pool in one.pools],
            listeners=[Reference(listener) for listener in one.listeners],
            created_at=f"{one.made:09d}",
            updated_at=str(len(self.writes)),
        )


class ModelNeutron(Neutron):
    """Floating IPs in memory; ``free`` of them are left."""

    def __init__(self, free: int = 100) -> None:
        self.addresses: dict[str, FloatingIP] = {}
        self.free = free
        self._numbers = itertools.count(1)

    async def list_floating_ips(self, cluster: str, kind: str) -> list[FloatingIP]:
        return [
            ip
            for ip in self.addresses.values()
            if ip.owner and (ip.owner.cluster, ip.owner.kind) == (cluster, kind)
        ]

    async def create_floating_ip(self, network_id: str, port_id: str | None, owner: Owner) -> FloatingIP:
        if len(self.addresses) >= self.free:
            raise errors.NoAddresses("network", "No more IP addresses available on network ext.")
        number = next(self._numbers)
        made = FloatingIP(
            f"fip-{number}",
            f"172.24.4.{number}",
            network_id,
            port_id=port_id,
            description=owner.description(),
        )
        self.addresses[made.id] = made
        return made

    async def tag_floating_ip(self, floating_ip_id: str, owner: Owner) -> None:
        self._replace(floating_ip_id, tags=owner.tags())

    async def associate_floating_ip(self, floating_ip_id: str, port_id: str | None) -> FloatingIP:
        return self._replace(floating_ip_id, port_id=port_id)

    async def delete_floating_ip(self, floating_ip_id: str) -> None:
        self.addresses.pop(floating_ip_id, None)

    def _replace(self, identifier: str, **changes: object) -> FloatingIP:
        if identifier not in self.addresses:
            raise errors.NotFound("network", f"Floating IP {identifier} could not be found")
        old = self.addresses[identifier]
        values = {name: getattr(old, name) for name in FloatingIP.__struct_fields__}
        self.addresses[identifier] = FloatingIP(**{**values, **changes})
        return self.addresses[identifier]


def _stays(part: _Part) -> bool:
    return part.state != "PENDING_DELETE"


def _pool_status(pool: _Pool) -> PoolStatus:
    members = [
        MemberStatus(member.id, member.address, member.port, member.state, "ONLINE")
        for member in pool.members
    ]
    return PoolStatus(pool.id, pool.state, "ONLINE", pool.name, members)
