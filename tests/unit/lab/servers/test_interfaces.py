from causeway.lab.servers import interfaces
from causeway.lab.servers.record import Interface

FIRST = Interface("0f21b7a2-9c6e-4a51-8d7e-3c2f1c0b9a00", "fa:16:3e:00:00:01", 1442, "eth0")
SECOND = Interface("1f21b7a2-9c6e-4a51-8d7e-3c2f1c0b9a00", "fa:16:3e:00:00:02", 1442, "eth1")


def test_the_inner_end_has_the_ports_address_and_mtu() -> None:
    made = " ".join(interfaces.pair_commands(FIRST, 4711)[0])
    assert made == (
        "ip link add tap0f21b7a2-9c mtu 1442 type veth"
        " peer name eth0 address fa:16:3e:00:00:01 mtu 1442 netns 4711"
    )


def test_the_server_computes_its_checksums_itself() -> None:
    commands = [" ".join(command) for command in interfaces.pair_commands(FIRST, 4711)]
    assert "nsenter --net=/proc/4711/ns/net ethtool -K eth0 tx off" in commands


def test_all_interfaces_join_the_bridge_in_one_transaction() -> None:
    arguments = interfaces.bridge_arguments("s1", [FIRST, SECOND])
    assert arguments[:3] == ["add-port", "br-int", "tap0f21b7a2-9c"]
    assert arguments.count("add-port") == 2
    assert f"external_ids:iface-id={SECOND.port}" in arguments
    assert "external_ids:causeway-server=s1" in arguments


def test_removing_what_is_not_there_is_no_error() -> None:
    assert interfaces.removal_arguments(["tap1", "tap2"]) == [
        *("--if-exists", "del-port", "br-int", "tap1"),
        *("--", "--if-exists", "del-port", "br-int", "tap2"),
    ]


def test_only_our_ports_of_servers_that_do_not_run_are_stale() -> None:
    listing = (
        'tap1,"attached-mac=fa:16:3e:00:00:01 causeway-server=s1 iface-id=p1"\n'
        "tap2,causeway-server=s2\n"
        'br-int,""\n'
        "patch-provnet,\n"
        'foreign,"iface-id=p3 vm-id=s9"\n'
    )
    assert interfaces.stale_taps(listing, {"s1"}) == ["tap2"]
    assert interfaces.stale_taps("", {"s1"}) == []
