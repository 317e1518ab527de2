"""Applying plans to a model of the cloud gives what is desired, and then there is nothing left to do."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rooms.services.world import OTHER_SUBNET, VIP, World, service_of, setting

from causeway.cloud import errors
from causeway.cloud.octavia_providers import AMPHORA, OVN
from causeway.cloud.ownership import Owner
from causeway.kube.objects import Service, ServicePort, ServiceSpec
from causeway.rooms.services import requests
from causeway.rooms.services.address_steps import TakeAddress
from causeway.rooms.services.annotations import INTERNAL, PREFIX, PROVIDER, SHARE
from causeway.rooms.services.model import (
    KIND,
    Desired,
    Front,
    ListenerOptions,
    PoolOptions,
    Role,
    Serving,
    Vip,
    Wanted,
)
from causeway.rooms.services.plan import plan, possible
from causeway.rooms.services.present import Actual, Balancer
from causeway.rooms.services.steps import CreateBalancer, DeleteBalancer, PutMembers

SERVING = Serving(ListenerOptions("TCP"), PoolOptions("TCP", "SOURCE_IP_PORT"))
WANTED = Wanted(Role.INSIDE, "default/web", Vip(VIP), "ovn", {Front("TCP", 80): SERVING})
DESIRED = Desired("default/web", "uid-1", (WANTED,))
OWNERS = frozenset({"uid-1"})

fronts = st.lists(
    st.tuples(st.sampled_from(["TCP", "UDP", "SCTP"]), st.integers(1, 4)), min_size=1, max_size=4, unique=True
)
specs = st.builds(
    lambda kind, ports, sticky, ranges: ServiceSpec(
        type=kind,
        cluster_ip="" if kind == "ExternalName" else VIP,
        ports=tuple(ServicePort(port, f"{protocol}-{port}", protocol) for protocol, port in ports),
        session_affinity="ClientIP" if sticky else "None",
        load_balancer_source_ranges=ranges,
    ),
    st.sampled_from(["ClusterIP", "LoadBalancer", "LoadBalancer", "ExternalName"]),
    fronts,
    st.booleans(),
    st.sampled_from([(), (), ("192.0.2.0/24",)]),
)
options = {
    INTERNAL: ["true", "false"],
    PROVIDER: ["amphora", "ovn", "none"],
    PREFIX + "subnet-id": [OTHER_SUBNET, "wrong"],
    PREFIX + "class": ["dmz", "unknown"],
    PREFIX + "lb-method": ["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP_PORT"],
    PREFIX + "connection-limit": ["5", "7", "-1"],
    PREFIX + "timeout-client-data": ["1000", "2000"],
    PREFIX + "x-forwarded-for": ["true"],
    PREFIX + "proxy-protocol": ["v1", "v2"],
    PREFIX + "default-tls-container-ref": ["https://keys/1", "https://keys/2"],
    PREFIX + "enable-health-monitor": ["true"],
    PREFIX + "health-monitor-delay": ["5", "10"],
    PREFIX + "floating-subnet": ["public", "!dmz", "nothing*"],
    PREFIX + "member-subnet-id": [OTHER_SUBNET],
}
annotations = st.lists(
    st.sampled_from([(name, value) for name, values in options.items() for value in values]), max_size=4
).map(dict)
addresses = st.lists(st.integers(1, 6), max_size=5, unique=True)
events = st.lists(
    st.one_of(
        st.tuples(st.just("spec"), specs),
        st.tuples(st.just("annotations"), annotations),
        st.tuples(st.just("endpoints"), addresses),
        st.tuples(st.just("work"), st.integers(0, 3)),
        st.tuples(st.just("kill"), st.integers(0, 3)),
        st.tuples(st.just("settle"), st.none()),
        st.tuples(st.just("error"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(specs, annotations, addresses, events, st.sampled_from([OVN, AMPHORA]))
def test_whatever_happens_the_end_is_what_was_asked(
    spec: ServiceSpec,
    given_first: dict[str, str],
    endpoints: list[int],
    happenings: list[tuple[str, object]],
    provider: Any,
) -> None:
    async def run() -> None:
        world = World(service_of(spec, annotations=given_first), of=setting(provider))
        world.endpoints = endpoints
        theirs = await foreign(world)
        for what, value in happenings:
            assert world.kube.service is not None
            if isinstance(value, ServiceSpec):
                world.kube.service = msgspec.structs.replace(world.kube.service, spec=value)
            elif isinstance(value, dict):
                meta = msgspec.structs.replace(world.kube.service.metadata, annotations=value)
                world.kube.service = msgspec.structs.replace(world.kube.service, metadata=meta)
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
        if "nothing*" not in str(world.kube.service):
            world.check(also=[theirs])
        await removed(world)
        assert [*world.octavia.balancers] == [theirs]
        assert not world.neutron.addresses

    asyncio.run(run())


async def foreign(world: World) -> str:
    """Make the load balancer of another cluster's Service with the same name and uid; return its id."""
    request = requests.load_balancer(world.setting, DESIRED.subject, WANTED)
    tags = Owner("other", KIND, "uid-1").tags()
    listeners = [msgspec.structs.replace(one, tags=tags) for one in request.listeners]
    made = await world.octavia.create_load_balancer(
        msgspec.structs.replace(request, tags=tags, vip_address="172.31.0.9", listeners=listeners)
    )
    failing, world.octavia.failing = world.octavia.failing, 0
    world.octavia.settle()
    world.octavia.failing = failing
    world.octavia.writes.clear()
    return made.balancer.id


