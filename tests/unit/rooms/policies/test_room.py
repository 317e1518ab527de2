"""The whole room against a model of Neutron and of the API that fails, is slow, and outlives our death.

Whoever makes ports is played by ``World``: it gives a pod's port the groups the room tells, as soon as it
does.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.models.events import KeptEvents
from tests.models.feeds import Feed, informers, together
from tests.models.security_groups import ModelSecurityGroups
from tests.unit.rooms.policies import worlds
from tests.unit.rooms.policies.worlds import NODES, SERVICES

from causeway.cloud import errors
from causeway.cloud.ownership import Owner
from causeway.kube import resource
from causeway.kube.events import Recorder
from causeway.kube.objects import EndpointSlice, Namespace, NetworkPolicy, Node, Pod, Service
from causeway.rooms.policies.controller import Room
from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import GroupKey, member_of
from causeway.rooms.policies.plan import difference

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Cloud:
    """The model behind calls that take a while and fail, before or after taking effect."""

    def __init__(self, model: ModelSecurityGroups, seed: int) -> None:
        self._model = model
        self._chance = random.Random(seed)
        self._effects: set[asyncio.Task[Any]] = set()
        self.faults = 0.0
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*arguments: Any) -> Any:
            self.calls.append(name)
            task = asyncio.create_task(self._serve(name, *arguments))
            self._effects.add(task)
            task.add_done_callback(self._ended)
            return await asyncio.shield(task)

        return call

    async def ended(self) -> None:
        await asyncio.gather(*self._effects, return_exceptions=True)

    async def _serve(self, name: str, *arguments: Any) -> Any:
        await asyncio.sleep(self._chance.uniform(0.01, 1))
        if self._chance.random() < self.faults:
            raise errors.ServerError("network", "broke before")
        result = await getattr(self._model, name)(*arguments)
        if self._chance.random() < self.faults:
            raise errors.Timeout("network", "broke after")
        await asyncio.sleep(self._chance.uniform(0.01, 1))
        return result

    def _ended(self, effect: "asyncio.Task[Any]") -> None:
        self._effects.discard(effect)
        if not effect.cancelled():
            effect.exception()


class Others:
    """Knows the groups of pods no policy is for."""

    def of(self, pod: Pod) -> tuple[str, ...] | None:
        return ("open",)

    def on_change(self, wake: Callable[[str], None]) -> None:
        pass


class World:
    """A platform, its cloud, and somebody who gives ports the groups the room tells."""

    def __init__(self, seed: int = 0, *, address_groups: bool = True) -> None:
        self.model = ModelSecurityGroups()
        self.cloud = Cloud(self.model, seed)
        self.address_groups = address_groups
        self.pods = Feed[Pod]()
        self.policies = Feed[NetworkPolicy]()
        self.namespaces = Feed[Namespace]()
        self.nodes = Feed[Node]()
        self.services = Feed[Service]()
        self.slices = Feed[EndpointSlice]()
        self.events = KeptEvents()
        self.made = 0
        self.room: Room | None = None
        for name in NODES:
            self.nodes.put(worlds.node(name))
        for name in "ab":
            self.namespaces.put(worlds.namespace(name, {"app": name}))

    def start(self) -> "asyncio.Task[None]":
        followed = informers(
            {
                resource.PODS: self.pods,
                resource.NETWORK_POLICIES: self.policies,
                resource.NAMESPACES: self.namespaces,
                resource.NODES: self.nodes,
                resource.SERVICES: self.services,
                resource.ENDPOINT_SLICES: self.slices,
            }
        )
        self.room = Room(
            self.cloud,
            Recorder(self.events, "controller"),
            followed,
            Others(),
            cluster="c",
            services=SERVICES,
            address_groups=self.address_groups,
        )
        self.room.on_change(self._woken)
        return asyncio.create_task(together(followed.run, self._run))

    async def _run(self) -> None:
        room = self.room
        assert room is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(room.run())
            await room.synced.wait()
            for pod in self.pods.objects.values():
                self._woken(pod.metadata.uid)

    def _woken(self, uid: str) -> None:
        asyncio.get_running_loop().call_later(0.5, self.plug, uid)

    def plug(self, uid: str) -> None:
        """Give a pod's port the groups it is to have now."""
        found = [pod for pod in self.pods.objects.values() if pod.metadata.uid == uid]
        groups = self.room.of(found[0]) if found and self.room else None
        if groups is not None:
            self.model.ports[uid] = groups
            for group in groups:
                assert group == "open" or group in self.model.groups

    def put_pod(self, pod: Pod) -> None:
        """Make a pod in place of another one of its name, which had a life of its own."""
        self.drop_pod(pod.metadata.name)
        self.made += 1
        uid = f"{pod.metadata.name}-{self.made}"
        self.pods.put(msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, uid=uid)))
        self._woken(uid)

    def drop_pod(self, name: str) -> None:
        for key in [key for key in self.pods.objects if key.endswith(f"/{name}")]:
            self.model.ports.pop(self.pods.objects[key].metadata.uid, None)
            self.pods.drop(key)

    def put_policy(self, policy: NetworkPolicy) -> None:
        meta = policy.metadata
        self.drop_policy(meta.name, but_in=meta.namespace)
        meta = msgspec.structs.replace(meta, uid=f"{meta.namespace}-{meta.name}")
        self.policies.put(msgspec.structs.replace(policy, metadata=meta))

    def drop_policy(self, name: str, *, but_in: str = "") -> None:
        for key in [key for key in self.policies.objects if key.endswith(f"/{name}")]:
            if key != f"{but_in}/{name}":
                self.policies.drop(key)

    def compiled(self) -> Index:
        assert self.room is not None
        families = self.room._index._families  # learned from pods, those that are gone included
        index = Index(families, SERVICES)
        for namespace in self.namespaces.objects.values():
            index.put_namespace(namespace.metadata.name, namespace.metadata.labels)
        for name, addresses in NODES.items():
            index.put_node(name, addresses)
        for policy in self.policies.objects.values():
            index.put_policy(policy)
        for pod in self.pods.objects.values():
            index.put_pod(pod.metadata.uid, member_of(pod))
        return index

    def check(self) -> None:
        """Assert that the cloud has what a fresh compilation says, and nothing else of ours."""
        index = self.compiled()
        sets = {owner.uid: thing for thing in self.model.sets.values() if (owner := thing.owner)}
        groups = {thing.description: thing for thing in self.model.groups.values()}
        assert len(sets) == len(self.model.sets)
        assert len(groups) == len(self.model.groups)
        if self.address_groups:
            assert {key: frozenset(thing.addresses) for key, thing in sets.items()} == {
                key: index.sets.addresses(key)
                for key in index.sets.keys()  # noqa: SIM118  # no dict
            }
        else:
            assert not sets
        ids: dict[GroupKey, str] = {}
        for key in index.groups():
            uid = f"{key.uid}.{key.variant}" if key.variant else key.uid
            group = groups.pop(Owner("c", key.kind, uid).description())
            ids[key] = group.id
            rest = difference(
                index.rules(key),
                group,
                group_of=(lambda name: sets[name].id) if self.address_groups else None,
                addresses=index.sets.addresses,
            )
            assert rest.same, (key, rest)
        assert not groups
        for pod in self.pods.objects.values():
            member = member_of(pod)
            if member is not None:
                meant = sorted(ids[key] for key in index.groups_of(member)) or ["open"]
                assert list(self.model.ports[member.uid]) == meant

    def check_groups(self, told: tuple[str, ...]) -> None:
        """Assert that groups told to a port are complete: only the first policy's is looked at."""
        (group,) = [each for each in self.model.groups.values() if each.name == "a/policy-1"]
        assert group.id in told
        rules = [(known.direction, known.ethertype) for known in group.security_group_rules]
        assert sorted(rules) == [("ingress", "IPv4"), ("ingress", "IPv6")]


