"""A platform with both kinds of nodes: pods of either reach each other, through real OVN."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.chassis import Place, Stage, says
from tests.integration.node.conftest import TRUNK, Node


def start_native(node: Node, stage: Stage) -> None:
    """Start the daemon of the lab's chassis, where others may listen: its figures are anywhere."""
    node.start(
        CAUSEWAY_TRUNK_INTERFACE="uplink",
        CAUSEWAY_SWITCH_SOCKET=str(stage.chassis.socket),
        CAUSEWAY_HEALTH_PORT="0",
    )


@pytest.fixture
def nodes(stage: Stage, tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    native = Node(Place(stage.chassis.namespace), tmp_path / "native")
    trunk = Node(Place(stage.trunk_node()), tmp_path / "trunk")
    assert TRUNK == "trunk0"
    try:
        start_native(native, stage)
        trunk.start()
        yield native, trunk
    finally:
        for node in (native, trunk):
            if node.process is not None and node.process.poll() is None:
                node.kill()


def give(node: Node, pod: str, vlan: int, port: Any) -> None:
    """Tell a node of a pod and of the port made for it."""
    node.pod(pod)
    address = port.fixed_ips[0]["ip_address"]
    node.ready(vlan, address, portID=port.id, macAddress=port.mac_address, podUID=f"uid-{pod}")


def test_pods_on_a_trunk_and_on_a_bridge_reach_each_other(stage: Stage, nodes: tuple[Node, Node]) -> None:
    native, trunk = nodes
    bound, subport = stage.pod(), stage.subport(7)
    sandbox = stage.sandbox()
    give(native, "one", 0, bound.port)
    give(trunk, "other", 7, subport)
    status, result = native.cni("ADD", pod="one", sandbox=bound.path)
    assert status == 0, result
    assert result["ips"][0]["address"] == f"{bound.address}/24"
    status, result = trunk.cni("ADD", pod="other", sandbox=sandbox)
    assert status == 0, result
    assert says(bound.path, sandbox, bound.address) == b"hello"
    assert says(sandbox, bound.path, subport.fixed_ips[0]["ip_address"]) == b"hello"

    native.kill()  # what is in kernel and switch goes on without the daemon
    assert says(bound.path, sandbox, bound.address) == b"hello"
    start_native(native, stage)
    assert native.cni("CHECK", pod="one", sandbox=bound.path, config={"prevResult": {"ips": []}})[0] == 0
    assert native.cni("DEL", pod="one", sandbox=bound.path) == (0, {})
    assert trunk.cni("DEL", pod="other", sandbox=sandbox) == (0, {})
    stage.until_status(bound, "DOWN")
    assert bound.port.id not in stage.chassis.do(stage.chassis.bridge.plugged)
