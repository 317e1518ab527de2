import pytest
from tests.unit.rooms.nodes.examples import CLUSTER, REGION, WAITING, node, seen, server

from causeway.cloud.nova import Flavor
from causeway.kit.errors import Problem
from causeway.kube.objects import NodeAddress
from causeway.rooms.nodes.desired import addresses_of, foreign, identify, labels_of
from causeway.rooms.nodes.model import INSTANCE_TYPE, ZONE, Identity, identity_of
from causeway.rooms.nodes.model import REGION as REGION_LABEL


@pytest.mark.parametrize(
    ("provider_id", "expected"),
    [
        ("openstack:///6f3a", Identity("6f3a")),
        ("openstack://RegionTwo/6f3a", Identity("6f3a", "RegionTwo")),
        ("openstack:/6f3a", None),
        ("aws:///zone/i-1", None),
        ("", None),
    ],
)
def test_provider_ids_are_read_as_the_cloud_provider_writes_them(
    provider_id: str, expected: Identity | None
) -> None:
    assert identity_of(provider_id) == expected


@pytest.mark.parametrize(
    ("provider_id", "waits", "expected"),
    [
        ("openstack:///s1", False, False),
        ("openstack://RegionOne/s1", False, False),
        ("openstack://RegionTwo/s1", True, True),
        ("aws:///zone/i-1", True, True),
        ("", True, False),
        ("", False, True),
    ],
)
def test_a_node_of_another_cloud_or_region_is_none_of_ours(
    provider_id: str, waits: bool, expected: bool
) -> None:
    it = node(provider_id=provider_id, taints=(WAITING,) if waits else ())
    assert foreign(it, REGION) is expected


def test_a_node_without_a_provider_id_is_the_server_of_its_name() -> None:
    assert identify(node(provider_id=""), seen(server(), server("s2", name="w2"))) == Identity("s1")
    assert identify(node(provider_id=""), seen(server("s2", name="w2"))) is None


def test_of_several_servers_of_a_name_the_one_of_the_platform_is_meant() -> None:
    servers = server("s1"), server("s2", cluster=CLUSTER)
    assert identify(node(provider_id=""), seen(*servers)) == Identity("s2")


def test_two_servers_of_one_name_are_told_and_none_is_guessed() -> None:
    with pytest.raises(Problem, match="2 servers have this name"):
        identify(node(provider_id=""), seen(server("s1"), server("s2")))


def test_the_address_the_kubelet_uses_comes_first() -> None:
    it = server(fixed=("10.9.0.1", "10.10.0.5", "fd00::5"), floating=("172.24.4.9",))
    addresses = addresses_of(node(provided="10.10.0.5,fd00::5"), it)
    assert [(each.type, each.address) for each in addresses] == [
        ("InternalIP", "10.10.0.5"),
        ("InternalIP", "fd00::5"),
        ("InternalIP", "10.9.0.1"),
        ("ExternalIP", "172.24.4.9"),
        ("Hostname", "w1"),
    ]


def test_the_host_name_the_kubelet_told_stays() -> None:
    named = node(addresses=(NodeAddress("Hostname", "w1.example.org"),))
    assert addresses_of(named, server())[-1] == NodeAddress("Hostname", "w1.example.org")


def test_an_address_the_server_does_not_have_is_refused() -> None:
    with pytest.raises(Problem, match=r"uses 10\.0\.0\.1, but server s1 has 10\.10\.0\.5"):
        addresses_of(node(provided="10.0.0.1"), server())


def test_a_server_without_ports_yet_says_nothing() -> None:
    assert addresses_of(node(), server(fixed=())) == ()


def test_labels_hold_only_what_labels_can_hold() -> None:
    assert labels_of(server(), REGION) == {ZONE: "nova", REGION_LABEL: REGION, INSTANCE_TYPE: "m1.large"}
    odd = server()
    odd = type(odd)(odd.id, odd.name, odd.status, flavor=Flavor("8 vCPU / 16 GiB"), zone="")
    assert labels_of(odd, "") == {INSTANCE_TYPE: "8-vCPU---16-GiB"}
