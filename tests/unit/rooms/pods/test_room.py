"""The whole room against a model of Neutron and of the API that fails, is slow, and outlives our death.

A call that was begun takes effect even when its caller was killed meanwhile, as with the real ones.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from causeway.cloud import errors
from causeway.cloud.neutron import FixedIP, Port, PortRequest, Subport, Trunk
from causeway.cloud.ownership import Owner
from causeway.kube.client import Listing, WatchEvent
from causeway.kube.errors import Object
from causeway.kube.events import Recorder
from causeway.kube.objects import Meta, Pod, PodPort, PodSpec, PodStatus, key_of
from causeway.kube.resource import Resource
from causeway.rooms.pods.controller import Room
from causeway.rooms.pods.model import Site

T = TypeVar("T", Pod, PodPort)
Run = Callable[[Coroutine[Any, Any, Any]], Any]
SITE = Site("c", "net", "sub", 16, "10.1.255.254", ("sg",), 1442)


class Feed(Generic[T]):
    """One resource of the API: objects, and the history a watch follows."""

    def __init__(self) -> None:
        self.objects: dict[str, T] = {}
        self.history: list[WatchEvent[T]] = []
        self.grown = asyncio.Event()

    def put(self, thing: T) -> T:
        key, version = key_of(thing), str(len(self.history) + 1)
        meta = msgspec.structs.replace(thing.metadata, resource_version=version)
        thing = msgspec.structs.replace(thing, metadata=meta)
        self._tell(WatchEvent("MODIFIED" if key in self.objects else "ADDED", thing, version))
        self.objects[key] = thing
        return thing

    def drop(self, key: str) -> None:
        thing = self.objects.pop(key)
        self._tell(WatchEvent("DELETED", thing, str(len(self.history) + 1)))

    def _tell(self, event: WatchEvent[T]) -> None:
        self.history.append(event)
        self.grown.set()
        self.grown = asyncio.Event()

    async def list(self) -> Listing[T]:
        await asyncio.sleep(0.05)
        return Listing(list(self.objects.values()), str(len(self.history)))

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[T]]:
        for position in itertools.count(int(resource_version)):
            while position >= len(self.history):
                await self.grown.wait()
            yield self.history[position]


class World:
    """A cloud and a platform; nothing in them is done but by calls."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.faults = 0.0
        self.calls = 0
        self.created = Counter[str]()  # ports made, by owner
        self.kills = 0
        self.quota = 10_000
        self.effects: set[asyncio.Task[Any]] = set()
        self.pods = Feed[Pod]()
        self.pod_ports = Feed[PodPort]()
        self.events: list[str] = []
        self.sins: list[BaseException | None] = []  # what must never be asked of a cloud
        self.ids = itertools.count(1)
        self.ports: dict[str, Port] = {}
        self.trunks: dict[str, Trunk] = {}
        for node in ("w1", "w2"):
            self._port(f"parent-{node}", Owner("c", "node", node).tags())
            self.trunks[f"t-{node}"] = Trunk(f"t-{node}", node, "ACTIVE", f"parent-{node}")
        # Somebody else's: a subport on our trunk, a trunk of the same name, a port of another cluster.
        self._port("foreign-subport", [])
        self._port("foreign-parent", Owner("other", "node", "w1").tags())
        self._port("foreign-pod", Owner("other", "pod", "u1").tags())
        self._port("service-port", Owner("c", "service", "u1").tags())
        self.trunks["t-w1"] = msgspec.structs.replace(
            self.trunks["t-w1"], sub_ports=[Subport("foreign-subport", 2)]
        )
        self.trunks["t-other"] = Trunk("t-other", "w1", "ACTIVE", "foreign-parent")

    def _port(self, port_id: str, tags: list[str]) -> Port:
        address = f"10.1.0.{len(self.ports)}"
        self.ports[port_id] = Port(
            port_id, port_id, "DOWN", "net", f"mac-{port_id}", [FixedIP("sub", address)], tags
        )
        return self.ports[port_id]

    async def _call(self, effect: Callable[[], Any]) -> Any:
        """Make a call that takes a while; what it does happens even if nobody waits for it any more."""
        self.calls += 1
        before, after = self.chance.uniform(0.01, 2), self.chance.uniform(0.01, 1)

        async def serve() -> Any:
            await asyncio.sleep(before)
            if self.chance.random() < self.faults:
                raise errors.ServerError("network", "broke before")
            result = effect()
            if self.chance.random() < self.faults:
                raise errors.Timeout("network", "broke after")
            await asyncio.sleep(after)
            return result

        task = asyncio.create_task(serve())
        self.effects.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, effect: "asyncio.Task[Any]") -> None:
        self.effects.discard(effect)
        if not effect.cancelled() and isinstance(effect.exception(), AssertionError):
            self.sins.append(effect.exception())

    # Neutron

    async def list_owned_ports(self, cluster: str, kind: str | None = None) -> list[Port]:
        found: list[Port] = await self._call(
            lambda: [port for port in self.ports.values() if port.owner and port.owner.cluster == cluster]
        )
        return found

    async def list_trunks(self) -> list[Trunk]:
        trunks: list[Trunk] = await self._call(lambda: list(self.trunks.values()))
        return trunks

    async def get_trunk(self, trunk_id: str) -> Trunk:
        trunk: Trunk = await self._call(lambda: self.trunks[trunk_id])
        return trunk

    async def create_ports(self, requests: Sequence[PortRequest]) -> list[Port]:
        def create() -> list[Port]:
            pods = sum(port.id.startswith("p") and port.id[1:].isdigit() for port in self.ports.values())
            if pods + len(requests) > self.quota:
                raise errors.Quota("network", "Quota exceeded for resources: ['port'].", status=409)
            self.created.update(request.tags[-1] for request in requests)
            made = []
            for request in requests:
                assert request.security_groups == ["sg"]
                made.append(self._port(f"p{next(self.ids)}", request.tags))
            return made

        ports: list[Port] = await self._call(create)
        return ports

    async def delete_port(self, port_id: str) -> None:
        def delete() -> None:
            if any(port_id == sub.port_id for trunk in self.trunks.values() for sub in trunk.sub_ports):
                raise errors.InUse("network", "port is a subport", status=409)
            if port_id in self.ports:
                owner = self.ports[port_id].owner
                assert owner, f"{port_id} is not ours"
                assert (owner.cluster, owner.kind) == ("c", "pod"), f"{port_id} is not ours"
                del self.ports[port_id]

        await self._call(delete)

    async def add_subports(self, trunk_id: str, subports: Sequence[Subport]) -> Trunk:
        def add() -> Trunk:
            trunk = self.trunks[trunk_id]
            assert trunk_id != "t-other"
            taken = {sub.segmentation_id for sub in trunk.sub_ports}
            attached = {sub.port_id for each in self.trunks.values() for sub in each.sub_ports}
            for sub in subports:
                assert 1 <= sub.segmentation_id <= 4094
                if sub.port_id not in self.ports:
                    raise errors.NotFound("network", "no such port", status=404)
                if sub.segmentation_id in taken or sub.port_id in attached:
                    raise errors.AddressTaken("network", "duplicate", status=409)
                taken.add(sub.segmentation_id)
                attached.add(sub.port_id)
            self.trunks[trunk_id] = msgspec.structs.replace(trunk, sub_ports=[*trunk.sub_ports, *subports])
            return self.trunks[trunk_id]

        changed: Trunk = await self._call(add)
        return changed

    async def remove_subports(self, trunk_id: str, port_ids: Iterable[str]) -> Trunk:
        removed = set(port_ids)

        def remove() -> Trunk:
            trunk = self.trunks[trunk_id]
            assert not any(port_id.startswith("foreign") for port_id in removed)
            if not removed <= {sub.port_id for sub in trunk.sub_ports}:
                raise errors.NotFound("network", "no such subport", status=404)
            rest = [sub for sub in trunk.sub_ports if sub.port_id not in removed]
            self.trunks[trunk_id] = msgspec.structs.replace(trunk, sub_ports=rest)
            return self.trunks[trunk_id]

        changed: Trunk = await self._call(remove)
        return changed

    # Kubernetes

    async def apply(self, body: Object, *, manager: str) -> Object:
        def write() -> Object:
            uid = body["metadata"]["ownerReferences"][0]["uid"]
            assert uid == body["spec"]["podUID"]
            known = msgspec.convert(body, PodPort)
            written: Object = msgspec.to_builtins(self.pod_ports.put(known))
            return written

        answer: Object = await self._call(write)
        return answer

    async def delete(self, resource: Resource, name: str, namespace: str, *, version: str) -> bool:
        def drop() -> bool:
            there = self.pod_ports.objects.get(f"{namespace}/{name}")
            if there is None or there.metadata.resource_version != version:
                return False
            self.pod_ports.drop(f"{namespace}/{name}")
            return True

        done: bool = await self._call(drop)
        return done

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        self.events.append(f"{body['regarding']['name']}: {body['reason']}: {body['note']}")
        return body

    async def patch(
        self, resource: Resource, name: str, body: Object, namespace: str | None = None
    ) -> Object:
        return body

    # What happens

    def add_pod(self, name: str, node: str) -> None:
        if f"n/{name}" not in self.pods.objects:
            meta = Meta(name=name, namespace="n", uid=f"u{next(self.ids)}")
            self.pods.put(Pod(meta, PodSpec(node), PodStatus("Pending")))

    def end_pod(self, name: str) -> None:
        pod = self.pods.objects.get(f"n/{name}")
        if pod is not None:
            self.pods.put(Pod(pod.metadata, pod.spec, PodStatus("Succeeded")))

    def drop_pod(self, name: str) -> None:
        if f"n/{name}" in self.pods.objects:
            self.pods.drop(f"n/{name}")

    def start(self) -> "asyncio.Task[None]":
        recorder = Recorder(self, "controller")
        room = Room(
            SITE, neutron=self, kube=self, recorder=recorder, pods=self.pods, pod_ports=self.pod_ports
        )
        return asyncio.create_task(room.run())

    def check(self) -> None:
        """Assert that everything is as the pods there are ask for, and the rest as it was."""
        assert not self.sins
        assert max(self.created.values(), default=0) <= 1 + self.kills  # doubled only by being killed
        live = {pod.metadata.uid: pod for pod in self.pods.objects.values() if pod.status.phase == "Pending"}
        ours = {port.id: port for port in self.ports.values() if port.owner == Owner("c", "pod", _uid(port))}
        assert sorted(_uid(port) for port in ours.values()) == sorted(live)
        subports = {
            sub.port_id: (trunk.name, sub.segmentation_id)
            for trunk in self.trunks.values()
            for sub in trunk.sub_ports
        }
        assert subports.pop("foreign-subport") == ("w1", 2)
        assert set(subports) == set(ours)
        assert {item.spec.pod_uid for item in self.pod_ports.objects.values()} == set(live)
        for item in self.pod_ports.objects.values():
            pod, port = live[item.spec.pod_uid], ours[item.spec.port_id]
            assert (item.metadata.name, _uid(port)) == (pod.metadata.name, pod.metadata.uid)
            assert subports[port.id] == (pod.spec.node_name, item.spec.segmentation_id)
            assert item.spec.fixed_ips[0].ip_address == port.fixed_ips[0].ip_address
        assert {"foreign-subport", "foreign-parent", "foreign-pod", "service-port"} <= set(self.ports)


