import pytest

from causeway.cloud.neutron import FixedIP, Port, Subport, Trunk
from causeway.cloud.ownership import Owner
from causeway.kit.errors import Finding
from causeway.kube import objects
from causeway.kube.objects import (
    Condition,
    Meta,
    Node,
    NodeStatus,
    Pod,
    PodPort,
    PodPortSpec,
    PodSpec,
    PodStatus,
)
from causeway.rooms.pods.explain import Facts, explain
from causeway.rooms.pods.model import KIND, NODE_KIND, Site

SITE = Site("c1", "net", "subnet", 20, "10.1.0.1", ("sg",), 1442)
POD = Pod(Meta("web", "default", "u1"), PodSpec("worker"))
PARENT = Port("parent", "worker", "ACTIVE", "nodes", "m0", tags=Owner("c1", NODE_KIND).tags())
PORT = Port(
    "p1",
    "default/web",
    "ACTIVE",
    "net",
    "m1",
    [FixedIP("subnet", "10.1.0.5")],
    Owner("c1", KIND, "u1").tags(),
)
BARE = Trunk("t1", "worker", "ACTIVE", "parent")
TRUNK = Trunk("t1", "worker", "ACTIVE", "parent", [Subport("p1", 7)])
TOLD = PodPort(
    Meta("web", "default"),
    PodPortSpec("u1", "worker", "p1", 7, "m1", (objects.FixedIP("10.1.0.5", 20, "10.1.0.1"),), 1442),
)
NODE = Node(Meta("worker"), status=NodeStatus(conditions=(Condition("Ready", "True"),)))


def facts(**changes: object) -> Facts:
    values: dict[str, object] = {
        "pod": POD,
        "site": SITE,
        "ports": (PARENT, PORT),
        "trunks": (TRUNK,),
        "told": TOLD,
        "node": NODE,
    }
    return Facts(**{**values, **changes})  # type: ignore[arg-type]  # any field


def test_a_pod_with_its_port_has_no_causes() -> None:
    explanation = explain(facts())
    assert (explanation.remaining, explanation.causes) == ((), ())
    assert explanation.actual["port"] == ["p1 10.1.0.5 ACTIVE, VLAN 7 of trunk t1"]


DOWN = Port("p1", "n", "DOWN", "net", "m1", [FixedIP("subnet", "10.1.0.5")], PORT.tags)
LOST = Node(Meta("worker"), status=NodeStatus(conditions=(Condition("Ready", "Unknown", "", "no word"),)))
UNPLACED = Pod(
    Meta("web", "default", "u1"),
    status=PodStatus(conditions=(Condition("PodScheduled", "False", "Unschedulable", "0/2 nodes fit"),)),
)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"ports": (PARENT,), "trunks": (BARE,), "told": None}, "it has no port yet"),
        ({"trunks": (BARE,), "told": None}, "its port is no subport of the node's trunk yet"),
        ({"told": None}, "its node is not told of the port yet"),
        ({"ports": (PORT,), "trunks": (), "told": None}, "node worker has no trunk of this platform"),
        ({"ports": (PARENT, DOWN)}, "its subport p1 is DOWN: the node does not serve its VLAN"),
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
    explanation = explain(
        facts(ports=(PARENT,), trunks=(BARE,), told=None, warnings=("Quota: no more ports",))
    )
    assert explanation.causes[0].remedy == "Quota: no more ports"
    assert explanation.remaining == ("create port default/web",)


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (Pod(POD.metadata, PodSpec("worker", host_network=True)), "none: it uses the network of its node"),
        (Pod(POD.metadata, PodSpec("worker"), PodStatus("Succeeded")), "none: it has ended (Succeeded)"),
    ],
)
def test_pods_that_need_none_say_why(pod: Pod, why: str) -> None:
    explanation = explain(facts(pod=pod, ports=(PARENT,), trunks=(BARE,), told=None))
    assert explanation.desired == {"port": why}
    assert explanation.causes == ()
