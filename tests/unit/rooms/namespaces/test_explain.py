"""What is said of a namespace."""

from dataclasses import replace
from typing import Any

import pytest

from causeway.cloud.networks import Network, Subnet, Usage
from causeway.cloud.security_groups import SecurityGroup
from causeway.kit.errors import Finding
from causeway.kube.objects import (
    Condition,
    LabelSelector,
    Meta,
    Namespace,
    NamespaceStatus,
    NetworkPolicy,
    NetworkPolicySpec,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
)
from causeway.kube.podnetwork import NETWORK_CONDITION
from causeway.rooms.namespaces.desired import Course
from causeway.rooms.namespaces.explain import Facts, explain
from causeway.rooms.namespaces.model import Actual, Desired, Range, Setting, Wish

SETTING = Setting("c", "router", False, (Range(4, pool_id="pool"),), (), frozenset())
SHARED = Facts(Namespace(Meta(name="shop", uid="u")), Wish(False), Course.SHARED, SETTING, Actual())
RANGES = (Range(4, pool_id="pool"),)
OWN = replace(
    SHARED,
    wish=Wish(True, RANGES),
    course=Course.OWN,
    desired=Desired("u", "shop", RANGES),
    actual=Actual(
        networks=(Network("n1", "namespace/shop", 1442),),
        subnets=(Subnet("s1", "n1", "10.30.0.0/24", 4),),
        groups=(SecurityGroup("g1", "namespace/shop"),),
    ),
)


LEAVING = NamespaceStatus("Terminating", (Condition("NamespaceContentRemaining", "True", "", "pods."),))


def pod(name: str, ip: str = "", **labels: str) -> Pod:
    status = PodStatus(pod_ips=(PodIP(ip),) if ip else ())
    return Pod(Meta(name=name, namespace="shop", labels=labels), PodSpec(node_name="w1"), status)


def telling(reason: str, message: str) -> Namespace:
    conditions = (Condition(NETWORK_CONDITION, "False", reason, message),)
    return Namespace(Meta(name="shop", uid="u"), NamespaceStatus("Active", conditions))


def test_a_namespace_on_the_shared_network_lacks_nothing() -> None:
    told = explain(replace(SHARED, pods=(pod("a", "10.1.0.2"),)))
    assert (told.subject, told.remaining, told.causes) == ("namespace shop", (), ())
    assert told.desired["network"] == "shared"
    assert told.actual["network"] == "the shared one"
    assert told.actual["policies"] == "none: every pod may talk to every pod"


def test_what_is_still_to_be_made_is_what_the_room_would_do() -> None:
    told = explain(OWN)
    assert told.actual["subnets"] == ["10.30.0.0/24, not on the router"]
    assert told.remaining[0] == "join subnet s1 to the router"


def test_policies_are_told_with_the_pods_they_are_for() -> None:
    policy = NetworkPolicy(Meta(name="web"), NetworkPolicySpec(pod_selector=LabelSelector({"app": "web"})))
    pods = (pod("a", "10.1.0.2", app="web"), pod("b", "10.1.0.3"))
    told = explain(replace(SHARED, policies=(policy,), pods=pods))
    assert told.actual["policies"] == {"web": ["1 pods"]}


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (
            replace(SHARED, wish=Wish(True, finding=Finding("namespace shop", "no ranges", "Set some."))),
            "namespace shop: no ranges",
        ),
        (
            replace(SHARED, namespace=telling("NoAddresses", "network: used up.")),
            "namespace shop: the controller met NoAddresses",
        ),
        (
            replace(SHARED, usage={"port": Usage(10, 10), "network": Usage(-1, 5), "trunk": Usage(1, 1)}),
            "quota port: the project's quota is used up: 10 of 10",
        ),
        (
            replace(SHARED, refusals=("ReplicaSet web: exceeded quota: compute",)),
            "namespace shop: ReplicaSet web: exceeded quota: compute",
        ),
        (replace(SHARED, pods=(pod("a"),)), "namespace shop: 1 of its pods have no address yet: a"),
        (
            replace(SHARED, namespace=Namespace(Meta(name="shop"), LEAVING)),
            "namespace shop: it is being deleted: pods.",
        ),
    ],
)
def test_what_is_wrong_is_named(facts: Facts, cause: str) -> None:
    assert [f"{each.place}: {each.cause}" for each in explain(facts).causes] == [cause]


def test_a_controller_that_does_not_run_is_the_cause_of_unfinished_work() -> None:
    trouble: Any = Finding("causeway-controller", "has never run", "kubectl logs")
    assert explain(replace(OWN, controller=trouble)).causes == (trouble,)
    assert explain(replace(SHARED, controller=trouble)).causes == ()
