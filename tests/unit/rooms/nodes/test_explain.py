"""What is said of a node."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.rooms.nodes.examples import WAITING, node, seen, server

from causeway.cloud.neutron import Port, Trunk
from causeway.kit.errors import Finding
from causeway.kube.objects import (
    Condition,
    Meta,
    Pod,
    PodStatus,
    PoolPort,
    PortPool,
    PortPoolSpec,
    PortPoolStatus,
)
from causeway.rooms.nodes.explain import Facts, explain
from causeway.rooms.nodes.plan import plan

DAEMON = Pod(
    Meta(name="causeway-node-x"), status=PodStatus(conditions=(Condition("Ready", "True"),), phase="Running")
)
PORTS = tuple(PoolPort(port_id=f"p{number}", mac_address="", fixed_ips=(), mtu=1442) for number in "123")
POOL = PortPool(Meta(name="w1", generation=4), PortPoolSpec(PORTS), PortPoolStatus(observed_generation=4))


def lacking(condition: str, message: str) -> PortPool:
    """The pool, with a condition that is not met."""
    status = PortPoolStatus(4, (), (Condition(condition, "False", "Quota", message),))
    return msgspec.structs.replace(POOL, status=status)


def well(**changes: Any) -> Facts:
    """A node with everything it needs."""
    facts = Facts(
        node=node(),
        seen=seen(server()),
        trunks=(Trunk("t1", "w1", "ACTIVE", "p0"),),
        ports=(Port("p0", "w1", "ACTIVE", "n", "m"),),
        pool=POOL,
        daemon=DAEMON,
        pods=3,
    )
    return replace(facts, **changes)


def causes(facts: Facts) -> list[str]:
    return [f"{each.place}: {each.cause}" for each in explain(facts).causes]


def test_a_node_that_is_well_has_no_causes() -> None:
    told = explain(well())
    assert told.subject == "node w1"
    assert told.causes == ()
    assert told.actual["pool"] == "3 ports: 3 free, 0 awaited by a pod, 0 claimed, 0 retiring"
    assert told.actual["trunk"] == ["t1 ACTIVE, 0 subports"]
    assert told.remaining == tuple(str(step) for step in plan(well().node, server(), "RegionOne"))


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"seen": seen()}, "node w1: its server s1 does not exist any more"),
        ({"seen": seen(server(status="SHUTOFF"))}, "server s1: it is SHUTOFF"),
        ({"ports": (Port("p0", "w1", "DOWN", "n", "m"),)}, "port p0: the server's port is DOWN"),
        ({"trunks": (Trunk("t1", "w1", "ERROR", "p0"),)}, "trunk t1: it is ERROR"),
        ({"daemon": None}, "node w1: the node daemon does not run there: no pod gets its network"),
        (
            {"daemon": Pod(Meta(name="causeway-node-x"))},
            "node w1: the node daemon is not ready: no pod gets its network",
        ),
        ({"waiting": ("a/b",)}, "node w1: 1 of its pods have no address yet: a/b"),
        ({"pool": lacking("Supplied", "No more ports.")}, "portpool w1: Quota: No more ports."),
        ({"pool": lacking("PoliciesInEffect", "No more rules.")}, "portpool w1: Quota: No more rules."),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], cause: str) -> None:
    assert causes(well(**changes)) == [cause]


def test_a_silent_kubelet_is_told_in_its_own_words() -> None:
    silent = Condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    status = msgspec.structs.replace(node().status, conditions=(silent,))
    facts = well(node=msgspec.structs.replace(node(), status=status))
    assert causes(facts) == ["node w1: its kubelet is not ready: Kubelet stopped posting node status."]


def test_a_node_that_waits_for_the_controller_says_what_is_wrong_with_that() -> None:
    trouble = Finding("causeway-controller", "nobody leads: no replica runs", "kubectl logs")
    facts = well(node=node(provider_id="", taints=(WAITING,)), controller=trouble)
    told = explain(facts)
    assert trouble in told.causes
    assert told.remaining
