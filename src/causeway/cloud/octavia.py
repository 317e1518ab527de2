"""Octavia for controllers: exactly the calls the service room makes, one HTTP request each.

A load balancer that is PENDING refuses every change (``Immutable``), and its own ACTIVE may come before that
of its listeners and members: only the status tree tells whether a change has ended.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.octavia_objects import (
    Created,
    HealthMonitor,
    Listener,
    ListenerRequest,
    LoadBalancer,
    LoadBalancerRequest,
    MemberRequest,
    MonitorRequest,
    NewPool,
    Pool,
    PoolRequest,
    StatusTree,
)
from causeway.cloud.session import Cloud, decoded, under

_SERVICE = "load-balancer"
_BASE = "/v2/lbaas"
_Shape = TypeVar("_Shape")


class _Provider(msgspec.Struct, frozen=True):
    name: str


class _Children(msgspec.Struct, frozen=True):
    listeners: list[Listener] = []
    pools: list[NewPool] = []


class _Graph(msgspec.Struct, frozen=True):
    loadbalancer: msgspec.Raw


class Octavia:
    """The load balancing service of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def providers(self) -> list[str]:
        """Return the names of the providers the cloud offers."""
        return [one.name for one in await self._list("providers", _Provider, {})]

    async def list_load_balancers(self, tags: Sequence[str]) -> list[LoadBalancer]:
        """Return the load balancers that carry all ``tags``, in one call (or as many as there are pages)."""
        return await self._list("loadbalancers", LoadBalancer, {"tags": tags})

    async def get_load_balancer(self, identifier: str) -> LoadBalancer:
        """Return one load balancer; raises ``NotFound``."""
        answer = await self._cloud.call(_SERVICE, "GET", f"{_BASE}/loadbalancers/{identifier}")
        return msgspec.json.decode(answer, type=dict[str, LoadBalancer])["loadbalancer"]

    async def list_listeners(self, tags: Sequence[str] = (), balancer_id: str = "") -> list[Listener]:
        """Return the listeners that carry all ``tags``, or those of one load balancer."""
        return await self._list("listeners", Listener, _of(tags, balancer_id))

    async def list_pools(self, tags: Sequence[str] = (), balancer_id: str = "") -> list[Pool]:
        """Return the pools that carry all ``tags``, or those of one load balancer."""
        return await self._list("pools", Pool, _of(tags, balancer_id))

    async def list_monitors(self, tags: Sequence[str]) -> list[HealthMonitor]:
        """Return the health monitors that carry all ``tags``."""
        return await self._list("healthmonitors", HealthMonitor, {"tags": tags})

    async def status_tree(self, identifier: str) -> StatusTree:
        """Return the load balancer with its listeners, their pools and members; raises ``NotFound``."""
        answer = await self._cloud.call(_SERVICE, "GET", f"{_BASE}/loadbalancers/{identifier}/status")
        return msgspec.json.decode(answer, type=dict[str, dict[str, StatusTree]])["statuses"]["loadbalancer"]

    async def create_load_balancer(self, request: LoadBalancerRequest) -> Created:
        """Create a load balancer with all its children in one call; it is PENDING then."""
        answer = await self._cloud.call(
            _SERVICE, "POST", f"{_BASE}/loadbalancers", body={"loadbalancer": request}
        )
        graph = msgspec.json.decode(answer, type=_Graph).loadbalancer
        children = msgspec.json.decode(graph, type=_Children)
        return Created(
            msgspec.json.decode(graph, type=LoadBalancer),
            tuple(children.listeners),
            tuple(_settled(pool) for pool in children.pools),
            tuple(pool.healthmonitor for pool in children.pools if pool.healthmonitor),
        )

    async def set_tags(self, identifier: str, tags: Sequence[str]) -> None:
        """Give a load balancer these tags instead of those it has."""
        await self._update(f"loadbalancers/{identifier}", "loadbalancer", {"tags": list(tags)})

    async def delete_load_balancer(self, identifier: str) -> None:
        """Delete a load balancer with all its children; one that is gone is no error."""
        await self._delete(f"{_BASE}/loadbalancers/{identifier}", params={"cascade": "true"})

    async def create_listener(self, request: ListenerRequest) -> Listener:
        """Create a listener on an existing load balancer."""
        return await self._create("listeners", "listener", request, Listener)

    async def update_listener(self, identifier: str, changes: dict[str, Any]) -> Listener:
        """Change options of a listener; None gives one back its default."""
        return msgspec.convert(await self._update(f"listeners/{identifier}", "listener", changes), Listener)

    async def delete_listener(self, identifier: str) -> None:
        """Delete a listener; its pool stays, no longer in the status tree. One that is gone is no error."""
        await self._delete(f"{_BASE}/listeners/{identifier}")

    async def create_pool(self, request: PoolRequest) -> Pool:
        """Create a pool (as the default pool of ``listener_id``), still without members."""
        return await self._create("pools", "pool", request, Pool)

    async def update_pool(self, identifier: str, changes: dict[str, Any]) -> Pool:
        """Change options of a pool; None gives one back its default."""
        return msgspec.convert(await self._update(f"pools/{identifier}", "pool", changes), Pool)

    async def delete_pool(self, identifier: str) -> None:
        """Delete a pool with its members and its monitor; one that is gone is no error."""
        await self._delete(f"{_BASE}/pools/{identifier}")

    async def put_members(self, pool_id: str, members: Sequence[MemberRequest]) -> None:
        """Make ``members`` the members of a pool in one call: missing ones are added, others removed."""
        path = f"{_BASE}/pools/{pool_id}/members"
        await self._cloud.call(_SERVICE, "PUT", path, body={"members": members})

    async def create_monitor(self, request: MonitorRequest) -> HealthMonitor:
        """Give a pool a health monitor."""
        return await self._create("healthmonitors", "healthmonitor", request, HealthMonitor)

    async def update_monitor(self, identifier: str, changes: dict[str, Any]) -> HealthMonitor:
        """Change times and counts of a health monitor; its type cannot be changed."""
        answer = await self._update(f"healthmonitors/{identifier}", "healthmonitor", changes)
        return msgspec.convert(answer, HealthMonitor)

    async def delete_monitor(self, identifier: str) -> None:
        """Take a health monitor away; one that is gone is no error."""
        await self._delete(f"{_BASE}/healthmonitors/{identifier}")

    async def _list(self, collection: str, shape: type[_Shape], params: dict[str, Any]) -> list[_Shape]:
        raw = await self._cloud.get_all(_SERVICE, f"{_BASE}/{collection}", collection, params=params)
        return await decoded(raw, shape)

    async def _create(
        self, collection: str, key: str, request: msgspec.Struct, shape: type[_Shape]
    ) -> _Shape:
        answer = await self._cloud.call(_SERVICE, "POST", f"{_BASE}/{collection}", body={key: request})
        return under(answer, key, shape)

    async def _update(self, path: str, key: str, changes: dict[str, Any]) -> Any:
        answer = await self._cloud.call(_SERVICE, "PUT", f"{_BASE}/{path}", body={key: changes})
        return msgspec.json.decode(answer)[key]

    async def _delete(self, path: str, params: dict[str, Any] | None = None) -> None:
        try:
            await self._cloud.call(_SERVICE, "DELETE", path, params=params)
        except errors.NotFound:
            return


def _of(tags: Sequence[str], balancer_id: str) -> dict[str, Any]:
    return {"load_balancer_id": balancer_id} if balancer_id else {"tags": tags}


def _settled(pool: NewPool) -> Pool:
    return Pool(
        pool.id,
        pool.protocol,
        pool.lb_algorithm,
        pool.name,
        pool.session_persistence,
        pool.healthmonitor.id if pool.healthmonitor else None,
        tags=pool.tags,
    )
