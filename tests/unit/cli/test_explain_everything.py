"""What is told when nobody asks about one object."""

from dataclasses import replace

from causeway.cli.explain_everything import Everything, explain
from causeway.kit.errors import Finding
from causeway.kube.objects import (
    Condition,
    Meta,
    Namespace,
    NamespaceStatus,
    Node,
    NodeStatus,
    Pod,
    PodSpec,
    PodStatus,
    PortPool,
    PortPoolStatus,
    Service,
    ServiceSpec,
    ServiceStatus,
)

NODE = Node(Meta(name="w1"), status=NodeStatus(conditions=(Condition("Ready", "True"),)))
WELL = Everything([NODE], [PortPool(Meta(name="w1"))], [Namespace(Meta(name="shop"))], [], [])


def pending(name: str, node: str = "w1", *, host: bool = False) -> Pod:
    meta = Meta(name=name, namespace="shop")
    return Pod(meta, PodSpec(node_name=node, host_network=host), PodStatus(phase="Pending"))


def told(seen: Everything) -> list[str]:
    return [str(finding) for finding in explain(seen).causes]


def test_where_all_is_well_nothing_is_told() -> None:
    images = [pending("pulls-its-image", host=True)]
    assert told(replace(WELL, pods=images)) == []


def bad(kind: str, reason: str, message: str) -> tuple[Condition, ...]:
    return (Condition(kind, "False", reason, message),)


def test_what_is_wrong_is_told_from_the_ground_up_with_where_to_look() -> None:
    silent = NodeStatus(conditions=(Condition("Ready", "Unknown", "", "silent"),))
    short = PortPoolStatus(conditions=bad("Supplied", "Quota", "full."))
    unready = NamespaceStatus("Active", bad("causeway.dev/Network", "NoAddresses", "none left."))
    broken = ServiceStatus(conditions=bad("causeway.dev/Ready", "LoadBalancerError", "broken."))
    seen = Everything(
        nodes=[NODE, Node(Meta(name="w2"), status=silent)],
        pools=[PortPool(Meta(name="w1"), status=short)],
        namespaces=[Namespace(Meta(name="shop"), unready)],
        services=[Service(Meta(name="web", namespace="shop"), ServiceSpec(), broken)],
        pods=[pending("a"), pending("b", "")],
        controller=Finding("causeway-controller", "nobody leads", "kubectl logs"),
    )
    assert told(seen) == [
        "causeway-controller: nobody leads. kubectl logs",
        "node w2: silent. causeway explain node w2",
        "portpool w1: Quota: full. causeway explain node w1",
        "namespace shop: NoAddresses: none left. causeway explain namespace shop",
        "service shop/web: LoadBalancerError: broken. causeway explain service shop/web",
        "pod shop/a: it has no address yet. causeway explain pod shop/a",
        "pod shop/b: it has no node yet. causeway explain pod shop/b",
    ]


def test_of_many_pods_some_are_named() -> None:
    many = told(replace(WELL, pods=[pending(f"p{number}") for number in range(25)]))
    assert len(many) == 21
    assert many[-1].startswith("pods: 5 more wait")
