"""Policies as rules: ports become ranges as Neutron takes them, addresses the fewest rules or a set."""

from typing import Any

import pytest
from tests.unit.rooms.policies.worlds import policy

from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import Front, GroupKey, Member, Rule

SERVICES = ("172.30.0.0/17",)
KEY = GroupKey("policy", "policy-1")


def index(services: tuple[str, ...] = (), **spec: Any) -> Index:
    made = Index((4,), services)
    made.put_namespace("a", {})
    made.put_policy(policy(1, "a", {"podSelector": {}, **spec}))
    return made


@pytest.mark.parametrize(
    ("port", "protocol", "first", "last"),
    [
        ({"protocol": "TCP", "port": 80}, "tcp", 80, 80),
        ({"protocol": "TCP", "port": 80, "endPort": 90}, "tcp", 80, 90),
        ({"protocol": "UDP"}, "udp", 0, 0),
        ({"port": 65535}, "tcp", 65535, 65535),
        ({"protocol": "SCTP", "port": 1, "endPort": 65535}, "sctp", 0, 0),
        ({"protocol": "SCTP", "port": 2, "endPort": 65535}, "sctp", 2, 65535),
    ],
)
def test_ports(port: dict[str, Any], protocol: str, first: int, last: int) -> None:
    made = index(ingress=[{"ports": [port]}])
    assert made.rules(KEY) == {Rule("ingress", 4, protocol, first, last)}


def test_no_ports_are_all_protocols_and_no_peers_everybody() -> None:
    made = index(ingress=[{}], egress=[{}])
    assert made.rules(KEY) == {Rule("ingress", 4), Rule("egress", 4)}
    assert index(policyTypes=["Ingress", "Egress"]).rules(KEY) == set()


def test_one_range_is_a_rule_and_several_are_a_set() -> None:
    made = index(ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])
    assert made.rules(KEY) == {Rule("ingress", 4)}
    made = index(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/9"]}}]}])
    assert made.rules(KEY) == {Rule("ingress", 4, cidr="10.128.0.0/9")}
    holes = ["10.1.0.0/16", "10.3.0.0/16"]
    made = index(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/14", "except": holes}}]}])
    (rule,) = made.rules(KEY)
    assert made.sets.addresses(rule.peers) == frozenset({"10.0.0.0/16", "10.2.0.0/16"})
    assert made.sets.describe(rule.peers) == "10.0.0.0/14 without 10.1.0.0/16, 10.3.0.0/16"


def test_the_same_peers_of_two_policies_are_one_set_that_follows_its_pods() -> None:
    peers = [{"podSelector": {"matchLabels": {"app": "x"}}}]
    made = index(ingress=[{"from": peers}])
    made.put_policy(policy(2, "a", {"podSelector": {}, "ingress": [{"from": peers}]}))
    (key,) = made.sets.keys()
    made.put_pod("u", Member("u", "a", {"app": "x"}, "n1", ("10.0.0.1",)))
    assert made.sets.addresses(key) == frozenset({"10.0.0.1/32"})
    made.put_pod("u", Member("u", "a", {"app": "y"}, "n1", ("10.0.0.1",)))
    assert made.sets.addresses(key) == frozenset()
    made.drop_policy("policy-1")
    assert made.sets.keys() == [key]
    made.drop_policy("policy-2")
    assert made.sets.keys() == []


def front(*backends: tuple[str, int]) -> tuple[Front, ...]:
    return (Front("172.30.0.5", "TCP", 80, frozenset(backends)),)


def test_an_address_of_a_service_is_allowed_by_what_answers_behind_it_alone() -> None:
    everywhere = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}
    made = index(SERVICES, egress=[everywhere])
    (rule,) = made.rules(KEY)
    ranges = made.sets.addresses(rule.peers)
    assert ranges is not None
    assert "172.30.128.0/17" in ranges
    assert not any(each.startswith("172.30.0.") for each in ranges)
    made.put_service("a/s", front(("192.0.2.1", 8080), ("10.0.0.1", 8080)))
    assert made.rules(KEY) == {rule}
    made.put_service("a/s", front(("192.0.2.1", 8080)))
    assert made.rules(KEY) - {rule} == {Rule("egress", 4, "tcp", 80, 80, cidr="172.30.0.5/32")}
    made.put_service("a/s", ())
    assert made.rules(KEY) == {rule}


def test_the_port_behind_a_service_counts_and_not_its_own() -> None:
    made = index(SERVICES, egress=[{"ports": [{"port": 8080}]}])
    (rule,) = made.rules(KEY)
    assert (rule.first, rule.last) == (8080, 8080)
    made.put_service("a/s", front(("10.0.0.1", 8080)))
    assert Rule("egress", 4, "tcp", 80, 80, cidr="172.30.0.5/32") in made.rules(KEY)
    made.put_service("a/s", front(("10.0.0.1", 80)))
    assert made.rules(KEY) == {rule}


def test_pods_that_name_their_port_differently_have_groups_of_their_own() -> None:
    made = index(ingress=[{"ports": [{"port": "web"}]}])
    assert made.groups() == []
    for uid, number in (("u1", 80), ("u2", 8080), ("u3", 80)):
        made.put_pod(uid, Member(uid, "a", {}, "n1", (), (("web", "TCP", number),)))
    policies = [key for key in made.groups() if key.kind == "policy"]
    assert sorted((rule.first, len(made.pods_of(key))) for key in policies for rule in made.rules(key)) == [
        (80, 2),
        (8080, 1),
    ]


def test_a_direction_no_policy_is_about_stays_open_and_the_node_is_heard() -> None:
    made = index(SERVICES, ingress=[])
    made.put_node("n1", ("10.10.0.1",))
    member = Member("u", "a", {}, "n1")
    made.put_pod("u", member)
    node = GroupKey("policy-node", "n1")
    assert made.groups_of(member) == (KEY, node, GroupKey("policy-open", "egress"))
    assert made.rules(GroupKey("policy-open", "egress")) == {Rule("egress", 4)}
    assert made.rules(node) == {
        Rule("ingress", 4, cidr="10.10.0.1/32"),
        Rule("egress", 4, cidr="10.10.0.1/32"),
        Rule("ingress", 4, cidr="172.30.0.0/17"),
    }
    assert made.groups_of(Member("v", "b", {}, "n1")) == ()


def test_a_pod_with_an_address_of_another_family_adds_it() -> None:
    holes = ["fd00::1/128"]
    made = index(
        egress=[{"to": [{"ipBlock": {"cidr": "fd00::/126", "except": holes}}]}, {"ports": [{"port": 1}]}]
    )
    assert made.rules(KEY) == {Rule("egress", 4, "tcp", 1, 1)}
    made.take()
    made.put_pod("u", Member("u", "b", {}, "n1", ("10.0.0.1", "fd00::9")))
    assert KEY in made.take().groups
    (block,) = made.sets.keys()
    assert made.rules(KEY) == {
        Rule("egress", 4, "tcp", 1, 1),
        Rule("egress", 6, "tcp", 1, 1),
        Rule("egress", 6, peers=block),
    }
