"""A platform and its nodes in memory, on the model of a cloud: slow, and going on when who uses it dies.

What must never be done is noted as a sin at the moment it happens: a port handed to two pods, taken from the
pod that has it, or handed out while it is not on the trunk.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

import msgspec
from tests.models.feeds import Feed, informers, together
from tests.models.pods_cloud import CHASSIS, NODES, PREPARED, Cloud

from causeway.kube import resource
from causeway.kube.client import Listing, WatchEvent
from causeway.kube.errors import Conflict, Invalid, NotFound, Object
from causeway.kube.events import Recorder
from causeway.kube.objects import (
    Cached,
    Claim,
    Condition,
    Meta,
    Namespace,
    NetworkPolicy,
    Node,
    OwnerReference,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    PoolPort,
    PortPool,
    PortPoolSpec,
    PortPoolStatus,
)
from causeway.kube.podnetwork import PORT
from causeway.kube.policies import selects
from causeway.kube.resource import PORT_POOLS, Resource
from causeway.rooms.pods.controller import Room
from causeway.rooms.pods.model import CHASSIS_LABEL, Sizes
from causeway.rooms.pods.neighbours import NetworkOfNamespace, NoInterfaces, OneNetwork, Subnet, Trouble
from causeway.serve.node.ports import NodePorts
from causeway.serve.node.ports import Sources as NodeSources

T = TypeVar("T", bound=Cached)
NETWORK = NetworkOfNamespace("net", (Subnet("sub", 16, "10.1.255.254"),), ("sg",), 1442)
SIZES = Sizes(minimum=2, maximum=20, batch=4)


class Of(Generic[T]):
    """The part of a feed a field selector lets through."""

    def __init__(self, feed: Feed[T], chosen: Callable[[T], bool]) -> None:
        self._feed = feed
        self._chosen = chosen

    async def list(self) -> Listing[T]:
        whole = await self._feed.list()
        return Listing([thing for thing in whole.items if self._chosen(thing)], whole.resource_version)

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[T]]:
        async for event in self._feed.watch(resource_version):
            if event.object is not None and self._chosen(event.object):
                yield event


class Groups:
    """What the policies' room would say: another group for the pods a policy selects."""

    def __init__(self, policies: Feed[NetworkPolicy]) -> None:
        self._policies = policies
        self.refused: Trouble | None = None  # why those groups cannot be had
        self.synced = asyncio.Event()
        self.synced.set()

    def of(self, pod: Pod) -> tuple[str, ...] | None:
        if not self._selected(pod):
            return ("sg",)
        return None if self.refused else ("isolated",)

    def trouble(self, pod: Pod) -> Trouble | None:
        return self.refused if self._selected(pod) else None

    def _selected(self, pod: Pod) -> bool:
        mine = (each for each in self._policies.objects.values() if each.metadata.namespace == "n")
        return any(selects(each, pod.metadata.labels) for each in mine)

    def on_change(self, wake: Callable[[str], None]) -> None:
        pass