async def removed(world: World, uid: str = "uid-1") -> None:
    kube = world.kubes[uid]
    assert kube.service
    meta = msgspec.structs.replace(kube.service.metadata, deletion_timestamp="now")
    if meta.finalizers:
        kube.service = msgspec.structs.replace(kube.service, metadata=meta)
        await world.converge()
        assert kube.service is None


def served(kind: str = "ClusterIP", ports: int = 1, options: dict[str, str] | None = None) -> Service:
    spec = ServiceSpec(
        type=kind, cluster_ip=VIP, ports=tuple(ServicePort(80 + n, f"p{n}") for n in range(ports))
    )
    return service_of(spec, annotations={PREFIX + key: value for key, value in (options or {}).items()})


async def test_a_new_service_is_one_call_to_octavia() -> None:
    world = World(served(ports=3))
    world.endpoints = [1, 2, 3]
    await world.converge()
    assert world.octavia.writes == ["create load balancer"]


async def test_scaling_is_one_call_for_each_port() -> None:
    world = World(served(ports=2))
    world.endpoints = [1, 2]
    await world.converge()
    world.octavia.writes.clear()
    world.endpoints = [2, 3, 4]
    await world.converge()
    assert len(world.octavia.writes) == 2


async def test_only_one_change_of_a_load_balancer_is_possible_at_a_time() -> None:
    world = World(served(ports=3))
    await world.converge()
    world.endpoints = [1]
    _, steps, now = await world.remaining()
    assert [type(step) for step in steps] == [PutMembers] * 3
    assert len(now) == 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("connection-limit", ["5", "9"]),
        ("timeout-member-data", ["1000", "3000"]),
        ("lb-method", ["LEAST_CONNECTIONS", "SOURCE_IP"]),
        ("health-monitor-delay", ["7", "9"]),
    ],
)
async def test_an_option_that_changes_is_one_call_and_its_removal_another(
    name: str, values: list[str]
) -> None:
    watched = {"enable-health-monitor": "true"} if "monitor" in name else {}
    world = World(served("LoadBalancer", options=watched), of=setting(AMPHORA))
    changes: list[dict[str, str]] = [{name: values[0]}, {name: values[1]}, {}]
    for options_now in changes:
        await world.converge()
        world.octavia.writes.clear()
        meta = served("LoadBalancer", options=watched | options_now).metadata
        assert world.kube.service
        meta = msgspec.structs.replace(meta, finalizers=world.kube.service.metadata.finalizers)
        world.kube.service = msgspec.structs.replace(world.kube.service, metadata=meta)
        await world.converge()
        assert world.octavia.writes == ["PENDING_UPDATE"]
        world.check()


