import msgspec
import pytest

from causeway.cloud.neutron import FixedIP, Port, Subport, Trunk
from causeway.cloud.ownership import Owner
from causeway.cloud.prepared_ports import PreparedPort, tags_of
from causeway.kit.errors import Finding
from causeway.kube import objects
from causeway.kube.objects import (
    Claim,
    Condition,
    LabelSelector,
    Meta,
    NetworkPolicy,
    NetworkPolicySpec,
    Node,
    NodeStatus,
    Pod,
    PodSpec,
    PodStatus,
    PoolPort,
    PortPool,
    PortPoolSpec,
    PortPoolStatus,
)
from causeway.rooms.pods.explain import Facts, explain
from causeway.rooms.pods.model import KIND, NODE_KIND

POD = Pod(Meta("web", "default", "u1"), PodSpec("worker"))
PARENT = Port("parent", "worker", "ACTIVE", "nodes", "m0", tags=tuple(Owner("c1", NODE_KIND).tags()))
PORT = Port(
    "p1",
    "default/web",
    "ACTIVE",
    "net",
    "m1",
    (FixedIP("subnet", "10.1.0.5"),),
    tuple(Owner("c1", KIND).tags()),
)
BARE = Trunk("t1", "worker", "ACTIVE", "parent")
TRUNK = Trunk("t1", "worker", "ACTIVE", "parent", [Subport("p1", 7)])
SPEC = PortPoolSpec((PoolPort("p1", "m1", (objects.FixedIP("10.1.0.5", 20, "10.1.0.1"),), 1442, 7),))
POOL = PortPool(Meta("worker"), SPEC, PortPoolStatus(1, (Claim("p1", "u1", "default", "web"),)))
READY = PortPool(Meta("worker"), SPEC)
SHORT = PortPool(
    Meta("worker"), status=PortPoolStatus(conditions=(Condition("Supplied", "False", "Quota", "no more."),))
)
NODE = Node(Meta("worker"), status=NodeStatus(conditions=(Condition("Ready", "True"),)))


def facts(**changes: object) -> Facts:
    values: dict[str, object] = {
        "pod": POD,
        "cluster": "c1",
        "ports": (PARENT, PORT),
        "trunks": (TRUNK,),
        "pool": POOL,
        "node": NODE,
    }
    return Facts(**{**values, **changes})  # type: ignore[arg-type]  # any field


def test_a_pod_with_its_port_has_no_causes() -> None:
    explanation = explain(facts())
    assert (explanation.remaining, explanation.causes) == ((), ())
    assert explanation.actual["port"] == "p1 10.1.0.5 ACTIVE, VLAN 7 of trunk t1"


DOWN = Port("p1", "n", "DOWN", "net", "m1", (FixedIP("subnet", "10.1.0.5"),), PORT.tags)
LOST = Node(Meta("worker"), status=NodeStatus(conditions=(Condition("Ready", "Unknown", "", "no word"),)))
UNPLACED = Pod(
    Meta("web", "default", "u1"),
    status=PodStatus(conditions=(Condition("PodScheduled", "False", "Unschedulable", "0/2 nodes fit"),)),
)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"ports": (PARENT,), "trunks": (BARE,), "pool": None}, "there is no port for it yet"),
        ({"trunks": (BARE,)}, "its port is no subport of the node's trunk any more"),
        ({"ports": (PORT,), "trunks": (), "pool": None}, "node worker has no trunk of this platform"),
        ({"ports": (PARENT, DOWN)}, "its port p1 is DOWN: the node does not serve its VLAN"),
        ({"node": LOST}, "it is not ready: no word"),
        ({"pod": UNPLACED}, "no node takes it: 0/2 nodes fit"),
        ({"containers": ("container web waits: ImagePullBackOff",)}, "container web waits: ImagePullBackOff"),
        ({"daemon": Finding("node worker", "the node daemon is not ready there", "look")},
         "the node daemon is not ready there"),
    ],
)  # fmt: skip
def test_causes_are_named(changes: dict[str, object], cause: str) -> None:
    assert [finding.cause for finding in explain(facts(**changes)).causes] == [cause]