class World:
    """A platform on a cloud; nothing in them is done but by calls."""

    def __init__(self, seed: int, *, lag: float = 0.05, native: bool = False) -> None:
        self.chance = random.Random(seed)
        self.sins: list[str] = []
        self.cloud = Cloud(self.chance, self.sins)
        self.events: list[str] = []
        self.writes = Counter[str]()
        self._uids = itertools.count(1)

        def late() -> float:
            return self.chance.uniform(0, lag)

        self.pods = Feed[Pod](late)
        self.pools = Feed[PortPool](late)
        self.nodes = Feed[Node](late)
        self.policies = Feed[NetworkPolicy](late)
        self.groups = Groups(self.policies)
        self.namespaces = Feed[Namespace](late)
        self.namespaces.put(Namespace(Meta("n", uid="ns-n")))
        names = [*NODES, *CHASSIS] if native else NODES
        for name in names:
            self.add_node(name)
        self.computers = {name: Computer(self, name) for name in names}

    def add_node(self, name: str) -> None:
        labels = {CHASSIS_LABEL: CHASSIS[name]} if name in CHASSIS else {}
        self.nodes.put(Node(Meta(name, uid=f"node-{name}-{next(self._uids)}", labels=labels)))

    # the API

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        self.writes[resource.kind] += 1
        if resource is not PORT_POOLS:
            self.events.append(f"{body['regarding']['name']}: {body['reason']}: {body['note']}")
            return body
        await asyncio.sleep(self.chance.uniform(0.01, 0.2))
        name = body["metadata"]["name"]
        if name in self.pools.objects:
            raise Conflict("pools", "there is one", status=409)
        owners = msgspec.convert(body["metadata"]["ownerReferences"], tuple[OwnerReference, ...])
        meta = Meta(name, uid=f"pool-{next(self._uids)}", generation=1, owner_references=owners)
        spec = msgspec.convert(body["spec"], PortPoolSpec)
        return _plain(self.pools.put(PortPool(meta, spec)))

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        kind: str = "merge",
        subresource: str | None = None,
    ) -> Object:
        if resource is not PORT_POOLS:
            return dict(body)
        self.writes[f"PortPool {subresource or 'spec'}"] += 1
        await asyncio.sleep(self.chance.uniform(0.01, 0.2))
        pool = self.pools.objects.get(name)
        if pool is None:
            raise NotFound("pools", "no such pool", status=404)
        meta = pool.metadata
        if kind == "json":
            uid, generation, change = body
            if (uid["value"], generation["value"]) != (meta.uid, meta.generation):
                raise Invalid("pools", "test failed", status=422)
            spec = msgspec.convert(change["value"], PortPoolSpec)
            grown = meta.generation + (spec != pool.spec)
            meta = msgspec.structs.replace(meta, generation=grown)
            return _plain(self.pools.put(PortPool(meta, spec, pool.status)))
        if body["metadata"]["uid"] != meta.uid:
            raise Conflict("pools", "another uid", status=409)
        status = msgspec.convert(_plain(pool.status) | body["status"], PortPoolStatus)
        if status == pool.status:
            return _plain(pool)
        return _plain(self.pools.put(PortPool(meta, pool.spec, status)))

    # what happens

    def add_pod(self, name: str, node: str, labels: dict[str, str] | None = None, port: str = "") -> None:
        if f"n/{name}" not in self.pods.objects:
            number = next(self._uids)
            meta = Meta(
                name=name,
                namespace="n",
                uid=f"u{number}",
                labels=labels or {},
                annotations={PORT: port} if port else {},
                creation_timestamp=f"{number:06}",
            )
            self.pods.put(Pod(meta, PodSpec(node), PodStatus("Pending")))

    def end_pod(self, name: str) -> None:
        pod = self.pods.objects.get(f"n/{name}")
        if pod is not None:
            self.pods.put(Pod(pod.metadata, pod.spec, PodStatus("Succeeded")))

    def drop_pod(self, name: str) -> None:
        if f"n/{name}" in self.pods.objects:
            self.pods.drop(f"n/{name}")

    def collect_garbage(self) -> None:
        """Remove the pools whose node is gone, as the garbage collector does some time later."""
        nodes = {node.metadata.uid for node in self.nodes.objects.values()}
        for name, pool in [*self.pools.objects.items()]:
            if not nodes & {owner.uid for owner in pool.metadata.owner_references}:
                self.pools.drop(name)

    def lose_pool(self, name: str) -> None:
        if name in self.pools.objects:
            self.pools.drop(name)

    def controller(self) -> "asyncio.Task[None]":
        networks = OneNetwork(NETWORK)
        followed = informers(
            {
                resource.PODS: self.pods,
                PORT_POOLS: self.pools,
                resource.NODES: self.nodes,
                resource.NETWORK_POLICIES: self.policies,
            }
        )
        room = Room(
            "c",
            neutron=self.cloud,
            people=self.cloud,
            kube=self,
            recorder=Recorder(self, "controller"),
            sources=followed,
            networks=networks,
            groups=self.groups,
            interfaces=NoInterfaces(),
            sizes={"": SIZES},
        )
        return asyncio.create_task(together(followed.run, room.run))

    # what must be in the end

    def live(self) -> dict[str, Pod]:
        return {
            pod.metadata.uid: pod for pod in self.pods.objects.values() if pod.status.phase != "Succeeded"
        }

    def _check_prepared(self) -> set[str]:
        """Assert that prepared ports are as they were and serve who may have them; return which do."""
        groups, lent = self.groups, set()
        for name, before in self.cloud.before.items():
            now = self.cloud.ports[name]
            same = ("name", "fixed_ips", "mac_address", "security_groups", "tags", "network_id")
            assert [getattr(now, each) for each in same] == [getattr(before, each) for each in same]
            asking = [pod for pod in self.live().values() if pod.metadata.annotations.get(PORT) == name]
            user = self.cloud.used.get(name)
            if user is not None:
                assert user in [pod.metadata.uid for pod in asking]
                lent.add(name)
            else:
                assert all(groups.of(pod) == ("isolated",) for pod in asking)
                assert not now.device_owner
        return lent

    def check(self) -> None:
        """Assert that every pod has its port, reserves are as they should be, and nothing else is there."""
        assert not self.sins
        ours, places = self.cloud.ours(), self.cloud.places()
        assert places.pop("foreign-subport") == ("w1", 2)
        lent = self._check_prepared()
        assert set(places) == {*ours, *lent}
        plain = sorted(uid for uid, pod in self.live().items() if PORT not in pod.metadata.annotations)
        assert sorted(uid for port, uid in self.cloud.used.items() if port not in lent) == plain
        listed: dict[str, tuple[str, PoolPort]] = {}
        claims: dict[str, Claim] = {}
        for name, pool in self.pools.objects.items():
            retiring = any(entry.retiring for entry in pool.spec.ports)
            assert not retiring or pool.status.observed_generation == pool.metadata.generation
            assert {one.reason for one in pool.status.conditions} <= {"Ready"}
            claims |= {claim.port_id: claim for claim in pool.status.claims}
            for entry in pool.spec.ports:
                assert entry.port_id not in listed
                listed[entry.port_id] = (name, entry)
        assert set(listed) == {*ours, *lent}
        for port_id, (name, entry) in listed.items():
            assert places[port_id] == (name, entry.segmentation_id)
            assert entry.fixed_ips[0].ip_address == self.cloud.ports[port_id].fixed_ips[0].ip_address
            assert entry.prepared == (port_id in lent)
            assert not entry.retiring or port_id in claims
        assert {port_id: claim.pod_uid for port_id, claim in claims.items()} == self.cloud.used
        live, groups = self.live(), self.groups
        for port_id, claim in claims.items():
            pod = live[claim.pod_uid]
            assert listed[port_id][0] == pod.spec.node_name
            if port_id in lent:
                continue
            assert tuple(ours[port_id].security_groups) == groups.of(pod)
            assert ours[port_id].name == f"n/{pod.metadata.name}"
        for name in self.nodes.objects:
            free = [
                port_id for port_id, (node, _) in listed.items() if node == name and port_id not in claims
            ]
            assert SIZES.minimum <= len(free) <= SIZES.maximum + SIZES.batch
            assert {tuple(ours[port_id].security_groups) for port_id in free} == {("sg",)}
        assert {"foreign-subport", "foreign-parent", "foreign-pod", "service-port"} <= set(self.cloud.ports)


