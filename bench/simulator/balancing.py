"""The simulated load balancing service: a tree for each load balancer, PENDING for a while after a change."""

import asyncio
import datetime
import itertools
import uuid
from typing import Any

from aiohttp import web

from bench.simulator.answers import Object, Refused, answer, carries, octavia_error, think
from bench.simulator.network import PROJECT

ACTIVE = "ACTIVE"
_SETTLES = 1.0  # seconds a provider takes for a change, as the lab's does for few members
_BASE = "/v2/lbaas"
_KINDS = {"listeners": "listener", "pools": "pool", "healthmonitors": "healthmonitor"}


class Balancing:
    """The load balancing service."""

    def __init__(self) -> None:
        self.balancers: dict[str, Object] = {}
        self._parts: dict[str, dict[str, Object]] = {kind: {} for kind in _KINDS}
        self._below: dict[str, dict[str, dict[str, Object]]] = {}  # the same by load balancer
        self._numbers = itertools.count(1)

    def application(self) -> web.Application:
        """Return the service's doors."""
        application = web.Application(middlewares=[_refusals], client_max_size=16 << 20)
        balancers, part = f"{_BASE}/loadbalancers", _BASE + "/{kind}"
        application.add_routes(
            [
                web.get(f"{_BASE}/providers", self._providers),
                web.get(balancers, self._list),
                web.post(balancers, self._create),
                web.get(balancers + "/{id}", self._get),
                web.put(balancers + "/{id}", self._update),
                web.delete(balancers + "/{id}", self._delete),
                web.get(balancers + "/{id}/status", self._status),
                web.put(_BASE + "/pools/{id}/members", self._members),
                web.get(part, self._list_parts),
                web.post(part, self._create_part),
                web.put(part + "/{id}", self._update_part),
                web.delete(part + "/{id}", self._delete_part),
            ]
        )
        return application

    async def _providers(self, _request: web.Request) -> web.Response:
        await think(writes=False)
        return answer({"providers": [{"name": "ovn", "description": ""}]})

    async def _list(self, request: web.Request) -> web.Response:
        tags = request.query.getall("tags", [])
        found = [self._shown(one) for one in self.balancers.values() if carries(one, tags)]
        await think(writes=False, things=len(found))
        return answer({"loadbalancers": found})

    async def _create(self, request: web.Request) -> web.Response:
        wanted: Object = (await request.json())["loadbalancer"]
        await think(writes=True)
        vip = wanted.get("vip_address")
        if any(one["vip_address"] == vip for one in self.balancers.values()):
            raise Refused(409, f"IP address {vip} already allocated in subnet {wanted['vip_subnet_id']}")
        made = _new({**wanted, "listeners": [], "pools": []}, provider="ovn", vip_port_id=str(uuid.uuid4()))
        made["operating_status"] = "OFFLINE"
        self.balancers[made["id"]] = made
        self._below[made["id"]] = {kind: {} for kind in _KINDS}
        for each in wanted.get("listeners", []):
            self._add_listener(made, each)
        for each in wanted.get("pools", []):
            self._add_pool(made, each)
        self._begin(made, "PENDING_CREATE")
        children = {
            kind: [_shown_part(one) for one in self._of(kind, made)] for kind in ("listeners", "pools")
        }
        return answer({"loadbalancer": {**self._shown(made), **children}}, 201)

    async def _get(self, request: web.Request) -> web.Response:
        await think(writes=False)
        return answer({"loadbalancer": self._shown(self._balancer(request.match_info["id"]))})

    async def _update(self, request: web.Request) -> web.Response:
        changes = (await request.json())["loadbalancer"]
        await think(writes=True)
        balancer = self._mutable(request.match_info["id"])
        balancer.update(changes)
        self._begin(balancer)
        return answer({"loadbalancer": self._shown(balancer)})

    async def _delete(self, request: web.Request) -> web.Response:
        await think(writes=True)
        balancer = self._mutable(request.match_info["id"])
        self._begin(balancer, "PENDING_DELETE")
        return web.Response(status=204)

    async def _status(self, request: web.Request) -> web.Response:
        await think(writes=False)
        balancer = self._balancer(request.match_info["id"])  # it may have gone meanwhile
        listeners = [
            {
                **_state(listener),
                "pools": [
                    {**_state(pool), "members": [{**_state(one), **_place(one)} for one in pool["members"]]}
                    for pool in self._of("pools", balancer)
                    if pool["listener"] == listener["id"]
                ],
            }
            for listener in self._of("listeners", balancer)
        ]
        return answer({"statuses": {"loadbalancer": {**_state(balancer), "listeners": listeners}}})

    async def _members(self, request: web.Request) -> web.Response:
        wanted: list[Object] = (await request.json())["members"]
        await think(writes=True)
        pool = self._part("pools", request.match_info["id"])
        balancer = self._mutable(pool["balancer"])
        places = {(one["address"], one["protocol_port"]) for one in wanted}
        known = {(one["address"], one["protocol_port"]) for one in pool["members"]}
        for member in pool["members"]:
            if (member["address"], member["protocol_port"]) not in places:
                member["provisioning_status"] = "PENDING_DELETE"
        pool["members"] += [
            _new(one) for one in wanted if (one["address"], one["protocol_port"]) not in known
        ]
        self._begin(balancer)
        return web.Response(status=202)

    async def _list_parts(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        tags, owner = request.query.getall("tags", []), request.query.get("load_balancer_id")
        found = [
            _shown_part(one)
            for one in self._table(kind).values()
            if carries(one, tags) and owner in (None, one["balancer"])
        ]
        await think(writes=False, things=len(found))
        return answer({kind: found})

    async def _create_part(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        self._table(kind)
        wanted: Object = (await request.json())[_KINDS[kind]]
        await think(writes=True)
        if kind == "listeners":
            balancer = self._mutable(wanted["loadbalancer_id"])
            made = self._add_listener(balancer, wanted)
        elif kind == "pools":
            listener = wanted.get("listener_id")
            owner = self._part("listeners", listener)["balancer"] if listener else wanted["loadbalancer_id"]
            balancer = self._mutable(owner)
            if any(pool["listener"] == listener for pool in self._of("pools", balancer)):
                raise Refused(409, f"Listener {listener} already has a default pool.")
            made = self._add_pool(balancer, wanted, listener)
        else:
            balancer = self._mutable(self._part("pools", wanted["pool_id"])["balancer"])
            made = self._add(kind, balancer, wanted)
        self._begin(balancer)
        return answer({_KINDS[kind]: _shown_part(made)}, 201)

    async def _update_part(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        changes = (await request.json())[_KINDS[kind]]
        await think(writes=True)
        part = self._part(kind, request.match_info["id"])
        balancer = self._mutable(part["balancer"])
        part.update(changes)
        self._begin(balancer)
        return answer({_KINDS[kind]: _shown_part(part)})

    async def _delete_part(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        await think(writes=True)
        part = self._part(kind, request.match_info["id"])
        balancer = self._mutable(part["balancer"])
        part["provisioning_status"] = "PENDING_DELETE"
        for pool in self._of("pools", balancer) if kind == "listeners" else ():
            pool["listener"] = None if pool["listener"] == part["id"] else pool["listener"]
        self._begin(balancer)
        return web.Response(status=204)

    def _add_listener(self, balancer: Object, wanted: Object) -> Object:
        front = (wanted["protocol"], wanted["protocol_port"])
        if any((one["protocol"], one["protocol_port"]) == front for one in self._of("listeners", balancer)):
            raise Refused(409, f"Another Listener is already using protocol_port {front[1]}")
        own = {key: value for key, value in wanted.items() if key != "default_pool"}
        listener = self._add("listeners", balancer, {"timeout_client_data": 50000, **own})
        if wanted.get("default_pool"):
            self._add_pool(balancer, wanted["default_pool"], listener["id"])
        return listener

    def _add_pool(self, balancer: Object, wanted: Object, listener: str | None = None) -> Object:
        members = [_new(each) for each in wanted.get("members", [])]
        monitor = wanted.get("healthmonitor")
        own = {key: value for key, value in wanted.items() if key != "healthmonitor"}
        pool = self._add("pools", balancer, {**own, "members": members, "listener": listener})
        if monitor:
            self._add("healthmonitors", balancer, {**monitor, "pool_id": pool["id"]})
        return pool

    def _add(self, kind: str, balancer: Object, wanted: Object) -> Object:
        made = _new({**wanted, "balancer": balancer["id"]})
        self._parts[kind][made["id"]] = self._below[balancer["id"]][kind][made["id"]] = made
        return made

    def _begin(self, balancer: Object, state: str = "PENDING_UPDATE") -> None:
        """Have a change under way; it ends by itself."""
        balancer["provisioning_status"] = state
        balancer["updated_at"] = _now(next(self._numbers))
        asyncio.get_running_loop().call_later(_SETTLES, self._settle, balancer)

    def _settle(self, balancer: Object) -> None:
        deleted = balancer["provisioning_status"] == "PENDING_DELETE"
        for kind, table in self._below[balancer["id"]].items():
            for part in list(table.values()):
                if deleted or part["provisioning_status"] == "PENDING_DELETE":
                    del table[part["id"]], self._parts[kind][part["id"]]
                part["provisioning_status"] = ACTIVE
                members = part.get("members", [])
                part["members"] = [one for one in members if one["provisioning_status"] != "PENDING_DELETE"]
                for member in part["members"]:
                    member["provisioning_status"] = ACTIVE
        if deleted:
            del self.balancers[balancer["id"]], self._below[balancer["id"]]
        balancer.update(provisioning_status=ACTIVE, operating_status="ONLINE")

    def _shown(self, balancer: Object) -> Object:
        return {
            **balancer,
            "listeners": [{"id": one["id"]} for one in self._of("listeners", balancer)],
            "pools": [{"id": one["id"]} for one in self._of("pools", balancer)],
        }

    def _of(self, kind: str, balancer: Object) -> list[Object]:
        return list(self._below[balancer["id"]][kind].values())

    def _table(self, kind: str) -> dict[str, Object]:
        if kind not in self._parts:
            raise Refused(404, f"{kind} are not simulated")
        return self._parts[kind]

    def _part(self, kind: str, identifier: str) -> Object:
        table = self._table(kind)
        if identifier not in table:
            raise Refused(404, f"{_KINDS[kind].title()} {identifier} not found.")
        return table[identifier]

    def _balancer(self, identifier: str) -> Object:
        if identifier not in self.balancers:
            raise Refused(404, f"Load Balancer {identifier} not found.")
        return self.balancers[identifier]

    def _mutable(self, identifier: str) -> Object:
        balancer = self._balancer(identifier)
        if balancer["provisioning_status"].startswith("PENDING"):
            raise Refused(409, f"Load Balancer {identifier} is immutable and cannot be updated.")
        return balancer


def _new(wanted: Object, **defaults: str) -> Object:
    return {
        "id": str(uuid.uuid4()),
        "project_id": PROJECT,
        "name": "",
        "tags": [],
        "provisioning_status": "PENDING_CREATE",
        "operating_status": "NO_MONITOR",
        "created_at": _now(),
        **defaults,
        **wanted,
    }


def _state(part: Object) -> Object:
    names = ("id", "name", "provisioning_status", "operating_status")
    return {name: part[name] for name in names}


def _place(member: Object) -> Object:
    return {"address": member["address"], "protocol_port": member["protocol_port"]}


def _shown_part(part: Object) -> Object:
    """Return a listener, pool or monitor as Octavia shows it: what it belongs to as references."""
    shown = {key: value for key, value in part.items() if key not in {"balancer", "listener"}}
    shown["loadbalancers"] = [{"id": part["balancer"]}]
    if "listener" in part:
        shown["listeners"] = [{"id": part["listener"]}] if part["listener"] else []
    return shown


def _now(number: int = 0) -> str:
    """Return the time as Octavia writes it, but no two changes at the same one."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{number:09d}"


@web.middleware
async def _refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except Refused as refusal:
        return octavia_error(refusal)
    return response
