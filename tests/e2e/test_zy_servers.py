"""Servers are deleted behind the platform's back: its nodes say so. Last but for destroy."""

from ipaddress import ip_address
from typing import Any

import pytest
from openstack.connection import Connection

from causeway.kit.progress import Progress
from demo.commands import Kubectl
from demo.waiting import until

SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"
UNINITIALISED = "node.cloudprovider.kubernetes.io/uninitialized"


def nodes(kubectl: Kubectl, labels: str = "") -> dict[str, Any]:
    return {each["metadata"]["name"]: each for each in kubectl.json("get", "nodes", "-l", labels)["items"]}


def server_of(cloud: Connection, node: str) -> str:
    return next(each.id for each in cloud.compute.servers() if each.name == node)


def taints(node: Any) -> set[str]:
    return {each["key"] for each in node["spec"].get("taints", [])}


@pytest.fixture(scope="module")
def victim(kubectl: Kubectl, url: str) -> str:
    """The last compute node; the guestbook is there so that the platform is used."""
    del url
    return max(nodes(kubectl, "causeway.dev/role=compute"))


def test_every_node_says_which_server_it_is_and_where(kubectl: Kubectl, cloud: Connection) -> None:
    def called_off() -> list[str]:
        return [each for each, node in nodes(kubectl).items() if taints(node) & {SHUTDOWN, UNINITIALISED}]

    with Progress().phase("nodes") as phase:  # a server was off a moment ago
        until(phase, "no node to be called off", lambda: not called_off(), seconds=300)
    found = nodes(kubectl)
    servers = {each.name: each for each in cloud.compute.servers()}
    assert set(found) == set(servers)
    for name, node in found.items():
        assert node["spec"]["providerID"] == f"openstack:///{servers[name].id}"
        labels = node["metadata"]["labels"]
        assert labels["topology.kubernetes.io/zone"] == servers[name].availability_zone
        assert labels["topology.kubernetes.io/region"] == "RegionOne"
        assert labels["node.kubernetes.io/instance-type"] == servers[name].flavor.name
        (ports,) = servers[name].addresses.values()
        inside = [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
        assert sorted(inside) == sorted(each["addr"] for each in ports)
        assert ip_address(inside[0]).version == 4  # the kubelet's; Nova names a port's addresses in any order


def test_the_node_of_a_deleted_server_goes(kubectl: Kubectl, cloud: Connection, victim: str) -> None:
    others = set(nodes(kubectl)) - {victim}
    with Progress().phase("deleted server") as phase:
        cloud.compute.delete_server(server_of(cloud, victim))
        until(phase, "the node to go", lambda: set(nodes(kubectl)) == others, seconds=300)
