"""Applying plans to a model of the cloud gives what is desired, and then there is nothing left to do."""

import asyncio

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.cloud import ModelNeutron, ModelOctavia
from tests.models.services import ModelKube

from causeway.cloud import errors
from causeway.cloud.octavia_providers import OVN
from causeway.cloud.ownership import Owner
from causeway.kube.objects import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    Meta,
    Service,
    ServicePort,
    ServiceSpec,
)
from causeway.rooms.services.actual import Snapshot, actual
from causeway.rooms.services.apply import Hands
from causeway.rooms.services.desired import desired
from causeway.rooms.services.model import (
    KIND,
    Actual,
    Backend,
    Balancer,
    Desired,
    Front,
    Place,
    Setting,
    pool_name,
)
from causeway.rooms.services.plan import plan, possible
from causeway.rooms.services.steps import CreateBalancer, DeleteBalancer, PutMembers, Step

SETTING = Setting("cluster", "service-subnet", "ext", OVN, (Place("10.1.0.0/16", "pods"),))
VIP = "172.30.0.9"

fronts = st.lists(
    st.tuples(st.sampled_from(["TCP", "UDP", "SCTP"]), st.integers(1, 4)), min_size=1, max_size=4, unique=True
)
specs = st.builds(
    lambda kind, ports, sticky: ServiceSpec(
        type=kind,
        cluster_ip="" if kind == "ExternalName" else VIP,
        ports=tuple(ServicePort(port, f"{protocol}-{port}", protocol) for protocol, port in ports),
        session_affinity="ClientIP" if sticky else "None",
    ),
    st.sampled_from(["ClusterIP", "LoadBalancer", "ExternalName"]),
    fronts,
    st.booleans(),
)
addresses = st.lists(st.integers(1, 6), max_size=5, unique=True)


class World:
    """One Service, its cloud, and the room's parts; ``settle`` after every round."""

    def __init__(self, spec: ServiceSpec) -> None:
        self.octavia = ModelOctavia()
        self.neutron = ModelNeutron()
        self.kube = ModelKube(Service(Meta("web", "default", "uid-1"), spec))
        self.endpoints: list[int] = []
        self.restart()

    def restart(self) -> None:
        """Lose all memory, as a killed controller does."""
        self.snapshot = Snapshot(self.octavia, self.neutron, SETTING.cluster)
        self.hands = Hands(SETTING, self.octavia, self.neutron, self.kube, self.snapshot)

    def slices(self, service: Service) -> list[EndpointSlice]:
        ports = tuple(EndpointPort(port.name, 8000 + port.port, port.protocol) for port in service.spec.ports)
        endpoints = tuple(
            Endpoint((f"10.1.0.{number}",), EndpointConditions(ready=True)) for number in self.endpoints
        )
        return [EndpointSlice(Meta("web-1", "default"), "IPv4", endpoints, ports)]

    async def remaining(self) -> tuple[Desired | None, list[Step], list[Step]]:
        """Return what is desired, what is left to do, and what of that is possible."""
        service = self.kube.service
        await self.snapshot.refresh()
        if service is None:
            return None, [], []
        wanted = desired(service, self.slices(service), SETTING.provider)
        present = await actual(service, self.snapshot, self.octavia)
        steps = plan(wanted, present)
        return wanted, steps, possible(steps, present)

    async def round(self, most: int = 99) -> int:
        """Do at most ``most`` possible steps; return how many are left in the plan."""
        _, steps, now = await self.remaining()
        for step in now[:most]:
            if self.kube.service is not None:
                await self.hands.do(step, self.kube.service)
        return len(steps)

    async def converge(self) -> None:
        for _ in range(60):
            if await self.round() == 0 and not any(
                b.state != "ACTIVE" for b in self.octavia.balancers.values()
            ):
                return
            self.octavia.settle()
        raise AssertionError("no end: " + "; ".join(map(str, (await self.remaining())[1])))

    def check(self) -> None:
        service = self.kube.service
        wanted = desired(service, self.slices(service), OVN) if service else Desired("default/web", "uid-1")
        if wanted.vip is None:
            assert not self.octavia.balancers
            assert not self.neutron.addresses
            assert service is None or not (service.metadata.finalizers or service.status.conditions)
            return
        assert service is not None
        (balancer,) = self.octavia.balancers.values()
        assert (balancer.name, balancer.vip) == ("default/web", VIP)
        found = {}
        for listener in balancer.listeners.values():
            (pool,) = [one for one in balancer.pools.values() if one.listener == listener.id]
            members = {(member.address, member.port) for member in pool.members}
            found[listener.protocol, listener.port] = (members, pool.persistence, pool.name)
        assert len(balancer.pools) == len(balancer.listeners)
        assert found == {
            (front.protocol, front.port): (
                {(member.address, member.port) for member in backend.members},
                {"type": "SOURCE_IP"} if backend.sticky else None,
                pool_name("default/web", front, sticky=backend.sticky),
            )
            for front, backend in wanted.listeners.items()
        }
        ingress = [one.ip for one in service.status.load_balancer.ingress]
        assert [ip.floating_ip_address for ip in self.neutron.addresses.values()] == ingress
        assert len(ingress) == (1 if wanted.floating else 0)
        assert all(ip.tags for ip in self.neutron.addresses.values())
        assert service.status.conditions[0].status == "True"