class Computer:
    """A node: its kubelet makes and removes sandboxes, its daemon gives them ports and may be killed."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.name = name
        self.disk: dict[tuple[str, str], tuple[PoolPort, Claim]] = {}
        self._sandboxes = itertools.count(1)
        self._ports: NodePorts | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        world = self._world
        sources = NodeSources(
            Of(world.pools, lambda pool: pool.metadata.name == self.name),
            Of(world.pods, lambda pod: pod.spec.node_name == self.name),
            world.namespaces,
            world.policies,
        )
        self._ports = NodePorts(sources, world, self.name)
        for holder, (port, claim) in self.disk.items():
            self._ports.restore(port, claim, holder)
        self._tasks = [asyncio.create_task(self._ports.run()), asyncio.create_task(self._kubelet())]

    async def kill(self) -> None:
        """Kill the daemon; the links of pods stay, and so does what it wrote."""
        for task in self._tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def reboot(self) -> None:
        """Lose everything but what is in the API."""
        await self.kill()
        for port, _ in self.disk.values():
            self._world.cloud.used.pop(port.port_id, None)
        self.disk.clear()

    async def _kubelet(self) -> None:
        async with asyncio.TaskGroup() as group:
            adding: dict[str, asyncio.Task[None]] = {}
            while True:
                here = {uid for uid, pod in self._world.live().items() if pod.spec.node_name == self.name}
                there = {claim.pod_uid for _, claim in self.disk.values()}
                for uid in here - there:
                    if uid not in adding or adding[uid].done():
                        adding[uid] = group.create_task(self._add(self._world.live()[uid]))
                for uid in set(adding) - here:
                    adding.pop(uid).cancel()
                for holder, (port, claim) in list(self.disk.items()):
                    if claim.pod_uid not in here:
                        self._remove(holder, port)
                await asyncio.sleep(self._world.chance.uniform(0.05, 0.3))

    async def _add(self, pod: Pod) -> None:
        assert self._ports is not None
        world, meta, holder = self._world, pod.metadata, (f"sandbox{next(self._sandboxes)}", "eth0")
        port = await self._ports.take("n", meta.name, meta.uid, holder)
        try:
            where = world.cloud.places().get(port.port_id)
            if where != (self.name, port.segmentation_id):
                world.sins.append(f"{port.port_id} handed out, but it is at {where}")
            if world.cloud.used.get(port.port_id, meta.uid) != meta.uid:
                world.sins.append(f"{port.port_id} handed out, but another pod has it")
            groups = tuple(world.cloud.ports[port.port_id].security_groups) if where else ()
            if groups == ("isolated",) and not port.pod_uid:
                world.sins.append(f"{port.port_id} handed out with the groups of another pod")
            self.disk[holder] = (
                port,
                self._ports.shelf.claim_of(holder),
            )  # the record is there before the link
            world.cloud.used[port.port_id] = meta.uid
            await asyncio.sleep(world.chance.uniform(0, 0.02))
        except asyncio.CancelledError:
            self._remove(holder, port)
            raise
        if world.pods.objects.get(f"n/{meta.name}") is pod:
            address = PodIP(port.fixed_ips[0].ip_address)
            world.pods.put(Pod(meta, pod.spec, PodStatus("Running", pod_ip=address.ip, pod_ips=(address,))))

    def _remove(self, holder: tuple[str, str], port: PoolPort) -> None:
        assert self._ports is not None
        self._world.cloud.used.pop(port.port_id, None)
        self.disk.pop(holder, None)
        self._ports.let_go(holder)


def _plain(thing: Any) -> Object:
    plain: Object = msgspec.to_builtins(thing)
    return plain


__all__ = ["NODES", "PREPARED", "SIZES", "Computer", "Condition", "World"]
