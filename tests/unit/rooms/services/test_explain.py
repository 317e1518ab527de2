import msgspec
import pytest
from tests.unit.rooms.services.world import setting

from causeway.cloud.neutron import Port
from causeway.cloud.octavia_objects import (
    ListenerStatus,
    LoadBalancer,
    MemberStatus,
    PoolStatus,
    StatusTree,
)
from causeway.kit.errors import Finding
from causeway.kube.objects import (
    Condition,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Meta,
    Pod,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from causeway.rooms.services.explain import Facts, explain
from causeway.rooms.services.model import CONDITION, Front, ListenerOptions, Member, PoolOptions, Vip
from causeway.rooms.services.present import Actual, Balancer, Listener, Pool, Verdict

SPEC = ServiceSpec(cluster_ip="172.30.0.9", ports=(ServicePort(80, "http"),), selector={"app": "web"})
SERVICE = Service(Meta("web", "default", "u1"), SPEC)
SLICE = EndpointSlice(
    Meta("web-1", "default"), "IPv4", (Endpoint(("10.1.0.1",)),), (EndpointPort("http", 8080),)
)
READY = Pod(Meta("web-a", "default"), status=PodStatus(conditions=(Condition("Ready", "True"),)))
WAITING = Pod(
    Meta("web-b", "default"),
    status=PodStatus(conditions=(Condition("ContainersReady", "False", "x", "containers unready: [web]"),)),
)
LB = LoadBalancer("lb1", "default/web", "ACTIVE", "ONLINE", "172.30.0.9", "port1", updated_at="10:00")


def served() -> Actual:
    pool = Pool("p1", PoolOptions("TCP", "SOURCE_IP_PORT"), frozenset({Member("10.1.0.1", 8080)}))
    listener = Listener("l1", Front("TCP", 80), ListenerOptions("TCP"), "u1", pool)
    verdict = Verdict(True, "Served", "The load balancer has all that the Service asks for.")
    vip = Vip("172.30.0.9", "service-subnet", port_id="port1")
    balancer = Balancer("lb1", vip, provider="ovn", owners=frozenset({"u1"}), listeners=(listener,))
    return Actual((balancer,), finalizer=True, verdict=verdict)


def facts(**changes: object) -> Facts:
    values: dict[str, object] = {
        "service": SERVICE,
        "slices": (SLICE,),
        "pods": (READY,),
        "setting": setting(),
        "actual": served(),
        "balancers": (LB,),
    }
    return Facts(**{**values, **changes})  # type: ignore[arg-type]  # any field


def told(of: Facts) -> list[str]:
    return [finding.cause for finding in explain(of).causes]


def test_where_nothing_is_wrong_no_cause_is_invented() -> None:
    explanation = explain(facts())
    assert (explanation.causes, explanation.remaining) == ((), ())
    assert explanation.desired["listeners"] == {"80/TCP": ["10.1.0.1:8080"]}


def test_what_remains_is_what_the_controller_would_do() -> None:
    explanation = explain(facts(actual=Actual(), balancers=()))
    assert explanation.remaining == (
        "put the finalizer on the Service",
        "create load balancer default/web at 172.30.0.9 with 1 listeners and 1 members",
    )
    assert explanation.actual["load balancer"] == "none"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"slices": (), "pods": ()}, "no pod has the labels app=web"),
        (
            {"slices": (), "pods": (WAITING,)},
            "none of its 1 pods is ready (web-b: containers unready: [web])",
        ),
        ({"slices": (), "pods": (READY,)}, "its pods have no such port (80/TCP)"),
        ({"balancers": (msgspec.structs.replace(LB, provisioning_status="ERROR"),)}, "it is in ERROR"),
        (
            {"balancers": (msgspec.structs.replace(LB, provisioning_status="PENDING_UPDATE"),)},
            "it is PENDING_UPDATE since 10:00",
        ),
        ({"balancers": (LB, LB)}, "it has more than one load balancer: lb1, lb1"),
        (
            {"vip_holders": (Port("x", "lost", "DOWN", "n", "m"),)},
            "its address 172.30.0.9 is held by port x (lost)",
        ),
    ],
)
def test_causes_are_named(changes: dict[str, object], cause: str) -> None:
    assert cause in told(facts(**changes))