async def stop(task: "asyncio.Task[None]") -> None:
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


names = st.integers(1, 6).map("pod-{}".format)
actions = st.one_of(
    st.tuples(st.just("pod"), worlds.pods),
    st.tuples(st.just("no pod"), names),
    st.tuples(st.just("policy"), worlds.policies),
    st.tuples(st.just("no policy"), st.integers(1, 4).map("policy-{}".format)),
    st.tuples(st.just("kill"), st.floats(0, 3)),
    st.tuples(st.just("wait"), st.floats(0, 5)),
    st.tuples(st.just("faults"), st.sampled_from([0.0, 0.1, 0.5])),
)


# A call that outlived its caller makes a second group while ports are in the first already.
@example(
    history=[
        ("wait", 2.0),
        ("policy", worlds.policy(1, "a", {"podSelector": {}})),
        ("kill", 0.0),
        ("pod", worlds.pod(1, "a", {}, [], "n1", "run")),
    ],
    seed=0,
    address_groups=False,
)
# The pod that brought IPv6 is gone when the policy comes.
@example(
    history=[
        ("pod", worlds.pod(2, "a", {}, [], "n1", "run")),
        ("wait", 1.0),
        ("no pod", "pod-2"),
        ("policy", worlds.policy(1, "a", {"podSelector": {}, "ingress": [{}]})),
    ],
    seed=0,
    address_groups=True,
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=120)
@given(history=st.lists(actions, max_size=25), seed=st.integers(0, 1000), address_groups=st.booleans())
def test_whatever_happens_the_cloud_follows_with_nothing_doubled_or_left(
    in_virtual_time: Run, history: list[tuple[str, Any]], seed: int, address_groups: bool
) -> None:
    async def main() -> None:
        world = World(seed, address_groups=address_groups)
        task = world.start()
        for action, what in history:
            match action:
                case "pod":
                    world.put_pod(what)
                case "no pod":
                    world.drop_pod(what)
                case "policy":
                    world.put_policy(what)
                case "no policy":
                    world.drop_policy(what)
                case "kill":
                    await stop(task)
                    await asyncio.sleep(what)
                    task = world.start()
                case "wait":
                    await asyncio.sleep(what)
                case _:
                    world.cloud.faults = what
        world.cloud.faults = 0.0
        await asyncio.sleep(300)
        world.check()
        calls = len(world.cloud.calls)
        await asyncio.sleep(60)
        assert len(world.cloud.calls) - calls <= 4  # at rest it is only listed
        await stop(task)
        await world.cloud.ended()

    in_virtual_time(main())