async def test_a_creation_whose_answer_was_lost_is_adopted() -> None:
    world = World(served("LoadBalancer"))
    wanted, _, _ = await world.remaining()
    request = requests.load_balancer(world.setting, wanted.subject, wanted.balancers[0])
    await world.octavia.create_load_balancer(request)
    world.octavia.settle()
    (balancer,) = world.octavia.balancers.values()
    owner = Owner(world.setting.cluster, KIND, "uid-1")
    await world.neutron.create_floating_ip("ext", f"port-of-{balancer.id}", owner)  # killed before the tags
    await world.converge()
    world.check()
    assert list(world.octavia.balancers) == [balancer.id]


async def test_an_address_that_is_taken_is_an_error_not_a_second_load_balancer() -> None:
    world = World(served())
    _, _, now = await world.remaining()
    step = next(step for step in now if isinstance(step, CreateBalancer))
    await world.hands["uid-1"].do(step, world.kube.service)
    with pytest.raises(errors.AddressTaken):
        await world.hands["uid-1"].do(step, world.kube.service)
    assert len(world.octavia.balancers) == 1


async def test_a_pool_below_no_listener_goes_away() -> None:
    world = World(served(ports=2))
    await world.converge()
    (balancer,) = world.octavia.balancers.values()
    await world.octavia.delete_listener(next(iter(balancer.listeners)))  # by somebody else
    world.octavia.settle()
    await world.converge()
    world.check()


async def test_what_somebody_changed_by_hand_is_changed_back() -> None:
    world = World(served("LoadBalancer", options={"connection-limit": "5"}), of=setting(AMPHORA))
    await world.converge()
    (balancer,) = world.octavia.balancers.values()
    await world.octavia.update_listener(next(iter(balancer.listeners)), {"connection_limit": 99})
    world.octavia.settle()
    await world.converge()
    world.check()


async def test_of_two_floating_ips_the_associated_one_stays() -> None:
    world = World(served("LoadBalancer"))
    await world.converge()
    (first,) = world.neutron.addresses
    await world.neutron.create_floating_ip("ext", None, Owner(world.setting.cluster, KIND, "uid-1"))
    await world.converge()
    world.check()
    assert list(world.neutron.addresses) == [first]


def test_of_two_load_balancers_the_first_stays() -> None:
    older = Balancer("b", Vip(VIP), provider="ovn", owners=OWNERS, created_at="2026-01-01T00:00:00")
    newer = Balancer("a", Vip(VIP), provider="ovn", owners=OWNERS, created_at="2026-01-01T00:00:05")
    steps = plan(DESIRED, Actual((newer, older), finalizer=True))
    assert [step.balancer for step in steps if isinstance(step, DeleteBalancer)] == ["a"]


def test_a_balancer_in_error_is_deleted_and_made_again() -> None:
    present = Actual((Balancer("a", Vip(VIP), provider="ovn", owners=OWNERS, broken=True),), finalizer=True)
    steps = plan(DESIRED, present)
    assert [type(step) for step in steps] == [DeleteBalancer, CreateBalancer]
    assert [type(step) for step in possible(steps, present)] == [DeleteBalancer]


def test_every_step_says_what_it_does() -> None:
    wanted = Desired("default/web", "uid-1", (WANTED,))
    present = Actual((Balancer("a", Vip(VIP, port_id="port"), provider="ovn", owners=OWNERS),))
    assert [str(step) for step in plan(wanted, present)] == [
        "put the finalizer on the Service",
        "create listener 80/TCP",
    ]


def sharing(name: str, port: int) -> Service:
    number = 10 + port % 100
    spec = ServiceSpec("LoadBalancer", f"172.30.0.{number}", ports=(ServicePort(port, "p"),))
    return service_of(spec, name, {SHARE: "edge"})