events = st.lists(
    st.one_of(
        st.tuples(st.just("spec"), specs),
        st.tuples(st.just("endpoints"), addresses),
        st.tuples(st.just("work"), st.integers(0, 3)),
        st.tuples(st.just("kill"), st.integers(0, 3)),
        st.tuples(st.just("settle"), st.none()),
        st.tuples(st.just("error"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(specs, addresses, events)
def test_whatever_happens_the_end_is_what_was_asked(
    spec: ServiceSpec, endpoints: list[int], happenings: list[tuple[str, object]]
) -> None:
    async def run() -> None:
        world = World(spec)
        world.endpoints = endpoints
        for what, value in happenings:
            assert world.kube.service is not None
            if isinstance(value, ServiceSpec):
                world.kube.service = msgspec.structs.replace(world.kube.service, spec=value)
            elif isinstance(value, list):
                world.endpoints = value
            elif what == "settle":
                world.octavia.settle()
            elif what == "error":
                world.octavia.failing += 1
            elif isinstance(value, int):
                await world.round(value)
                if what == "kill":
                    world.restart()
        await world.converge()
        world.check()
        assert world.kube.service is not None
        meta = msgspec.structs.replace(world.kube.service.metadata, deletion_timestamp="now")
        if meta.finalizers:
            world.kube.service = msgspec.structs.replace(world.kube.service, metadata=meta)
            await world.converge()
            assert world.kube.service is None
        assert not world.octavia.balancers
        assert not world.neutron.addresses

    asyncio.run(run())


def service_of(kind: str = "ClusterIP", ports: int = 1) -> ServiceSpec:
    return ServiceSpec(
        type=kind, cluster_ip=VIP, ports=tuple(ServicePort(80 + n, f"p{n}") for n in range(ports))
    )


async def test_a_new_service_is_one_call_to_octavia() -> None:
    world = World(service_of(ports=3))
    world.endpoints = [1, 2, 3]
    await world.converge()
    assert world.octavia.writes == ["create load balancer"]


async def test_scaling_is_one_call_for_each_port() -> None:
    world = World(service_of(ports=2))
    world.endpoints = [1, 2]
    await world.converge()
    world.octavia.writes.clear()
    world.endpoints = [2, 3, 4]
    await world.converge()
    assert len(world.octavia.writes) == 2


async def test_only_one_change_of_a_load_balancer_is_possible_at_a_time() -> None:
    world = World(service_of(ports=3))
    await world.converge()
    world.endpoints = [1]
    _, steps, now = await world.remaining()
    assert [type(step) for step in steps] == [PutMembers] * 3
    assert len(now) == 1


async def test_a_creation_whose_answer_was_lost_is_adopted() -> None:
    world = World(service_of("LoadBalancer"))
    wanted, _, _ = await world.remaining()
    assert wanted is not None
    await world.octavia.create_load_balancer(world.hands.request(wanted))
    world.octavia.settle()
    (balancer,) = world.octavia.balancers.values()
    owner = Owner(SETTING.cluster, KIND, "uid-1")
    await world.neutron.create_floating_ip("ext", f"port-of-{balancer.id}", owner)  # killed before the tags
    await world.converge()
    world.check()
    assert list(world.octavia.balancers) == [balancer.id]


async def test_another_clusters_load_balancer_of_the_same_name_is_not_touched() -> None:
    world = World(service_of())
    wanted, _, _ = await world.remaining()
    assert wanted is not None
    foreign = msgspec.structs.replace(
        world.hands.request(wanted), tags=Owner("other", KIND, "uid-1").tags(), vip_address="172.30.9.9"
    )
    theirs = await world.octavia.create_load_balancer(foreign)
    await world.converge()
    assert world.octavia.balancers[theirs.id].state == "ACTIVE"
    assert len(world.octavia.balancers) == 2


async def test_an_address_that_is_taken_is_an_error_not_a_second_load_balancer() -> None:
    world = World(service_of())
    _, _, now = await world.remaining()
    step = next(step for step in now if isinstance(step, CreateBalancer))
    await world.hands.do(step, world.kube.service)
    try:
        await world.hands.do(step, world.kube.service)
    except errors.AddressTaken:
        assert len(world.octavia.balancers) == 1
    else:
        raise AssertionError("made twice")


async def test_a_pool_below_no_listener_goes_away() -> None:
    world = World(service_of(ports=2))
    await world.converge()
    (balancer,) = world.octavia.balancers.values()
    await world.octavia.delete_listener(next(iter(balancer.listeners)))  # by somebody else
    world.octavia.settle()
    await world.converge()
    world.check()


async def test_of_two_floating_ips_the_associated_one_stays() -> None:
    world = World(service_of("LoadBalancer"))
    await world.converge()
    (first,) = world.neutron.addresses
    await world.neutron.create_floating_ip("ext", None, Owner(SETTING.cluster, KIND, "uid-1"))
    await world.converge()
    world.check()
    assert list(world.neutron.addresses) == [first]


def test_of_two_load_balancers_the_first_stays() -> None:
    wanted = Desired("default/web", "uid-1", VIP, {Front("TCP", 80): Backend()})
    older = Balancer("b", VIP, created_at="2026-01-01T00:00:00")
    newer = Balancer("a", VIP, created_at="2026-01-01T00:00:05")
    steps = plan(wanted, Actual((newer, older), finalizer=True))
    assert [step.balancer for step in steps if isinstance(step, DeleteBalancer)] == ["a"]


def test_a_balancer_in_error_is_deleted_and_made_again() -> None:
    wanted = Desired("default/web", "uid-1", VIP, {Front("TCP", 80): Backend()})
    present = Actual((Balancer("a", VIP, broken=True),), finalizer=True)
    steps = plan(wanted, present)
    assert [type(step) for step in steps] == [DeleteBalancer, CreateBalancer]
    assert [type(step) for step in possible(steps, present)] == [DeleteBalancer]


def test_every_step_says_what_it_does() -> None:
    wanted = Desired("default/web", "uid-1", VIP, {Front("TCP", 80): Backend()}, floating=True)
    present = Actual((Balancer("a", VIP, "port"),))
    assert [str(step) for step in plan(wanted, present)] == [
        "put the finalizer on the Service",
        "create listener 80/TCP",
        "take a floating IP for the service",
    ]
