"""Octavia for controllers: exactly the calls the service room makes, one HTTP request each.

A load balancer that is PENDING refuses every change (``Immutable``), and its own ACTIVE may come before that
of its listeners and members: only the status tree tells whether a change has ended.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from causeway.cloud import errors
from causeway.cloud.session import Cloud

_SERVICE = "load-balancer"
_BASE = "/v2/lbaas"

ACTIVE = "ACTIVE"
ERROR = "ERROR"
PENDING = ("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE")


class Reference(msgspec.Struct, frozen=True, gc=False):
    """The id of another object."""

    id: str


class LoadBalancer(msgspec.Struct, frozen=True):
    """A load balancer as lists show it, its children by id only."""

    id: str
    name: str
    provisioning_status: str
    operating_status: str
    vip_address: str | None = None
    vip_port_id: str | None = None
    vip_subnet_id: str | None = None
    provider: str = ""
    tags: list[str] = []
    listeners: list[Reference] = []
    pools: list[Reference] = []
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def pending(self) -> bool:
        """Whether Octavia is still working on an earlier request."""
        return self.provisioning_status in PENDING


class MemberStatus(msgspec.Struct, frozen=True):
    """A member in the status tree."""

    id: str
    address: str
    protocol_port: int
    provisioning_status: str
    operating_status: str
    name: str = ""


class PoolStatus(msgspec.Struct, frozen=True):
    """A pool in the status tree."""

    id: str
    provisioning_status: str
    operating_status: str
    name: str = ""
    members: list[MemberStatus] = []


class ListenerStatus(msgspec.Struct, frozen=True):
    """A listener in the status tree; protocol and port are not in it, so the name has to say them."""

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


class MemberRequest(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A member to be: where the traffic goes."""

    address: str
    protocol_port: int
    subnet_id: str
    name: str = ""


class PoolRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pool to be; ``session_persistence`` as {"type": "SOURCE_IP"}."""

    name: str
    protocol: str
    lb_algorithm: str
    session_persistence: dict[str, str] | None = None
    members: list[MemberRequest] = []
    listener_id: str = ""
    tags: list[str] = []


class ListenerRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A listener to be; ``default_pool`` only inside a load balancer that is made in one call."""

    name: str
    protocol: str
    protocol_port: int
    default_pool: PoolRequest | None = None
    loadbalancer_id: str = ""
    tags: list[str] = []


class LoadBalancerRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A load balancer to be, with all its children."""

    name: str
    vip_address: str
    vip_subnet_id: str
    provider: str
    tags: list[str]
    listeners: list[ListenerRequest] = []
    description: str = ""


class Octavia:
    """The load balancing service of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def list_load_balancers(self, tags: Sequence[str]) -> list[LoadBalancer]:
        """Return the load balancers that carry all ``tags``, in one call (or as many as there are pages)."""
        raw = await self._cloud.get_all(
            _SERVICE, f"{_BASE}/loadbalancers", "loadbalancers", params={"tags": tags}
        )
        return [msgspec.json.decode(item, type=LoadBalancer) for item in raw]

    async def get_load_balancer(self, identifier: str) -> LoadBalancer:
        """Return one load balancer; raises ``NotFound``."""
        answer = await self._cloud.call(_SERVICE, "GET", f"{_BASE}/loadbalancers/{identifier}")
        return msgspec.json.decode(answer, type=dict[str, LoadBalancer])["loadbalancer"]

    async def status_tree(self, identifier: str) -> StatusTree:
        """Return the load balancer with its listeners, their pools and members; raises ``NotFound``."""
        answer = await self._cloud.call(_SERVICE, "GET", f"{_BASE}/loadbalancers/{identifier}/status")
        return msgspec.json.decode(answer, type=dict[str, dict[str, StatusTree]])["statuses"]["loadbalancer"]

    async def create_load_balancer(self, request: LoadBalancerRequest) -> LoadBalancer:
        """Create a load balancer with all its children in one call; it is PENDING then."""
        answer = await self._cloud.call(
            _SERVICE, "POST", f"{_BASE}/loadbalancers", body={"loadbalancer": request}
        )
        return msgspec.json.decode(answer, type=dict[str, LoadBalancer])["loadbalancer"]

    async def delete_load_balancer(self, identifier: str) -> None:
        """Delete a load balancer with all its children; one that is gone is no error."""
        await self._delete(f"{_BASE}/loadbalancers/{identifier}", params={"cascade": "true"})

    async def create_listener(self, request: ListenerRequest) -> str:
        """Create a listener on an existing load balancer; return its id."""
        return await self._create("listeners", "listener", request)

    async def delete_listener(self, identifier: str) -> None:
        """Delete a listener; its pool stays, no longer in the status tree."""
        await self._delete(f"{_BASE}/listeners/{identifier}")

    async def create_pool(self, request: PoolRequest) -> str:
        """Create a pool (as the default pool of ``listener_id``); return its id."""
        return await self._create("pools", "pool", request)

    async def delete_pool(self, identifier: str) -> None:
        """Delete a pool with its members; one that is gone is no error."""
        await self._delete(f"{_BASE}/pools/{identifier}")

    async def put_members(self, pool_id: str, members: Sequence[MemberRequest]) -> None:
        """Make ``members`` the members of a pool in one call: missing ones are added, others removed."""
        path = f"{_BASE}/pools/{pool_id}/members"
        await self._cloud.call(_SERVICE, "PUT", path, body={"members": members})

    async def _create(self, collection: str, key: str, request: msgspec.Struct) -> str:
        answer = await self._cloud.call(_SERVICE, "POST", f"{_BASE}/{collection}", body={key: request})
        return msgspec.json.decode(answer, type=dict[str, Reference])[key].id

    async def _delete(self, path: str, params: dict[str, Any] | None = None) -> None:
        try:
            await self._cloud.call(_SERVICE, "DELETE", path, params=params)
        except errors.NotFound:
            return
