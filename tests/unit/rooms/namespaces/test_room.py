"""The whole room against a model of Neutron that fails and is slow; namespaces come and go, and it dies."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.models.events import KeptEvents
from tests.models.feeds import Feed, informers, together
from tests.models.networks import ModelNetworks

from causeway.cloud.ownership import owner_in
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.kube.objects import (
    Condition,
    Meta,
    Namespace,
    NamespaceStatus,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
    key_of,
)
from causeway.kube.podnetwork import NETWORK_CONDITION
from causeway.kube.resource import NAMESPACES, PODS, SERVICES
from causeway.rooms.namespaces.controller import Namespaces
from causeway.rooms.namespaces.model import Range, Setting, Verdict

Run = Callable[[Coroutine[Any, Any, Any]], Any]
SETTING = Setting(
    "c", "router", False, (Range(4, pool_id="pool4"),), ("10.10.0.0/24",), frozenset({"default"})
)


class Platform:
    """A cloud and an API; nothing in them is done but by calls."""

    def __init__(self, seed: int = 0, setting: Setting = SETTING, **model: Any) -> None:
        self.chance = random.Random(seed)
        self.cloud = ModelNetworks(seed, **model)
        self.setting = setting
        self.namespaces = Feed[Namespace]()
        self.services = Feed[Service]()
        self.pods_ = Feed[Pod]()
        self.events = KeptEvents()
        self.kills = 0
        self.numbers = 0
        self._task: asyncio.Task[None] | None = None
        self.informers, self.room = self._room()

    def _room(self) -> tuple[Informers, Namespaces]:
        followed = informers({NAMESPACES: self.namespaces, SERVICES: self.services, PODS: self.pods_})
        return followed, Namespaces(
            self.setting,
            networks=self.cloud,
            groups=self.cloud,
            kube=self,
            recorder=Recorder(self.events, "test"),
            sources=followed,
        )

    def _pods_in(self, namespace: str) -> list[Pod]:
        return [pod for pod in self.pods_.objects.values() if pod.metadata.namespace == namespace]

    def start(self) -> None:
        self.informers, self.room = self._room()
        self._task = asyncio.create_task(together(self.informers.run, self.room.run))

    async def kill(self) -> None:
        assert self._task is not None
        self.kills += 1
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    # the API

    async def pods(self, namespace: str) -> list[Pod]:
        return self._pods_in(namespace)

    async def target_ports(self, namespace: str, services: Any) -> dict[str, dict[str, set[int]]]:
        return {}

    async def write_condition(self, namespace: Namespace, verdict: Verdict | None) -> None:
        name = namespace.metadata.name
        known = self.namespaces.objects.get(name)
        if known is None or known.metadata.uid != namespace.metadata.uid:
            return
        told = (
            [Condition(NETWORK_CONDITION, str(verdict.ready), verdict.reason, verdict.message)]
            if verdict
            else []
        )
        status = NamespaceStatus("Active", tuple(told))
        self.namespaces.put(msgspec.structs.replace(known, status=status))

    # what users and the pods' room do

    def make(self, name: str, **annotations: str) -> None:
        known = self.namespaces.objects.get(name)
        self.numbers += 1
        uid = known.metadata.uid if known else f"uid-{name}-{self.numbers}"
        found = {f"causeway.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        status = known.status if known else NamespaceStatus("Active")
        self.namespaces.put(Namespace(Meta(name=name, uid=uid, annotations=found), status))

    def add_pod(self, namespace: str) -> str | None:
        """Start a pod where the room says, if it says anything yet."""
        if not self.room.answers.known(namespace):
            return None
        self.numbers += 1
        name, own = f"pod-{self.numbers}", self.room.answers.own(namespace)
        if own is not None:
            self.cloud.ports[name] = own.network_id
            self.cloud.port_groups[name] = own.security_group_id
        status = PodStatus("Running", pod_ips=(PodIP(f"10.20.0.{self.numbers % 250}"),))
        self.pods_.put(Pod(Meta(name, namespace, f"uid-{name}"), PodSpec("w1"), status))
        return name

    def drop_pods(self, namespace: str) -> None:
        for pod in self._pods_in(namespace):
            self.pods_.drop(key_of(pod))
            self.cloud.ports.pop(pod.metadata.name, None)
            self.cloud.port_groups.pop(pod.metadata.name, None)

    def delete(self, name: str) -> None:
        self.drop_pods(name)
        self.namespaces.drop(name)

    def condition(self, name: str) -> str:
        return next((each.reason for each in self.namespaces.objects[name].status.conditions), "")

    async def until(self, condition: Callable[[], bool], seconds: float = 600) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  # about models, which tell nobody when they change
                await asyncio.sleep(0.25)

    def networks_of(self) -> dict[str, str]:
        """Return the network of each namespace by its uid."""
        return {
            owner.uid: each.id
            for each in self.cloud.networks.values()
            if (owner := owner_in(each.description))
        }

    def whole(self) -> bool:
        """Return whether the cloud is exactly what the namespaces ask for."""
        cloud = self.cloud
        own = {
            each.metadata.uid: each.metadata.name
            for each in self.namespaces.objects.values()
            if each.metadata.annotations.get("causeway.dev/network") == "own"
        }
        networks = self.networks_of()
        groups = [owner.uid for each in cloud.groups.values() if (owner := owner_in(each.description))]
        return (
            sorted(networks) == sorted(own)
            and len(cloud.networks) == len(own)
            and sorted(groups) == sorted(own)
            and sorted(each.network_id for each in cloud.subnets.values()) == sorted(cloud.networks)
            and sorted(cloud.joined) == sorted(cloud.subnets)
            and all(len(each.security_group_rules) >= 4 for each in cloud.groups.values())
            and len(cloud.address_groups) == (1 if own else 0)
            and all(self.room.answers.own(name) is not None for name in own.values())
        )


def test_a_namespace_gets_its_network_and_loses_it_when_it_is_gone(in_virtual_time: Run) -> None:
    async def main() -> None:
        here = Platform()
        here.start()
        here.make("shop", network="own")
        here.make("plain")
        await here.until(here.whole)
        assert here.condition("shop") == "OwnNetwork"
        assert here.room.answers.known("plain")
        assert here.room.answers.own("plain") is None
        own = here.room.answers.own("shop")
        assert own is not None
        assert [each.cidr for each in own.subnets] == ["10.30.0.0/24"]
        here.add_pod("shop")
        here.delete("shop")
        await here.until(lambda: not here.cloud.networks and not here.cloud.groups)
        await here.until(lambda: not here.cloud.address_groups)
        assert not here.events.kept
        await here.kill()

    in_virtual_time(main())


def test_a_gone_namespace_leaves_nothing_though_nobody_watched(in_virtual_time: Run) -> None:
    async def main() -> None:
        here = Platform()
        here.start()
        here.make("shop", network="own")
        await here.until(here.whole)
        await here.kill()
        here.delete("shop")
        here.start()
        await here.until(here.whole)
        await here.kill()

    in_virtual_time(main())


def test_a_change_waits_until_the_pods_are_gone(in_virtual_time: Run) -> None:
    async def main() -> None:
        here = Platform()
        here.start()
        here.make("shop")
        await here.until(lambda: here.room.answers.known("shop"))
        here.add_pod("shop")
        here.make("shop", network="own")
        await here.until(lambda: here.condition("shop") == "StaysOnSharedNetwork")
        assert not here.cloud.networks
        assert "scale its workloads to zero" in here.events.said()[0]
        here.drop_pods("shop")
        await here.until(lambda: here.condition("shop") == "OwnNetwork")

        here.add_pod("shop")
        here.make("shop", network="shared")
        await here.until(lambda: here.condition("shop") == "StaysOnOwnNetwork")
        assert here.room.answers.own("shop") is not None
        here.make("shop", network="own", network_cidr="10.77.0.0/24")
        await asyncio.sleep(60)
        assert here.condition("shop") == "StaysOnOwnNetwork"
        here.drop_pods("shop")
        await here.until(lambda: here.condition("shop") == "OwnNetwork")
        assert [each.cidr for each in here.cloud.subnets.values()] == ["10.77.0.0/24"]
        here.make("shop", network="shared")
        await here.until(here.whole)
        await here.until(lambda: here.condition("shop") == "")
        assert not here.cloud.sins
        await here.kill()

    in_virtual_time(main())


@pytest.mark.parametrize(
    ("obstacle", "reason"), [("quota", "Quota"), ("ranges", "NoAddresses"), ("overlap", "BadRequest")]
)
def test_what_the_cloud_refuses_is_told_and_heals(in_virtual_time: Run, obstacle: str, reason: str) -> None:
    async def main() -> None:
        here = Platform(pools=["10.30.0.0/24"] if obstacle == "ranges" else ["10.30.0.0/20"])
        here.cloud.quota = 1 if obstacle == "quota" else 10
        here.start()
        here.make("one", network="own")
        await here.until(here.whole)
        asked = {"network_cidr": "10.30.0.0/25"} if obstacle == "overlap" else {}
        here.make("two", network="own", **asked)
        await here.until(lambda: here.condition("two") == reason)
        assert here.events.reasons() == [reason]
        assert not here.room.answers.known("two")
        here.delete("one")
        await here.until(here.whole)
        assert here.condition("two") == "OwnNetwork"
        await here.kill()

    in_virtual_time(main())


def test_pods_of_global_namespaces_reach_every_namespace(in_virtual_time: Run) -> None:
    async def main() -> None:
        here = Platform()
        here.start()
        here.make("default")
        here.make("shop", network="own")
        await here.until(here.whole)
        here.add_pod("default")
        (group,) = here.cloud.address_groups
        await here.until(lambda: here.cloud.address_groups[group].addresses == ["10.20.0.3/32"])
        here.drop_pods("default")
        await here.until(lambda: here.cloud.address_groups[group].addresses == [])
        here.make("default", network="own")
        await here.until(lambda: here.condition("default") == "OwnNetwork")
        await here.until(lambda: len(here.cloud.address_groups[group].addresses) == 1)
        (opened,) = [each for each in here.cloud.groups.values() if each.name == "namespace/default"]
        assert [
            each.rule.remote_ip_prefix for each in opened.security_group_rules if each.direction == "ingress"
        ] == [None]
        await here.kill()

    in_virtual_time(main())


def test_a_load_balancer_opens_its_namespace_at_its_port(in_virtual_time: Run) -> None:
    async def main() -> None:
        here = Platform()
        here.start()
        here.make("shop", network="own")
        await here.until(here.whole)

        def opened() -> list[int]:
            (group,) = here.cloud.groups.values()
            return sorted(each.port_range_min or 0 for each in group.security_group_rules if each.protocol)

        spec = ServiceSpec("LoadBalancer", ports=(ServicePort(80, target_port=8080),))
        here.services.put(Service(Meta("web", "shop", "uid-web"), spec))
        await here.until(lambda: opened() == [8080])
        here.services.drop("shop/web")
        await here.until(lambda: opened() == [])
        await here.kill()

    in_virtual_time(main())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 10**9))
def test_it_comes_right_whatever_happens(in_virtual_time: Run, seed: int) -> None:
    async def main() -> None:
        here = Platform(seed)
        here.cloud.slow, here.cloud.faults = True, 0.15
        here.start()
        names = [f"ns{number}" for number in range(5)]
        for _ in range(40):
            name = here.chance.choice(names)
            match here.chance.randrange(6):
                case 0 | 1:
                    here.make(name, network=here.chance.choice(["own", "own", "shared"]))
                case 2 if name in here.namespaces.objects:
                    here.delete(name)
                case 3 if name in here.namespaces.objects:
                    here.add_pod(name)
                case 4:
                    here.drop_pods(name)
                case 5:
                    await here.kill()
                    here.start()
            await asyncio.sleep(here.chance.uniform(0, 8))
        here.cloud.faults = 0.0
        for name in names:
            here.drop_pods(name)
        await here.until(here.whole, 3600)
        assert not here.cloud.sins
        before = here.cloud.calls
        await asyncio.sleep(120)
        assert here.whole()
        # Five lists every half a minute, and nothing else.
        assert here.cloud.calls - before <= 5 * 5
        await here.kill()

    in_virtual_time(main())
