"""Pods with several interfaces through the real shim, links and filters: all of them, or none."""

import json
import socket
from typing import Any

import pytest
from tests.integration.node.conftest import DEADLINE

from causeway.host import links
from causeway.host.links import default_routes
from causeway.host.netlink import Netlink

GATEWAY = "10.77.0.1"
VLAN, DATA = 101, 102


@pytest.fixture
def cloud(network: Any) -> dict[int, str]:
    """Put a gateway on the pods' VLAN, and a server on another one."""
    return {
        VLAN: network.host(VLAN, f"{GATEWAY}/24", "fa:16:3e:ff:00:01"),
        DATA: network.host(DATA, "10.88.0.1/24", "fa:16:3e:ff:00:02"),
    }


def ask(node: Any, networks: str) -> None:
    node.pod("web", annotations={"k8s.v1.cni.cncf.io/networks": networks})


def test_all_interfaces_come_with_one_add_and_go_with_one_del(
    network: Any, node: Any, cloud: dict[int, str]
) -> None:
    node.start()
    sandbox = network.namespace("pod")
    ask(node, "data@fast0")
    mac = node.ready(VLAN, "10.77.0.5", podUID="uid-web")
    fast = node.ready(DATA, "10.88.0.5", gateway="10.88.0.1", podUID="uid-web", interface="fast0")

    status, result = node.cni("ADD", sandbox=sandbox)
    assert status == 0, result
    assert [each["name"] for each in result["interfaces"] if "sandbox" in each] == ["eth0"]
    with_links = network.inside(sandbox, lambda: [(each.name, each.mac) for each in links.links(Netlink())])
    assert {("eth0", mac), ("fast0", fast)} <= set(with_links)
    routes = network.inside(sandbox, lambda: [each.gateway for each in default_routes(Netlink())])
    assert routes == [GATEWAY]  # by the first alone
    for address in ("10.77.0.5", "10.88.0.5"):
        assert ping(network, cloud[VLAN if address.startswith("10.77") else DATA], address)

    status, checked = node.cni("CHECK", sandbox=sandbox, config={"prevResult": result})
    assert status == 0, checked
    # The runtime knows the first alone, and that it is valid keeps the other.
    valid = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}
    assert node.cni("GC", config=valid)[0] == 0
    assert "fast0" in network.links(sandbox)

    assert node.cni("DEL", sandbox=sandbox)[0] == 0
    assert network.links(sandbox) == {"lo"}
    assert not network.filters()


def test_a_pod_without_one_of_its_ports_gets_none(network: Any, node: Any, cloud: dict[int, str]) -> None:
    node.start(port_deadline=2)
    sandbox = network.namespace("pod")
    ask(node, "data")
    node.ready(VLAN, "10.77.0.5", podUID="uid-web")
    node.ready(99, "10.77.0.99")  # which any pod may have: once it shows, all above is known
    node.wait_figure('causeway_node_pool_ports{state="free"}', 1)
    status, refused = node.cni("ADD", sandbox=sandbox)
    assert status == 1
    assert "no port for its interface net1" in refused["msg"]
    assert network.links(sandbox) == {"lo"}

    node.kill()
    node.start()  # with time enough for what is to succeed
    node.ready(DATA, "10.88.0.5", podUID="uid-web", interface="net1")
    status, result = node.cni("ADD", sandbox=sandbox)
    assert status == 0, result
    assert {"eth0", "net1"} <= network.links(sandbox)


def test_the_default_route_goes_where_the_pod_asks(network: Any, node: Any, cloud: dict[int, str]) -> None:
    node.start()
    sandbox = network.namespace("pod")
    ask(node, json.dumps([{"name": "data", "interface": "out0", "default-route": ["10.88.0.1"]}]))
    node.ready(VLAN, "10.77.0.5", podUID="uid-web")
    node.ready(DATA, "10.88.0.5", podUID="uid-web", interface="out0")
    status, result = node.cni("ADD", sandbox=sandbox)
    assert status == 0, result
    assert result["routes"] == []
    routes = network.inside(sandbox, lambda: [each.gateway for each in default_routes(Netlink())])
    assert routes == ["10.88.0.1"]


def test_what_is_wrong_with_the_annotation_is_said(network: Any, node: Any, cloud: dict[int, str]) -> None:
    node.start()
    ask(node, "data@eth0")
    node.ready(VLAN, "10.77.0.5", podUID="uid-web")
    status, refused = node.cni("ADD", sandbox=network.namespace("pod"))
    assert status == 1
    assert "eth0 is asked for twice" in refused["details"]


def test_a_new_daemon_knows_what_the_old_one_made(network: Any, node: Any, cloud: dict[int, str]) -> None:
    node.start()
    sandbox = network.namespace("pod")
    ask(node, "data")
    node.ready(VLAN, "10.77.0.5", podUID="uid-web")
    node.ready(DATA, "10.88.0.5", podUID="uid-web", interface="net1")
    assert node.cni("ADD", sandbox=sandbox)[0] == 0
    node.kill()
    node.start()
    assert node.cni("DEL", sandbox=sandbox)[0] == 0
    assert network.links(sandbox) == {"lo"}
    assert not network.filters()


def ping(network: Any, source: str, address: str) -> bool:
    """Say whether a connection to a closed port is refused: by the pod itself, so it was reached."""

    def call() -> bool:
        with socket.socket() as client:
            client.settimeout(DEADLINE)
            try:
                client.connect((address, 9))
            except ConnectionRefusedError:
                return True
            return False

    reached: bool = network.inside(source, call)
    return reached