def test_what_the_controller_reported_is_the_remedy() -> None:
    explanation = explain(facts(ports=(PARENT,), trunks=(BARE,), pool=SHORT))
    assert explanation.causes[0].remedy == "Quota: no more."
    assert explanation.remaining[0] == "controller: make a port for the node's trunk"


def test_a_port_that_is_ready_only_waits_for_the_node_to_hand_it_out() -> None:
    explanation = explain(facts(pool=READY))
    assert explanation.actual["ready ports on its node"] == 1
    assert explanation.remaining == ("node: give the pod a port and make its link",)
    policy = NetworkPolicy(Meta("deny", "default"), NetworkPolicySpec(LabelSelector()))
    explanation = explain(facts(pool=READY, policies=(policy,)))
    assert explanation.desired == {"port": "one made for it alone, on node worker"}
    assert [finding.cause for finding in explanation.causes] == ["there is no port for it yet"]


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (Pod(POD.metadata, PodSpec("worker", host_network=True)), "none: it uses the network of its node"),
        (Pod(POD.metadata, PodSpec("worker"), PodStatus("Succeeded")), "none: it has ended (Succeeded)"),
    ],
)
def test_pods_that_need_none_say_why(pod: Pod, why: str) -> None:
    explanation = explain(facts(pod=pod, pool=None))
    assert explanation.desired == {"port": why}
    assert explanation.causes == ()


WISHING = Pod(Meta("web", "default", "u1", annotations={"causeway.dev/port": "db"}), PodSpec("worker"))
MINE = PreparedPort(
    "mine", "db", "ACTIVE", "net", "m2", (FixedIP("subnet", "10.1.0.9"),), tags_of("c1", "default")
)
LENT = PortPool(
    Meta("worker"),
    PortPoolSpec((msgspec.structs.replace(SPEC.ports[0], port_id="mine", pod_uid="u1", prepared=True),)),
    PortPoolStatus(1, (Claim("mine", "u1", "default", "web"),)),
)
ON_TRUNK = Trunk("t1", "worker", "ACTIVE", "parent", [Subport("mine", 7)])
ALL = NetworkPolicy(Meta("deny", "default"), NetworkPolicySpec(LabelSelector()))


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, "no port 'db' is given to namespace default"),
        ({"prepared": (msgspec.structs.replace(MINE, vnic_type="direct"),)}, "vnic_type is direct"),
        ({"prepared": (MINE,), "policies": (ALL,)}, "NetworkPolicies could not be kept"),
        ({"prepared": (msgspec.structs.replace(MINE, device_id="server"),)}, "it belongs to server"),
        ({"prepared": (MINE,)}, "there is no port for it yet"),
        (
            {"prepared": (MINE,), "policies": (ALL,), "pool": LENT, "trunks": (ON_TRUNK,)},
            "do not apply to port",
        ),
        ({"pool": LENT, "trunks": (ON_TRUNK,)}, "its prepared port is gone, or its tags were removed"),
    ],
)
def test_why_a_pod_does_not_have_the_port_that_was_prepared(changes: dict[str, object], cause: str) -> None:
    given = {"pod": WISHING, "ports": (PARENT,), "trunks": (BARE,), "pool": None}
    explanation = explain(facts(**{**given, **changes}))
    assert explanation.desired["port"] == "the one that was prepared for it, 'db', on node worker"
    (found,) = explanation.causes
    assert cause in found.cause
    assert found.place == "pod default/web"


def test_a_pod_with_its_prepared_port_has_no_causes() -> None:
    given = facts(pod=WISHING, ports=(PARENT,), trunks=(ON_TRUNK,), pool=LENT, prepared=(MINE,))
    explanation = explain(given)
    assert (explanation.remaining, explanation.causes) == ((), ())
    assert explanation.actual["port"] == "mine 10.1.0.9 ACTIVE, VLAN 7 of trunk t1"
