"""Octavia's objects: as its API shows them, and as requests ask for them.

Shapes only; which call takes or gives which is in ``octavia``. Field names are those of the API.
"""

from typing import Any

import msgspec

ACTIVE = "ACTIVE"
ERROR = "ERROR"
PENDING = ("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE")


class Reference(msgspec.Struct, frozen=True, gc=False):
    """The id of another object."""

    id: str


class Persistence(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How clients stay with a member; ``persistence_timeout`` in seconds, of UDP and SCTP pools only."""

    type: str
    persistence_timeout: int | None = None


class Listener(msgspec.Struct, frozen=True):
    """A listener; its time limits are in milliseconds."""

    id: str
    protocol: str
    protocol_port: int
    name: str = ""
    connection_limit: int = -1
    timeout_client_data: int | None = None
    timeout_member_connect: int | None = None
    timeout_member_data: int | None = None
    timeout_tcp_inspect: int | None = None
    allowed_cidrs: list[str] | None = None
    insert_headers: dict[str, str] | None = None
    default_tls_container_ref: str | None = None
    loadbalancers: list[Reference] = []
    tags: list[str] = []


class HealthMonitor(msgspec.Struct, frozen=True):
    """A health monitor of a pool; times are in seconds."""

    id: str
    type: str
    delay: int
    timeout: int
    max_retries: int
    max_retries_down: int = 3
    provisioning_status: str = ""


class Pool(msgspec.Struct, frozen=True):
    """A pool, its monitor by id only."""

    id: str
    protocol: str
    lb_algorithm: str
    name: str = ""
    session_persistence: Persistence | None = None
    healthmonitor_id: str | None = None
    loadbalancers: list[Reference] = []
    tags: list[str] = []


class LoadBalancer(msgspec.Struct, frozen=True):
    """A load balancer as lists show it, its children by id only."""

    id: str
    name: str
    provisioning_status: str
    operating_status: str
    vip_address: str | None = None
    vip_port_id: str | None = None
    vip_subnet_id: str | None = None
    vip_network_id: str | None = None
    provider: str = ""
    flavor_id: str | None = None
    availability_zone: str | None = None
    tags: list[str] = []
    listeners: list[Reference] = []
    pools: list[Reference] = []
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def pending(self) -> bool:
        """Whether Octavia is still working on an earlier request."""
        return self.provisioning_status in PENDING


class NewPool(msgspec.Struct, frozen=True):
    """A pool as the answer to a creation shows it, with its monitor."""

    id: str
    protocol: str
    lb_algorithm: str
    name: str = ""
    session_persistence: Persistence | None = None
    healthmonitor: HealthMonitor | None = None
    tags: list[str] = []


class Created(msgspec.Struct, frozen=True):
    """What one creating call made: the load balancer and everything in it."""

    balancer: LoadBalancer
    listeners: tuple[Listener, ...] = ()
    pools: tuple[Pool, ...] = ()
    monitors: tuple[HealthMonitor, ...] = ()


class MemberStatus(msgspec.Struct, frozen=True):
    """A member in the status tree."""

    id: str
    address: str
    protocol_port: int
    provisioning_status: str
    operating_status: str
    name: str = ""


class MonitorStatus(msgspec.Struct, frozen=True):
    """A health monitor in the status tree."""

    id: str
    provisioning_status: str


class PoolStatus(msgspec.Struct, frozen=True):
    """A pool in the status tree."""

    id: str
    provisioning_status: str
    operating_status: str
    name: str = ""
    members: list[MemberStatus] = []
    health_monitor: MonitorStatus | None = None


class ListenerStatus(msgspec.Struct, frozen=True):
    """A listener in the status tree; protocol and port are not in it."""

    id: str
    provisioning_status: str
    operating_status: str
    name: str = ""
    pools: list[PoolStatus] = []


class StatusTree(msgspec.Struct, frozen=True):
    """A load balancer with everything below its listeners."""

    id: str
    provisioning_status: str
    operating_status: str
    name: str = ""
    listeners: list[ListenerStatus] = []

    @property
    def pending(self) -> bool:
        """Whether Octavia still works on the load balancer or on anything below it.

        On one that ended in ERROR it does not, whatever its parts say: they stay as they were then.
        """
        if self.provisioning_status == ERROR:
            return False
        return any(part.provisioning_status in PENDING for part in self.parts())

    @property
    def members(self) -> list[MemberStatus]:
        """All members."""
        return [member for listener in self.listeners for pool in listener.pools for member in pool.members]

    @property
    def pending_members(self) -> int:
        """How many members are still to come, to change or to go."""
        return sum(member.provisioning_status in PENDING for member in self.members)

    def parts(self) -> list[Any]:
        """Return the load balancer and everything below it."""
        pools = [pool for listener in self.listeners for pool in listener.pools]
        monitors = [pool.health_monitor for pool in pools if pool.health_monitor]
        return [self, *self.listeners, *pools, *self.members, *monitors]


class MemberRequest(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A member to be: where the traffic goes."""

    address: str
    protocol_port: int
    subnet_id: str
    name: str = ""


class MonitorRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A health monitor to be; times are in seconds."""

    type: str
    delay: int
    timeout: int
    max_retries: int
    max_retries_down: int = 0
    pool_id: str = ""
    name: str = ""
    tags: list[str] = []


class PoolRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pool to be; members and monitor only inside a load balancer that is made in one call."""

    name: str
    protocol: str
    lb_algorithm: str
    session_persistence: Persistence | None = None
    members: list[MemberRequest] = []
    listener_id: str = ""
    tags: list[str] = []
    healthmonitor: MonitorRequest | None = None


class ListenerRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A listener to be; ``default_pool`` only inside a load balancer that is made in one call."""

    name: str
    protocol: str
    protocol_port: int
    default_pool: PoolRequest | None = None
    loadbalancer_id: str = ""
    tags: list[str] = []
    connection_limit: int | None = None
    timeout_client_data: int | None = None
    timeout_member_connect: int | None = None
    timeout_member_data: int | None = None
    timeout_tcp_inspect: int | None = None
    allowed_cidrs: list[str] = []
    insert_headers: dict[str, str] = {}
    default_tls_container_ref: str = ""


class LoadBalancerRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A load balancer to be, with all its children; its address by port, by subnet or by network."""

    name: str
    provider: str
    tags: list[str]
    vip_address: str = ""
    vip_subnet_id: str = ""
    vip_network_id: str = ""
    vip_port_id: str = ""
    flavor_id: str = ""
    availability_zone: str = ""
    listeners: list[ListenerRequest] = []
    description: str = ""
