"""The room at work on models of the cloud and of Kubernetes, in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Literal

import msgspec
from tests.models.cloud import ModelNeutron, ModelOctavia
from tests.models.feeds import informers
from tests.models.services import ModelKube

from causeway.cloud import errors
from causeway.cloud.octavia_objects import ListenerRequest, LoadBalancer, LoadBalancerRequest
from causeway.cloud.octavia_providers import OVN
from causeway.kube.events import Recorder
from causeway.kube.objects import (
    SERVICE_OF_SLICE,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Meta,
    Service,
    ServicePort,
    ServiceSpec,
)
from causeway.kube.resource import Resource
from causeway.rooms.services.annotations import SHARE
from causeway.rooms.services.controller import Services
from causeway.rooms.services.model import Place, Setting

Run = Callable[[Coroutine[Any, Any, None]], None]
SETTING = Setting("cluster", "service-subnet", "ext", OVN, (Place("10.1.0.0/16", "pods"),))


class Told(Recorder):
    """Remembers events instead of writing them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    async def record(
        self,
        resource: Resource,
        about: Meta,
        *,
        reason: str,
        note: str,
        action: str,
        type: Literal["Normal", "Warning"] = "Warning",
    ) -> None:
        self.events.append((reason, note))


def service(kind: str = "ClusterIP", **spec: Any) -> Service:
    ports = (ServicePort(80, "http"), ServicePort(81, "admin"))
    return Service(Meta("web", "default", "uid-1"), ServiceSpec(kind, "172.30.0.9", ports=ports, **spec))


class Platform:
    """The room with everything around it."""

    def __init__(self, of: Service) -> None:
        self.octavia, self.neutron, self.kube, self.told = (
            ModelOctavia(),
            ModelNeutron(),
            ModelKube(of),
            Told(),
        )
        followed = informers({})  # not run: the model tells of its changes directly
        self.services, self.slices = followed.services.store, followed.slices.store
        self.room = Services(SETTING, self.octavia, self.neutron, self.kube, self.told, sources=followed)
        self.kube.told = self._take
        self.versions = 0

    def _take(self, changed: Service | None) -> None:
        if changed is None:
            self.services.remove("default/web")
        else:
            self.services.put(changed)
        self.room.controller.queue.add("default/web")

    def endpoints(self, count: int) -> None:
        self.versions += 1
        ports = (EndpointPort("http", 8080), EndpointPort("admin", 8081))
        listed = tuple(Endpoint((f"10.1.0.{number}",)) for number in range(1, count + 1))
        meta = Meta("web-1", "default", "s", str(self.versions), labels={SERVICE_OF_SLICE: "web"})
        self.slices.put(EndpointSlice(meta, "IPv4", listed, ports))
        self.room.controller.queue.add("default/web")

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        self.kube.put(self.kube.service)
        poller = asyncio.create_task(self._poll())
        self.room.controller._synced = [self.room.snapshot.ready]
        worker = asyncio.create_task(self.room.controller.run())
        cloud = asyncio.create_task(self._work())
        try:
            yield
        finally:
            for task in (poller, worker, cloud):
                assert not task.done() or task.exception() is None
                task.cancel()

    async def _poll(self) -> None:
        async with asyncio.TaskGroup() as group:
            await self.room.snapshot.run(each_slow=lambda: self.room._sweep(group))

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.octavia.settle()

    @property
    def conditions(self) -> list[tuple[str, str]]:
        found = self.kube.service
        return [(one.status, one.reason) for one in found.status.conditions] if found else []


def test_a_service_with_an_address_outside_is_served_without_waiting_for_a_slow_poll(
    in_virtual_time: Run,
) -> None:
    async def run() -> None:
        here = Platform(service("LoadBalancer"))
        here.endpoints(3)
        async with here.at_work():
            await asyncio.sleep(6)
            assert here.kube.service
            assert here.kube.service.status.load_balancer.ingress[0].ip == "172.24.4.1"
            assert here.conditions == [("True", "Served")]
            assert here.octavia.writes == ["create load balancer"]
            here.endpoints(1)
            await asyncio.sleep(8)
            assert len(here.octavia.writes) == 3  # a call for each of two ports, none twice
            meta = msgspec.structs.replace(here.kube.service.metadata, deletion_timestamp="now")
            here.kube.put(msgspec.structs.replace(here.kube.service, metadata=meta))
            await asyncio.sleep(8)
            assert here.kube.service is None
            assert not here.octavia.balancers
            assert not here.neutron.addresses

    in_virtual_time(run())


def test_a_balancer_in_error_is_made_again_with_growing_pauses(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service())
        here.octavia.failing = 4
        async with here.at_work():
            await asyncio.sleep(60)
            made = here.octavia.writes.count("create load balancer")
            assert 3 <= made <= 4
            await asyncio.sleep(120)
            assert here.conditions == [("True", "Served")]
            assert here.octavia.writes.count("create load balancer") == 5
            assert {reason for reason, _ in here.told.events} == {"LoadBalancerError"}

    in_virtual_time(run())


def test_without_free_floating_ips_it_is_served_inside_and_the_cause_is_told(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service("LoadBalancer"))
        here.neutron.free = 0
        async with here.at_work():
            await asyncio.sleep(30)
            assert here.conditions == [("False", "NoAddresses")]
            assert next(iter(here.octavia.balancers.values())).state == "ACTIVE"
            assert "Free addresses" in here.told.events[0][1]
            here.neutron.free = 1
            await asyncio.sleep(90)
            assert here.conditions == [("True", "Served")]

    in_virtual_time(run())


