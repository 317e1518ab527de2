import msgspec
import pytest

from causeway.kube.objects import LabelSelector, NetworkPolicy
from causeway.kube.policies import directions, matches, selects


def policy(**spec: object) -> NetworkPolicy:
    return msgspec.convert({"metadata": {"name": "p", "namespace": "n"}, "spec": spec}, NetworkPolicy)


@pytest.mark.parametrize(
    ("requirement", "meant", "not_meant"),
    [
        (("In", ["a", "b"]), [{"k": "a"}, {"k": "b"}], [{"k": "c"}, {"k": ""}, {}]),
        (("NotIn", ["a", "b"]), [{"k": "c"}, {}], [{"k": "a"}, {"k": "b"}]),
        (("Exists", []), [{"k": ""}, {"k": "a"}], [{}, {"l": "a"}]),
        (("DoesNotExist", []), [{}, {"l": "a"}], [{"k": ""}, {"k": "a"}]),
    ],
)
def test_requirements(
    requirement: tuple[str, list[str]], meant: list[dict[str, str]], not_meant: list[dict[str, str]]
) -> None:
    operator, values = requirement
    expression = {"key": "k", "operator": operator, "values": values}
    selector = msgspec.convert({"matchExpressions": [expression]}, LabelSelector)
    assert all(matches(selector, labels) for labels in meant)
    assert not any(matches(selector, labels) for labels in not_meant)


def test_every_requirement_counts_and_none_means_all() -> None:
    both = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}],
    }
    selector = msgspec.convert(both, LabelSelector)
    assert matches(selector, {"app": "web"})
    assert not matches(selector, {"app": "web", "tier": "db"})
    assert not matches(selector, {"tier": "front"})
    assert matches(LabelSelector(), {})
    assert selects(policy(podSelector={}), {"any": "pod"})
    assert not selects(policy(podSelector={"matchLabels": {"app": "web"}}), {"any": "pod"})


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ({}, True, False),
        ({"egress": [{}]}, True, True),
        ({"policyTypes": ["Egress"]}, False, True),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, True, False),
        ({"policyTypes": ["Ingress", "Egress"]}, True, True),
    ],
)
def test_directions(spec: dict[str, object], ingress: bool, egress: bool) -> None:
    assert directions(policy(**spec)) == (ingress, egress)


def test_a_policy_is_read_as_the_api_writes_it() -> None:
    read = policy(
        podSelector={"matchLabels": {"app": "web"}},
        ingress=[
            {
                "from": [
                    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
                    {"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}},
                ],
                "ports": [{"protocol": "UDP", "port": "dns"}, {"protocol": "TCP", "port": 80, "endPort": 90}],
            }
        ],
    )
    (rule,) = read.spec.ingress
    block, both = rule.from_
    assert block.ip_block is not None
    assert block.ip_block.except_ == ("10.1.0.0/16",)
    assert both.namespace_selector is not None
    assert [(port.protocol, port.port, port.end_port) for port in rule.ports] == [
        ("UDP", "dns", None),
        ("TCP", 80, 90),
    ]