def _uid(port: Port) -> str:
    return port.owner.uid if port.owner else ""


async def stop(task: "asyncio.Task[None]") -> None:
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_twenty_pods_take_few_calls_and_their_end_leaves_nothing(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        task = world.start()
        await asyncio.sleep(10)
        listed = world.calls
        for number in range(20):
            world.add_pod(f"pod{number}", "w1" if number % 2 else "w2")
        await asyncio.sleep(15)
        world.check()
        assert world.created.total() == 20
        assert world.calls - listed <= 4 + 8 + 20  # a few bulk creations and additions, a PodPort each
        for number in range(20):
            world.drop_pod(f"pod{number}")
        await asyncio.sleep(60)
        world.check()
        assert len(world.pod_ports.objects) == 0
        await stop(task)

    in_virtual_time(main())


def test_a_used_up_quota_is_told_and_heals(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        world.quota = 5
        task = world.start()
        for number in range(20):
            world.add_pod(f"pod{number}", "w1")
        await asyncio.sleep(30)
        assert world.created.total() == 5
        assert any("Quota: network: Quota exceeded" in event for event in world.events)
        assert any("higher quota" in event for event in world.events)
        world.quota = 100
        await asyncio.sleep(200)
        world.check()
        await stop(task)

    in_virtual_time(main())


def test_a_node_without_a_trunk_is_told_and_heals(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World(0)
        world.add_pod("lost", "w9")
        task = world.start()
        await asyncio.sleep(30)
        assert any("node w9 has no trunk" in event for event in world.events)
        assert world.created.total() == 0
        assert world.calls < 20
        world._port("parent-w9", Owner("c", "node", "w9").tags())
        world.trunks["t-w9"] = Trunk("t-w9", "w9", "ACTIVE", "parent-w9")
        world.add_pod("first", "w9")
        await asyncio.sleep(20)  # a new pod does not have to wait for the next poll
        assert world.created[f"causeway-uid={world.pods.objects['n/first'].metadata.uid}"] == 1
        await asyncio.sleep(100)
        world.check()
        await stop(task)

    in_virtual_time(main())


@pytest.mark.parametrize("seed", range(5))
def test_calls_that_fail_after_taking_effect_double_nothing(in_virtual_time: Run, seed: int) -> None:
    async def main() -> None:
        world = World(seed)
        world.faults = 0.3
        task = world.start()
        for number in range(10):
            world.add_pod(f"pod{number}", "w1")
            await asyncio.sleep(5)
        world.faults = 0.0
        await asyncio.sleep(240)
        world.check()
        await stop(task)

    in_virtual_time(main())


@pytest.mark.parametrize("seed", range(5))
def test_a_list_that_is_older_than_our_writes_is_not_believed(in_virtual_time: Run, seed: int) -> None:
    async def main() -> None:
        world = World(seed)
        task = world.start()
        await asyncio.sleep(25)
        for number in range(40):  # the cloud is listed meanwhile
            world.add_pod(f"pod{number}", "w1")
            if number > 20:
                world.drop_pod(f"pod{number - 15}")
            await asyncio.sleep(0.3)
        await asyncio.sleep(100)
        world.check()
        await stop(task)

    in_virtual_time(main())


names = st.sampled_from([f"pod{number}" for number in range(6)])
actions = st.one_of(
    st.tuples(st.just("add"), names, st.sampled_from(["w1", "w2"])),
    st.tuples(st.just("drop"), names),
    st.tuples(st.just("end"), names),
    st.tuples(st.just("kill"), st.floats(0, 3)),
    st.tuples(st.just("wait"), st.floats(0, 5)),
    st.tuples(st.just("faults"), st.sampled_from([0.0, 0.1, 0.5])),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.lists(actions, max_size=30), st.integers(0, 1000))
def test_whatever_happens_all_converges_with_nothing_doubled_or_left(
    in_virtual_time: Run, history: list[tuple[Any, ...]], seed: int
) -> None:
    async def main() -> None:
        world = World(seed)
        task = world.start()
        for action, *what in history:
            match action:
                case "add":
                    world.add_pod(*what)
                case "drop":
                    world.drop_pod(*what)
                case "end":
                    world.end_pod(*what)
                case "kill":
                    await stop(task)
                    world.kills += 1
                    await asyncio.sleep(what[0])
                    task = world.start()
                case "wait":
                    await asyncio.sleep(what[0])
                case "faults":
                    world.faults = what[0]
        world.faults = 0.0
        await asyncio.sleep(240)
        world.check()
        calls = world.calls
        await asyncio.sleep(60)
        assert world.calls - calls <= 6  # at rest only the two lists are made
        await stop(task)
        await asyncio.gather(*world.effects, return_exceptions=True)

    in_virtual_time(main())
