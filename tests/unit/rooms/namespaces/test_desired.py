"""What namespaces ask for, what they get, and who may reach their pods."""

import pytest

from causeway.cloud.networks import Network, Subnet
from causeway.cloud.security_groups import Rule
from causeway.kube.objects import (
    Condition,
    Meta,
    Namespace,
    NamespaceStatus,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
)
from causeway.kube.podnetwork import has_own_network
from causeway.rooms.namespaces.desired import (
    Course,
    course_of,
    inhabited,
    openings_of,
    peers_of,
    rules_of,
    wish_of,
)
from causeway.rooms.namespaces.model import Actual, Desired, Range, Setting, Wish

POOL, POOL6 = Range(4, pool_id="p4"), Range(6, pool_id="p6")
GLOBALS = frozenset({"default", "kube-system"})


def setting(*, own: bool = False, pools: tuple[Range, ...] = (POOL,), router: str | None = "r") -> Setting:
    return Setting("c", router, own, pools, ("10.10.0.0/24", "172.30.0.0/16"), GLOBALS)


def namespace(name: str = "shop", **annotations: str) -> Namespace:
    found = {f"causeway.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return Namespace(Meta(name=name, uid=f"uid-{name}", annotations=found))


@pytest.mark.parametrize(
    ("asked", "own_by_default", "expected"),
    [
        (namespace(), False, Wish(False)),
        (namespace(), True, Wish(True, (POOL,))),
        (namespace("kube-system"), True, Wish(False)),
        (namespace("kube-system", network="own"), False, Wish(True, (POOL,))),
        (namespace(network="shared"), True, Wish(False)),
        (namespace(network="own"), False, Wish(True, (POOL,))),
        (namespace(network="own", network_cidr="10.9.0.0/24"), False, Wish(True, (Range(4, "10.9.0.0/24"),))),
        (
            namespace(network="own", network_cidr="10.9.0.0/24, fd00:9::/64"),
            False,
            Wish(True, (Range(4, "10.9.0.0/24"), Range(6, "fd00:9::/64"))),
        ),
    ],
)
def test_an_annotation_counts_for_more_than_the_default(
    asked: Namespace, own_by_default: bool, expected: Wish
) -> None:
    assert wish_of(asked, setting(own=own_by_default)) == expected


@pytest.mark.parametrize(
    ("asked", "of", "own", "words"),
    [
        (namespace(network="mine"), setting(), False, "'mine'"),
        (namespace(network="own", network_cidr="10.9.0.1/24"), setting(), True, "host bits"),
        (namespace(network="own", network_cidr="10.9.0.0/24,10.8.0.0/24"), setting(), True, "two ranges"),
        (namespace(network="own"), setting(pools=()), True, "no ranges"),
        (namespace(network="own"), setting(router=None), True, "no router"),
    ],
)
def test_what_cannot_be_had_is_said(asked: Namespace, of: Setting, own: bool, words: str) -> None:
    wish = wish_of(asked, of)
    assert wish.own == own
    assert wish.finding is not None
    assert words in str(wish.finding)
    # Whoever asks for a network of its own does not mean the shared one: its pods wait.
    assert course_of(wish, Actual(), inhabited=False) is (Course.REFUSE if own else Course.STAY_SHARED)


NETWORK = Network("n", "shop")
SUBNET = Subnet("s", "n", "10.30.1.0/24", 4, "10.30.1.1")
THERE = Actual(networks=(NETWORK,), subnets=(SUBNET,))


@pytest.mark.parametrize(
    ("wish", "actual", "empty", "lived_in"),
    [
        (Wish(False), Actual(), Course.SHARED, Course.SHARED),
        (Wish(True, (POOL,)), Actual(), Course.OWN, Course.STAY_SHARED),
        (Wish(True, (POOL,)), THERE, Course.OWN, Course.OWN),
        (Wish(True, (Range(4, "10.30.1.0/24"),)), THERE, Course.OWN, Course.OWN),
        (Wish(True, (Range(4, "10.99.0.0/24"),)), THERE, Course.REPLACE, Course.STAY_OWN),
        (Wish(False), THERE, Course.SHARED, Course.STAY_OWN),
    ],
)
def test_nothing_is_taken_from_under_pods(
    wish: Wish, actual: Actual, empty: Course, lived_in: Course
) -> None:
    assert course_of(wish, actual, inhabited=False) is empty
    assert course_of(wish, actual, inhabited=True) is lived_in


def pod(node: str = "w1", *ips: str, host: bool = False, phase: str = "Running") -> Pod:
    addresses = tuple(PodIP(ip) for ip in ips)
    return Pod(Meta(), PodSpec(node_name=node, host_network=host), PodStatus(phase=phase, pod_ips=addresses))


def test_pods_that_wait_for_a_network_do_not_count_as_living_on_another() -> None:
    assert not inhabited([pod("w1"), pod(""), pod("w1", "10.1.0.1", host=True)], whole=False)
    assert not inhabited([pod("w1", "10.1.0.1", phase="Succeeded")], whole=False)
    assert inhabited([pod("w1", "10.1.0.1")], whole=False)
    assert inhabited([pod("w1")], whole=True)


def test_load_balancers_stay_open() -> None:
    ports = (
        ServicePort(80, "http", "TCP", 8080),
        ServicePort(53, "dns", "UDP", "dns"),
        ServicePort(443, "https", "TCP"),
    )
    ranged = ServiceSpec("LoadBalancer", ports=ports[:1], load_balancer_source_ranges=("192.0.2.0/24",))
    services = [
        Service(Meta(name="open"), ServiceSpec("LoadBalancer", ports=ports)),
        Service(Meta(name="ranged"), ranged),
        Service(Meta(name="inside"), ServiceSpec("ClusterIP", ports=(ServicePort(99),))),
        Service(Meta(name="leaving", deletion_timestamp="now"), ServiceSpec("LoadBalancer", ports=ports)),
    ]
    found = openings_of(services, {"open": {"dns": {5353}}})
    assert found.unknown == ("open",)
    assert {str(each) for each in found.rules} == {
        *(
            f"ingress {family} {what} {anywhere}"
            for family, anywhere in (("IPv4", "0.0.0.0/0"), ("IPv6", "::/0"))
            for what in ("tcp ports 8080-8080", "udp ports 5353-5353", "tcp ports 443-443")
        ),
        "ingress IPv4 tcp ports 8080-8080 192.0.2.0/24",
    }


def test_a_group_lets_in_the_namespace_nodes_load_balancers_and_peers() -> None:
    opening = Rule(protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="0.0.0.0/0")
    desired = Desired("u", "shop", (POOL,), frozenset({opening}))
    rules = rules_of(desired, [SUBNET], setting(), "peers")
    assert rules == {
        Rule(remote_ip_prefix="10.30.1.0/24"),
        Rule(remote_ip_prefix="10.10.0.0/24"),
        Rule(remote_ip_prefix="172.30.0.0/16"),
        Rule(remote_address_group_id="peers"),
        opening,
    }
    both = [SUBNET, Subnet("s6", "n", "fd00:1::/64", 6)]
    assert rules_of(desired, both, setting(), "peers") == rules | {
        Rule(ethertype="IPv6", remote_ip_prefix="fd00:1::/64"),
        Rule(ethertype="IPv6", remote_address_group_id="peers"),
    }
    everybody = Desired("u", "default", (POOL,), everybody=True)
    assert rules_of(everybody, both, setting(), "peers") == {Rule(), Rule(ethertype="IPv6")}


def test_without_address_groups_peers_are_named_one_by_one() -> None:
    peers = peers_of([pod("w1", "10.20.0.5", "fd00::5"), pod("w1", "10.10.0.3", host=True)], [])
    assert peers == {"10.20.0.5/32", "fd00::5/128"}
    rules = rules_of(Desired("u", "shop", (POOL,), peers=peers), [SUBNET], setting(), None)
    assert Rule(remote_ip_prefix="10.20.0.5/32") in rules
    assert all(rule.ethertype == "IPv4" for rule in rules)


@pytest.mark.parametrize(
    ("annotation", "reason", "own"),
    [("own", "", True), ("own", "StaysOnSharedNetwork", False), ("shared", "StaysOnOwnNetwork", True)],
)
def test_nodes_believe_what_this_room_says_over_the_annotation(
    annotation: str, reason: str, own: bool
) -> None:
    conditions = (Condition("causeway.dev/Network", "False", reason),) if reason else ()
    asked = namespace(network=annotation)
    said = Namespace(asked.metadata, NamespaceStatus("Active", conditions))
    assert has_own_network(said, by_default=False) is own