def test_a_call_that_took_effect_without_an_answer_is_not_repeated(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service())
        create = here.octavia.create_load_balancer

        async def silent(request: LoadBalancerRequest) -> Any:
            await create(request)
            raise errors.Timeout("load-balancer", "no answer within 60 s")

        here.octavia.create_load_balancer = silent  # type: ignore[method-assign]  # the answer is lost
        async with here.at_work():
            await asyncio.sleep(60)
            assert here.octavia.writes == ["create load balancer"]
            assert here.conditions == [("True", "Served")]

    in_virtual_time(run())


def test_a_change_without_an_answer_that_no_list_tells_of_is_seen(in_virtual_time: Run) -> None:
    """The times in lists are exact to a second: two changes in one look like one."""

    async def run() -> None:
        here = Platform(service())
        here.endpoints(1)
        async with here.at_work():
            await asyncio.sleep(10)
            list_balancers, create = here.octavia.list_load_balancers, here.octavia.create_listener
            listed = await list_balancers([])
            made: list[str] = []

            async def as_before(tags: Sequence[str]) -> list[LoadBalancer]:
                return listed

            async def silent(request: ListenerRequest) -> Any:
                made.append((await create(request)).id)
                here.octavia.settle()
                raise errors.Unreachable("load-balancer", "the connection was reset")

            here.octavia.list_load_balancers = as_before  # type: ignore[method-assign]  # as of that second
            here.octavia.create_listener = silent  # type: ignore[method-assign]  # the answer is lost
            ports = (*service().spec.ports, ServicePort(82, "more"))
            here.kube.put(msgspec.structs.replace(service(), spec=_with(service().spec, ports)))
            await asyncio.sleep(30)
            assert len(made) == 1
            assert here.conditions == [("True", "Served")]

    in_virtual_time(run())


def _with(spec: ServiceSpec, ports: tuple[ServicePort, ...]) -> ServiceSpec:
    return msgspec.structs.replace(spec, ports=ports)


def test_what_the_provider_cannot_do_is_in_the_condition_and_an_event(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service(external_ips=("192.0.2.1",)))
        async with here.at_work():
            await asyncio.sleep(10)
            assert here.conditions == [("True", "UnsupportedExternalIPs")]
            assert [reason for reason, _ in here.told.events] == ["UnsupportedExternalIPs"]

    in_virtual_time(run())


def test_one_that_hangs_is_told(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service())
        here.octavia.settle = lambda: None  # type: ignore[method-assign]  # nobody works there
        async with here.at_work():
            await asyncio.sleep(400)
            assert {reason for reason, _ in here.told.events} == {"LoadBalancerStuck"}

    in_virtual_time(run())


def test_what_belongs_to_no_service_goes_after_two_looks(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service())
        async with here.at_work():
            await asyncio.sleep(5)
            here.kube.put(None)
            here.room._synced.set()
            async with asyncio.TaskGroup() as group:
                here.room._sweep(group)
            assert here.octavia.balancers
            async with asyncio.TaskGroup() as group:
                here.room._sweep(group)
            await asyncio.sleep(2)
            assert not here.octavia.balancers

    in_virtual_time(run())


def test_the_first_members_come_with_the_balancer_though_the_slice_is_written_after_the_service(
    in_virtual_time: Run,
) -> None:
    async def run() -> None:
        here = Platform(service(selector={"app": "web"}))
        async with here.at_work():
            await asyncio.sleep(0.1)
            here.endpoints(3)
            await asyncio.sleep(6)
            assert here.octavia.writes == ["create load balancer"]

    in_virtual_time(run())


def test_a_slice_that_never_comes_is_not_waited_for(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service(selector={"app": "web"}))
        async with here.at_work():
            await asyncio.sleep(3)
            assert here.octavia.writes == ["create load balancer"]

    in_virtual_time(run())


def test_services_that_come_at_once_share_one_load_balancer_and_one_address(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service("LoadBalancer"))
        room = here.room
        told: dict[str, ModelKube] = {}
        for number in range(3):
            spec = ServiceSpec("LoadBalancer", f"172.30.0.{20 + number}", ports=(ServicePort(90 + number),))
            meta = Meta(f"s{number}", "default", f"uid-s{number}", annotations={SHARE: "edge"})
            told[f"default/s{number}"] = ModelKube(Service(meta, spec))

        async def apply(body: dict[str, Any], **options: Any) -> dict[str, Any]:
            key = f"default/{body['metadata']['name']}"
            answer = await told[key].apply(body, **options)
            take(key)
            return answer

        def take(key: str) -> None:
            found = told[key].service
            if found is None:
                here.services.remove(key)
            else:
                here.services.put(found)
            room.controller.queue.add(key)

        here.kube.apply = apply  # type: ignore[method-assign]  # several Services behind one door
        here.kube.put(None)
        async with here.at_work():
            for key in told:
                take(key)
            await asyncio.sleep(60)
            shared = [one for one in here.octavia.balancers.values() if one.name == "default/edge"]
            assert [len(one.listeners) for one in shared] == [3]
            (address,) = here.neutron.addresses.values()
            for kube in told.values():
                assert kube.service
                ingress = kube.service.status.load_balancer.ingress
                assert [one.ip for one in ingress] == [address.floating_ip_address]
                meta = msgspec.structs.replace(kube.service.metadata, deletion_timestamp="now")
                kube.put(msgspec.structs.replace(kube.service, metadata=meta))
            for key in told:
                take(key)
            await asyncio.sleep(90)
            assert not here.octavia.balancers
            assert not here.neutron.addresses

    in_virtual_time(run())