def web(number: int, **spec: Any) -> NetworkPolicy:
    return worlds.policy(number, "a", {"podSelector": {"matchLabels": {"app": "x"}}, **spec})


PEERS = [{"podSelector": {"matchLabels": {"app": "y"}}}]


def test_churn_of_pods_changes_a_membership_and_no_rule(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World()
        world.put_policy(web(1, ingress=[{"from": PEERS}]))
        world.put_pod(worlds.pod(1, "a", {"app": "x"}, [], "n1", "run"))
        task = world.start()
        await asyncio.sleep(20)
        world.check()
        before = len(world.cloud.calls)
        for number in range(2, 7):
            world.put_pod(worlds.pod(number, "a", {"app": "y"}, [], "n2", "run"))
        await asyncio.sleep(5)
        world.check()
        assert [call for call in world.cloud.calls[before:] if not call.startswith("list")] == [
            "add_addresses"
        ]
        await stop(task)

    in_virtual_time(main())


def test_a_pod_gets_no_groups_before_they_are_complete(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World()
        task = world.start()
        await asyncio.sleep(5)
        pod = worlds.pod(1, "a", {"app": "x"}, [], "n1", "run")
        world.put_pod(pod)
        await asyncio.sleep(1)
        assert world.model.ports == {"pod-1-1": ("open",)}
        world.put_policy(web(1, ingress=[{"from": PEERS}], policyTypes=["Ingress", "Egress"]))
        assert world.room is not None
        while world.model.ports["pod-1-1"] == ("open",):
            told = world.room.of(pod)
            if told not in (None, ("open",)):
                world.check_groups(told)
            await asyncio.sleep(0.1)
        world.check()
        # A rule that is taken away is gone before a new pod is given the group.
        world.put_policy(web(1, ingress=[], policyTypes=["Ingress", "Egress"]))
        await asyncio.sleep(0.01)
        assert world.room.of(pod) is None
        await asyncio.sleep(20)
        world.check()
        await stop(task)

    in_virtual_time(main())


def test_a_used_up_quota_is_told_closes_and_heals(in_virtual_time: Run) -> None:
    async def main() -> None:
        world = World()
        world.put_pod(worlds.pod(1, "a", {"app": "x"}, [], "n1", "run"))
        world.put_policy(web(1, ingress=[{}]))
        task = world.start()
        await asyncio.sleep(20)
        world.check()
        world.model.rules_allowed = 8
        world.put_policy(web(1, ingress=[{"ports": [{"port": port} for port in range(1, 9)]}]))
        await asyncio.sleep(20)
        assert any(
            "policy-1: Quota: The policy is not wholly in effect." in event for event in world.events.said()
        )
        (group,) = [each for each in world.model.groups.values() if each.name == "a/policy-1"]
        assert not group.security_group_rules  # what is no longer allowed is closed all the same
        assert world.room is not None
        pod = worlds.pod(2, "a", {"app": "x"}, [], "n1", "run")
        assert world.room.of(pod)
        reason, finding = world.room.trouble(pod) or ("", None)
        assert (reason, finding and finding.cause.partition(":")[0]) == (
            "Quota",
            "NetworkPolicy a/policy-1 is not wholly in effect",
        )
        assert world.room.trouble(worlds.pod(3, "a", {"app": "y"}, [], "n1", "run")) is None
        world.model.rules_allowed = 100
        await asyncio.sleep(150)
        assert world.room.trouble(pod) is None
        world.check()
        await stop(task)

    in_virtual_time(main())


@pytest.mark.parametrize("address_groups", [True, False])
def test_nothing_is_left_when_the_last_policy_goes(in_virtual_time: Run, address_groups: bool) -> None:
    async def main() -> None:
        world = World(address_groups=address_groups)
        for number in range(1, 5):
            world.put_pod(worlds.pod(number, "a", {"app": "xyxy"[number - 1]}, [], "n1", "run"))
        world.put_policy(web(1, ingress=[{"from": PEERS}], egress=[{"to": PEERS}]))
        task = world.start()
        await asyncio.sleep(30)
        world.check()
        world.drop_policy("policy-1")
        await asyncio.sleep(100)
        world.check()
        assert not (world.model.groups or world.model.sets)
        await stop(task)

    in_virtual_time(main())


def test_a_group_stays_while_a_port_is_being_taken_out_of_it(in_virtual_time: Run) -> None:
    """Neutron would delete it, and OVN's driver then fail over it, and leave the port as it was."""

    async def main() -> None:
        world, left = World(), set[str]()
        world.put_pod(worlds.pod(1, "a", {"app": "x"}, [], "n1", "run"))
        world.put_policy(web(1, ingress=[{"from": PEERS}]))
        task = world.start()
        await asyncio.sleep(30)
        assert world.room is not None
        world.room.reconciler.is_left = left.__contains__
        left.update(world.model.groups)
        there = set(left)
        world.drop_policy("policy-1")
        await asyncio.sleep(100)
        assert world.model.groups.keys() == there
        left.clear()
        await asyncio.sleep(100)
        assert not world.model.groups
        await stop(task)

    in_virtual_time(main())
