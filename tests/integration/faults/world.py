"""What Kubernetes says and what the cloud has, read past all faults, and how the two differ."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from tests.integration.faults import policies
from tests.integration.faults.site import Site
from tests.pace import pauses

from causeway.cloud import errors
from causeway.cloud.neutron import Neutron
from causeway.cloud.ownership import owner_in, owner_of
from causeway.cloud.session import Cloud
from causeway.kube.client import Client
from causeway.kube.errors import ApiError, Object
from causeway.kube.objects import Pod, PortPool, key_of
from causeway.kube.resource import ENDPOINT_SLICES, NAMESPACES, PODS, PORT_POOLS, SERVICES

T = TypeVar("T")

_ENDED = {"Succeeded", "Failed"}
_LBAAS = "/v2/lbaas"


@dataclass
class World:
    """The test's own, undisturbed doors."""

    site: Site
    kube: Client
    cloud: Cloud
    namespace: str

    async def until(self, what: str, look: Callable[[], Awaitable[T | None]], seconds: float = 240.0) -> T:
        """Return what ``look`` finds, once it finds something."""
        deadline, pause = time.monotonic() + seconds, pauses()
        while True:
            found = await look()
            if found is not None and found is not False:
                return found
            assert time.monotonic() < deadline, f"in {seconds:.0f} s not: {what}"
            await asyncio.sleep(next(pause))

    async def like(self, seconds: float = 600.0) -> None:
        """Return once the cloud equals what Kubernetes says, at two looks in a row."""
        deadline, calm, pause = time.monotonic() + seconds, 0, pauses(0.5, 4.0)
        while calm < 2:
            try:
                found = await self.differences()
            except (errors.CloudError, ApiError) as error:  # the API right after its restart, too
                found = [f"there is no answer: {error}"]
            calm = 0 if found else calm + 1
            assert time.monotonic() < deadline, f"after {seconds:.0f} s:\n" + "\n".join(found)
            await asyncio.sleep(0.5 if calm else next(pause))

    async def differences(self) -> list[str]:
        """Return every way in which the cloud is not what Kubernetes says, in words."""
        found = await asyncio.gather(
            self._pods(),
            self._services(),
            self._namespaces(),
            policies.unlike(self.kube, self.cloud, self.site, self.namespace),
        )
        return [each for part in found for each in part]

    # pods

    async def _pods(self) -> list[str]:
        neutron = Neutron(self.cloud)
        listed, told, ports, trunks = await asyncio.gather(
            self.kube.list(PODS, of=Pod),
            self.kube.list(PORT_POOLS, of=PortPool),
            neutron.list_owned_ports(self.site.cluster, "pod"),
            neutron.list_trunks(),
        )
        alive = {
            pod.metadata.uid: pod
            for pod in listed.items
            if pod.status.phase not in _ENDED and not pod.spec.host_network and pod.spec.node_name
        }
        places = {
            sub.port_id: (trunk.name, sub.segmentation_id) for trunk in trunks for sub in trunk.sub_ports
        }
        found = [
            f"{count} subports share {place}"
            for place, count in Counter(places.values()).items()
            if count > 1
        ]
        if places.pop(self.site.foreign.id, None) != ("w1", 1):
            found.append("somebody else's subport is not where it was")
        ids = {port.id for port in ports}
        entries = {
            entry.port_id: (pool.metadata.name, entry) for pool in told.items for entry in pool.spec.ports
        }
        claims = {claim.port_id: claim.pod_uid for pool in told.items for claim in pool.status.claims}
        found += [f"port {port} is in no pool" for port in ids - set(entries)]
        found += [f"port {port} in a pool does not exist" for port in set(entries) - ids]
        found += [f"port {port} is ready, but none should be" for port in set(entries) - set(claims)]
        found += [
            f"subport {port} at {place} is nobody's" for port, place in places.items() if port not in ids
        ]
        found += [
            f"port {port} of pod {uid} is left over" for port, uid in claims.items() if uid not in alive
        ]
        for uid, pod in alive.items():
            name, mine = key_of(pod), [port for port, owner in claims.items() if owner == uid]
            if len(mine) != 1:
                found.append(f"pod {name} has {len(mine)} ports")
                continue
            place, (node, entry) = places.get(mine[0]), entries.get(mine[0], ("", None))
            if entry is None or place != (node, entry.segmentation_id) or node != pod.spec.node_name:
                found.append(f"the port of pod {name} on {pod.spec.node_name} is at {place}, told {entry}")
        return found

    # services

    async def _services(self) -> list[str]:
        listed, slices, balancers, addresses = await asyncio.gather(
            self.kube.list(SERVICES),
            self.kube.list(ENDPOINT_SLICES),
            self._balancers(),
            Neutron(self.cloud).list_floating_ips(self.site.cluster, "service"),
        )
        alive = {
            one["metadata"]["uid"]: one for one in listed.items if one["metadata"]["name"] != "kubernetes"
        }
        found = [
            f"load balancer {one['name']} of service {uid} is left over"
            for uid, several in balancers.items()
            for one in several
            if uid not in alive
        ]
        of_service: dict[str, list[Any]] = {}
        for address in addresses:
            of_service.setdefault(address.owner.uid if address.owner else "", []).append(address)
        found += [f"floating IPs of service {uid} are left over" for uid in of_service if uid not in alive]
        for uid, service in alive.items():
            parts = [part for part in slices.items if _service_of(part) == _key(service)]
            found += _unlike(service, parts, balancers.get(uid, []), of_service.get(uid, []))
        return found

    async def _balancers(self) -> dict[str, list[Object]]:
        """Return all load balancers of the project by the uid in their tags, with all below them."""
        balancers, listeners, pools = await asyncio.gather(
            *(self._octavia(collection) for collection in ("loadbalancers", "listeners", "pools"))
        )
        members = await asyncio.gather(*(self._members(pool["id"]) for pool in pools))
        for pool, its in zip(pools, members, strict=True):
            pool["members"] = its
        found: dict[str, list[Object]] = {}
        for balancer in balancers:
            balancer["listeners"] = [
                one for one in listeners if {"id": balancer["id"]} in one["loadbalancers"]
            ]
            balancer["pools"] = [one for one in pools if {"id": balancer["id"]} in one["loadbalancers"]]
            owner = owner_of(balancer["tags"])
            found.setdefault(owner.uid if owner else "", []).append(balancer)
        return found

    async def _members(self, pool_id: str) -> list[Object]:
        try:
            return await self._octavia(f"pools/{pool_id}/members", "members")
        except errors.NotFound:
            return []  # it went between two questions: the next look shows that

    async def _octavia(self, path: str, key: str = "") -> list[Object]:
        items = await self.cloud.get_all("load-balancer", f"{_LBAAS}/{path}", key or path)
        return [msgspec.json.decode(item) for item in items]

    # namespaces

    async def _namespaces(self) -> list[str]:
        mine = {"project_id": self.site.project.id}
        listed, of_project, its, subnets, interfaces = await asyncio.gather(
            self.kube.list(NAMESPACES),
            self._neutron("networks", mine),
            self._neutron("security-groups", mine),
            self._neutron("subnets", mine),
            self._neutron("ports", {"device_id": self.site.router.id}),
        )
        networks, groups = ([one for one in several if self._owned(one)] for several in (of_project, its))
        alive = {
            one["metadata"]["uid"]: one["metadata"]["name"]
            for one in listed.items
            if one["metadata"].get("annotations", {}).get("causeway.dev/network") == "own"
        }
        joined = {ip["subnet_id"] for port in interfaces for ip in port["fixed_ips"]}
        found = [
            f"{kind} {one['name']} is left over"
            for kind, several in (("network", networks), ("security group", groups))
            for one in several
            if _owner(one) not in alive
        ]
        for uid, name in alive.items():
            nets, its_groups = (
                [one for one in several if _owner(one) == uid] for several in (networks, groups)
            )
            its = [subnet for net in nets for subnet in subnets if subnet["network_id"] == net["id"]]
            if (len(nets), len(its), len(its_groups)) != (1, 1, 1):
                found.append(
                    f"namespace {name} has {len(nets)} networks, {len(its)} subnets, {len(its_groups)} groups"
                )
            found += [f"subnet of namespace {name} is not joined" for one in its if one["id"] not in joined]
        return found

    def _owned(self, thing: Object) -> bool:
        """Return whether a thing is of a namespace: these carry their owner in the description."""
        owner = owner_in(thing["description"])
        return owner is not None and (owner.cluster, owner.kind) == (self.site.cluster, "namespace")

    async def _neutron(self, path: str, query: dict[str, Any] | None = None) -> list[Object]:
        items = await self.cloud.get_all("network", f"/v2.0/{path}", path.replace("-", "_"), params=query)
        return [msgspec.json.decode(item) for item in items]

    async def inventory(self) -> set[str]:
        """Return everything there is in the project, whoever it belongs to, each in words with its id."""
        kinds = ("ports", "floatingips", "trunks", "networks", "subnets", "routers", "security-groups")
        mine = {"project_id": self.site.project.id}
        listed = {kind: await self._neutron(kind, mine) for kind in (*kinds, "address-groups")}
        listed["load balancers"] = await self._octavia("loadbalancers")
        return {
            f"{kind}: {one['id']} {one.get('name', '')} {one.get('device_owner', '')}"
            for kind, items in listed.items()
            for one in items
        }

    async def restored(self, before: set[str], seconds: float = 600.0) -> None:
        """Return once there is what was there before, no more and no less.

        A port that Octavia left when Neutron died under it is let alone for two minutes.
        """
        deadline, now, pause = time.monotonic() + seconds, set[str](), pauses(0.5, 4.0)
        while True:
            with contextlib.suppress(errors.CloudError):
                now = await self.inventory()
            if now == before:
                return
            assert time.monotonic() < deadline, f"left over: {now - before}; missing: {before - now}"
            await asyncio.sleep(next(pause))