async def test_services_share_a_load_balancer_by_name_and_the_last_one_deletes_it() -> None:
    world = World(sharing("a", 80), sharing("b", 81))
    world.endpoints = [1, 2]
    await world.converge()
    (shared,) = [one for one in world.octavia.balancers.values() if one.name == "default/edge"]
    assert sorted(one.port for one in shared.listeners.values()) == [80, 81]
    assert {tag for tag in shared.tags if "uid" in tag} == {"causeway-uid=uid-a", "causeway-uid=uid-b"}
    (address,) = world.neutron.addresses.values()
    for kube in world.kubes.values():
        assert kube.service
        assert [one.ip for one in kube.service.status.load_balancer.ingress] == [address.floating_ip_address]
    await removed(world, "uid-a")
    assert [one.port for one in shared.listeners.values()] == [81]
    assert next(iter(world.neutron.addresses.values())).owner == Owner("cluster", KIND, "uid-b")
    await removed(world, "uid-b")
    assert not world.octavia.balancers
    assert not world.neutron.addresses


async def test_a_port_that_is_taken_on_a_shared_load_balancer_is_refused() -> None:
    second = msgspec.structs.replace(sharing("b", 80), spec=sharing("a", 80).spec)
    second = msgspec.structs.replace(
        second, spec=msgspec.structs.replace(second.spec, cluster_ip="172.30.0.99")
    )
    world = World(sharing("a", 80), second)
    await world.converge()
    verdicts = [kube.service.status.conditions[0] for kube in world.kubes.values() if kube.service]
    assert [(one.status, one.reason) for one in verdicts] == [("True", "Served"), ("False", "PortTaken")]


async def test_a_persons_load_balancer_is_used_and_never_deleted() -> None:
    world = World(served("LoadBalancer"))
    theirs = await person(world)
    meta = served("LoadBalancer", options={"load-balancer-id": theirs}).metadata
    assert world.kube.service
    world.kube.service = msgspec.structs.replace(world.kube.service, metadata=meta)
    world.endpoints = [1]
    await world.converge()
    found = world.octavia.balancers[theirs]
    assert sorted(one.port for one in found.listeners.values()) == [22, 80]
    assert found.tags == ["mine"]
    world.restart()
    await removed(world)
    assert [one.port for one in world.octavia.balancers[theirs].listeners.values()] == [22]
    assert [*world.octavia.balancers] == [theirs]


async def person(world: World) -> str:
    """Make a load balancer as a person does; return its id."""
    wanted = Wanted(Role.OUTSIDE, "by hand", Vip("10.50.0.5"), "ovn", {Front("TCP", 22): SERVING})
    request = requests.load_balancer(world.setting, DESIRED.subject, wanted)
    listeners = [msgspec.structs.replace(one, tags=[]) for one in request.listeners]
    made = await world.octavia.create_load_balancer(
        msgspec.structs.replace(request, tags=["mine"], listeners=listeners)
    )
    world.octavia.settle()
    return made.balancer.id


async def test_another_clusters_load_balancer_is_not_touched_even_when_named() -> None:
    world = World(served("LoadBalancer"))
    theirs = await foreign(world)
    meta = served("LoadBalancer", options={"load-balancer-id": theirs}).metadata
    assert world.kube.service
    world.kube.service = msgspec.structs.replace(world.kube.service, metadata=meta)
    await world.converge()
    assert len(world.octavia.balancers[theirs].listeners) == 1
    assert world.kube.service.status.conditions[0].reason == "NotShareable"


def test_a_service_stays_until_it_is_known_that_nothing_of_it_is_left() -> None:
    theirs = Balancer("a", Vip("10.0.0.1"), role=Role.OUTSIDE, ours=False, busy=True)
    present = Actual((theirs,), finalizer=True)
    assert not possible(plan(Desired("default/web", "uid-1"), present), present)


async def test_a_floating_ip_that_was_made_a_moment_ago_is_found() -> None:
    spec = ServiceSpec("LoadBalancer", VIP, ports=(ServicePort(80, "p"),), load_balancer_ip="172.24.4.77")
    world = World(service_of(spec))
    _, steps, _ = await world.remaining()
    while not any(isinstance(step, TakeAddress) for step in steps):
        await world.round()
        world.octavia.settle()
        _, steps, _ = await world.remaining()
    made = await world.neutron.create_floating_ip("ext", None, Owner("", ""), address="172.24.4.77")
    for step in steps:
        await world.hands["uid-1"].do(step, world.kube.service)
    await world.converge()
    assert [*world.neutron.addresses] == [made.id]