def test_what_the_cloud_refused_comes_first() -> None:
    condition = Condition(
        CONDITION, "False", "Quota", "network: Quota exceeded for resources: ['floatingip']."
    )
    refused = msgspec.structs.replace(SERVICE, status=ServiceStatus(conditions=(condition,)))
    explanation = explain(facts(service=refused, slices=(), pods=()))
    assert explanation.causes[0].cause == "the controller met Quota"
    assert "floatingip" in explanation.causes[0].remedy


def test_members_that_do_not_answer_are_named() -> None:
    member = MemberStatus("m", "10.1.0.1", 8080, "ACTIVE", "ERROR")
    pool = PoolStatus("p", "ACTIVE", "ERROR", "default/web:80/TCP", [member])
    tree = StatusTree(
        "lb1", "ACTIVE", "ERROR", "", [ListenerStatus("l", "ACTIVE", "ERROR", "default/web:80/TCP", [pool])]
    )
    explanation = explain(facts(trees=(tree,)))
    assert [one.cause for one in explanation.causes] == ["members do not answer: 10.1.0.1:8080"]
    assert explanation.actual["listeners"] == {"80/TCP": ["10.1.0.1:8080 ERROR"]}


def test_what_two_load_balancers_serve_is_told_apart() -> None:
    spec = msgspec.structs.replace(SPEC, cluster_ips=("172.30.0.9", "fd00:30::9"))
    second = EndpointSlice(
        Meta("web-2", "default"), "IPv6", (Endpoint(("fd00:20::1",)),), (EndpointPort("http", 8080),)
    )
    dual = msgspec.structs.replace(SERVICE, spec=spec)
    pools = [
        PoolStatus("p", "ACTIVE", "ONLINE", "", [MemberStatus("m", address, 8080, "ACTIVE", "ONLINE")])
        for address in ("10.1.0.1", "fd00:20::1")
    ]
    trees = tuple(
        StatusTree("", "", "", "", [ListenerStatus("l", "ACTIVE", "ONLINE", "web:80/TCP", [pool])])
        for pool in pools
    )
    balancers = (LB, msgspec.structs.replace(LB, id="lb2", vip_address="fd00:30::9"))
    explanation = explain(facts(service=dual, slices=(SLICE, second), balancers=balancers, trees=trees))
    expected = {"80/TCP at 172.30.0.9": ["10.1.0.1:8080"], "80/TCP at fd00:30::9": ["fd00:20::1:8080"]}
    assert explanation.desired["listeners"] == explanation.actual["listeners"] == expected


def test_a_silent_controller_is_a_cause_only_while_something_remains() -> None:
    silent = Finding("causeway-controller", "nobody leads", "look")
    assert told(facts(controller=silent)) == []
    assert told(facts(controller=silent, actual=Actual(), balancers=())) == ["nobody leads"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (ServiceSpec(type="ExternalName"), "it is a name only (ExternalName)"),
        (ServiceSpec(cluster_ip="None"), "it is headless"),
    ],
)
def test_services_that_need_none_say_why(spec: ServiceSpec, why: str) -> None:
    quiet = facts(service=msgspec.structs.replace(SERVICE, spec=spec), actual=Actual(), balancers=())
    assert explain(quiet).desired == {"load balancer": f"none: {why}"}
    assert explain(quiet).causes == ()


def test_nobody_to_give_endpoints() -> None:
    alone = msgspec.structs.replace(SERVICE, spec=msgspec.structs.replace(SPEC, selector=None))
    assert told(facts(service=alone, slices=()))[0].startswith("it has no selector")