def _unlike(service: Object, parts: list[Object], balancers: list[Object], addresses: list[Any]) -> list[str]:
    """Return how what a Service has differs from what it asks for."""
    name, spec = _key(service), service["spec"]
    if len(balancers) != 1:
        return [f"service {name} has {len(balancers)} load balancers"]
    (balancer,) = balancers
    below = [
        *balancer["listeners"],
        *balancer["pools"],
        *(m for pool in balancer["pools"] for m in pool["members"]),
    ]
    found = [
        f"{one.get('name') or one['id']} of service {name} is {one['provisioning_status']}"
        for one in (balancer, *below)
        if one["provisioning_status"] != "ACTIVE"
    ]
    if balancer["vip_address"] != spec["clusterIP"]:
        found.append(f"service {name} has its load balancer at {balancer['vip_address']}")
    wanted = {
        f"{port['port']}/{port['protocol']}": _members(parts, port["name"], port["protocol"])
        for port in spec["ports"]
    }
    pools = {pool["id"]: pool for pool in balancer["pools"]}
    there: dict[str, list[str]] = {}
    for listener in balancer["listeners"]:
        pool = pools.pop(listener["default_pool_id"], {"members": []})
        members = sorted(f"{one['address']}:{one['protocol_port']}" for one in pool["members"])
        there[f"{listener['protocol_port']}/{listener['protocol']}"] = members
    if there != wanted:
        found.append(f"service {name} wants {wanted}, has {there}")
    if len(there) != len(balancer["listeners"]) or pools:
        found.append(f"service {name} has doubled listeners or {len(pools)} stray pools")
    external = spec["type"] == "LoadBalancer"
    if len(addresses) != int(external):
        found.append(f"service {name} of type {spec['type']} has {len(addresses)} floating IPs")
        return found
    if external and addresses[0].port_id != balancer["vip_port_id"]:
        found.append(f"the floating IP of service {name} is at {addresses[0].port_id}")
    ingress = [one.get("ip") for one in service["status"].get("loadBalancer", {}).get("ingress", [])]
    if ingress != [one.floating_ip_address for one in addresses]:
        found.append(f"service {name} says {ingress}, has {[one.floating_ip_address for one in addresses]}")
    return found


def _members(parts: list[Object], name: str, protocol: str) -> list[str]:
    return sorted(
        f"{endpoint['addresses'][0]}:{port['port']}"
        for part in parts
        for port in part["ports"]
        for endpoint in part["endpoints"] or []
        if (port["name"], port["protocol"]) == (name, protocol) and endpoint["conditions"]["ready"]
    )


def _owner(thing: Object) -> str:
    owner = owner_of(thing["tags"]) or owner_in(thing["description"])
    return owner.uid if owner else ""


def _key(thing: Object) -> str:
    return f"{thing['metadata'].get('namespace', '')}/{thing['metadata']['name']}"


def _service_of(part: Object) -> str:
    labels = part["metadata"].get("labels", {})
    return f"{part['metadata']['namespace']}/{labels.get('kubernetes.io/service-name', '')}"
