"""The node daemon through its installed shim, on real namespaces, links and filters."""

import hashlib
import json
import os
import socket
import stat
import sys
import threading
import time
from typing import Any

import pytest
from tests.figures import figure
from tests.integration.node.conftest import DEADLINE

from causeway.host import links, netns
from causeway.host.links import addresses, default_routes, find
from causeway.host.netlink import Netlink

GATEWAY = "10.77.0.1"
GATEWAY_MAC = "fa:16:3e:ff:00:01"
VLAN = 101


@pytest.fixture
def gateway(network: Any) -> str:
    """Put a gateway on VLAN 101."""
    name: str = network.host(VLAN, f"{GATEWAY}/24", GATEWAY_MAC)
    return name


def transfer(network: Any, source: str, target: str, address: str, size: int) -> float:
    """Send ``size`` bytes by TCP between namespaces, compare their digest; return bytes a second."""
    content = os.urandom(1 << 20) * (size >> 20)
    server = network.inside(target, lambda: socket.create_server((address, 0)))
    port = server.getsockname()[1]
    digest = hashlib.sha256()

    def receive() -> None:
        connection, _ = server.accept()
        with connection:
            while part := connection.recv(1 << 18):
                digest.update(part)
            connection.sendall(b"done")

    receiver = threading.Thread(target=receive, daemon=True)  # nobody may ever call
    receiver.start()
    client = network.inside(source, socket.socket)
    client.settimeout(DEADLINE)
    with client, server:
        started = time.perf_counter()
        client.connect((address, port))
        client.sendall(content)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(4) == b"done"
        took = time.perf_counter() - started
        receiver.join()
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()
    return size / took


def test_add_gives_the_pod_its_port(network: Any, node: Any, gateway: str) -> None:
    node.start()
    sandbox = network.namespace("pod")
    mac = node.port("web", VLAN, "10.77.0.5")

    status, result = node.cni("ADD", sandbox=sandbox)

    assert status == 0, result
    assert result["interfaces"][-1] == {
        "name": "eth0",
        "mac": mac,
        "mtu": 1442,
        "sandbox": network.path(sandbox),
    }
    assert result["ips"] == [{"address": "10.77.0.5/24", "gateway": GATEWAY, "interface": 1}]
    assert result["routes"] == [{"dst": "0.0.0.0/0", "gw": GATEWAY}]
    with network.inside(sandbox, Netlink) as inside:
        link = find(inside, "eth0")
        loopback = find(inside, "lo")
        assert link is not None
        assert (link.mac, link.mtu, link.up) == (mac, 1442, True)
        assert loopback is not None
        assert loopback.up
        assert "10.77.0.5/24" in {str(address) for address in addresses(inside, link.index)}
        assert [route.gateway for route in default_routes(inside)] == [GATEWAY]
    transfer(network, sandbox, gateway, GATEWAY, 32 << 20)
    transfer(network, gateway, sandbox, "10.77.0.5", 32 << 20)
    check = {"prevResult": result}
    assert node.cni("CHECK", sandbox=sandbox, config=check) == (0, {})
    assert figure("causeway_attachments", node.figures()) == 1
    assert figure('causeway_node_pool_ports{state="claimed"}', node.figures()) == 1

    assert node.cni("DEL", sandbox=sandbox) == (0, {})

    assert network.links(sandbox) == {"lo"}
    assert network.links(network.node) == {"lo", "trunk0"}
    assert network.filters() == set()
    assert node.cni("DEL", sandbox=sandbox) == (0, {})
    assert node.cni("CHECK", sandbox=sandbox, config=check)[1]["code"] == 3
    shown = node.figures()
    calls = {
        (command, code): figure(f'causeway_cni_calls_total{{code="{code}",command="{command}"}}', shown)
        for command, code in (("ADD", 0), ("CHECK", 0), ("CHECK", 3), ("DEL", 0))
    }
    assert calls == {("ADD", 0): 1, ("CHECK", 0): 1, ("CHECK", 3): 1, ("DEL", 0): 2}
    assert figure('causeway_cni_seconds_count{command="ADD"}', shown) == 1
    assert figure("causeway_attachments", shown) == 0


def test_frames_on_the_trunk_carry_the_vlan(network: Any, node: Any, gateway: str) -> None:
    node.start()
    node.port("web", VLAN, "10.77.0.5")
    tap = network.inside(network.cloud, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with tap:
        sol_packet, packet_auxdata, every_protocol = 263, 8, 3
        tap.setsockopt(sol_packet, packet_auxdata, 1)
        tap.bind(("trunk0", every_protocol))
        tap.settimeout(DEADLINE)
        assert node.cni("ADD", sandbox=network.namespace("pod"))[0] == 0
        arp = b"\x08\x06"
        while True:
            frame, auxiliary, _, _ = tap.recvmsg(2048, socket.CMSG_SPACE(20))
            if frame[12:14] == arp:
                break
        tci = int.from_bytes(auxiliary[0][2][16:18], sys.byteorder)
    assert tci & 0xFFF == VLAN


def test_add_waits_for_the_port_of_this_very_pod(network: Any, node: Any, gateway: str) -> None:
    node.start()
    sandbox = network.namespace("pod")
    node.port("web", 300, "10.77.0.99", uid="of-an-earlier-pod")
    call = node.begin("ADD", sandbox=sandbox, uid="of-this-pod")
    assert network.filters() == set()
    node.port("web", VLAN, "10.77.0.5", uid="of-this-pod")
    output, _ = call.communicate(timeout=DEADLINE)
    assert call.returncode == 0, output
    assert json.loads(output)["ips"][0]["address"] == "10.77.0.5/24"
    assert node.wait_log("pod attached")["vlan"] == VLAN


def test_a_ready_port_is_handed_out_at_once_and_told_afterwards(
    network: Any, node: Any, gateway: str
) -> None:
    node.start()
    node.ready(VLAN, "10.77.0.5")
    node.pod("web")
    status, result = node.cni("ADD", sandbox=network.namespace("pod"))
    assert status == 0, result
    assert result["ips"][0]["address"] == "10.77.0.5/24"
    assert node.wait_status(["uid-web"])
    assert node.cni("DEL") == (0, {})
    assert node.wait_status([])


def test_a_pod_of_a_policy_waits_for_a_port_of_its_own(network: Any, node: Any, gateway: str) -> None:
    node.start()
    network.host(301, f"{GATEWAY}/24", GATEWAY_MAC)
    meta = {"name": "deny", "namespace": "default", "uid": "policy", "resourceVersion": "1"}
    spec = {"podSelector": {"matchLabels": {"app": "web"}}}
    node.tell({"policy": {"metadata": meta, "spec": spec}})
    node.ready(301, "10.77.0.6")
    node.pod("db", labels={"app": "db"})
    node.pod("web", labels={"app": "web"})
    waiting = node.begin("ADD", "c-web", "web", sandbox=network.namespace("web"))
    assert node.cni("ADD", "c-db", pod="db", sandbox=network.namespace("db"))[0] == 0
    node.ready(VLAN, "10.77.0.5", podUID="uid-web")
    output, _ = waiting.communicate(timeout=DEADLINE)
    assert waiting.returncode == 0, output
    assert json.loads(output)["ips"][0]["address"] == "10.77.0.5/24"


def test_a_killed_daemon_neither_loses_nor_doubles_a_port(network: Any, node: Any) -> None:
    """Kill it while pods come, again and again: every pod ends with a port, none with another's."""
    node.start()
    for number in range(8):
        network.host(400 + number, f"{GATEWAY}/24", GATEWAY_MAC)
        node.ready(400 + number, f"10.77.0.{20 + number}")
        node.pod(f"w{number}")
    sandboxes = [network.namespace(f"w{number}") for number in range(8)]
    addresses: dict[int, str] = {}
    for attempt in range(6):
        left = [number for number in range(8) if number not in addresses]
        calls = {
            number: node.begin("ADD", f"c{number}", f"w{number}", sandbox=sandboxes[number])
            for number in left
        }
        if attempt < 4:
            node.wait_log("pod attached" if left else "ready")
            node.kill()
        for number, call in calls.items():
            output, _ = call.communicate(timeout=DEADLINE)
            if call.returncode == 0:
                addresses[number] = json.loads(output)["ips"][0]["address"]
        if attempt < 4:
            node.start()
        if len(addresses) == 8:
            break
    assert len(addresses) == len(set(addresses.values())) == 8
    assert network.filters() == set(range(400, 408))
    assert node.wait_status([f"uid-w{number}" for number in range(8)])


def test_add_without_a_port_asks_to_try_again(network: Any, node: Any) -> None:
    node.start(port_deadline=0.3)
    status, error = node.cni("ADD", sandbox=network.namespace("pod"))
    assert (status, error["code"], error["cniVersion"]) == (1, 11, "1.1.0")
    assert "default/web" in error["msg"]


def test_a_silent_gateway_leaves_nothing_behind(network: Any, node: Any) -> None:
    node.start(gateway_deadline=0.3)
    sandbox = network.namespace("pod")
    node.port("web", VLAN, "10.77.0.5")
    status, error = node.cni("ADD", sandbox=sandbox)
    assert (status, error["code"]) == (1, 11)
    assert "subport" in error["details"]
    assert node.cni("DEL", sandbox=sandbox) == (0, {})
    assert network.links(network.node) == {"lo", "trunk0"}
    assert network.filters() == set()
    assert list((node.directory / "run" / "attachments").iterdir()) == []


def test_a_killed_daemon_disturbs_no_pod_and_its_successor_knows_all(
    network: Any, node: Any, gateway: str
) -> None:
    node.start()
    sandbox = network.namespace("pod")
    node.port("web", VLAN, "10.77.0.5")
    status, result = node.cni("ADD", sandbox=sandbox)
    assert status == 0
    node.kill()

    transfer(network, sandbox, gateway, GATEWAY, 8 << 20)
    assert node.cni("ADD", "c2", pod="other", sandbox=sandbox)[1]["code"] == 11
    assert node.cni("STATUS")[1]["code"] == 50
    assert node.cni("DEL", "never-seen") == (0, {})
    assert node.cni("DEL", sandbox=sandbox)[1]["code"] == 11
    assert node.cni("VERSION")[1]["supportedVersions"] == ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]

    node.start()
    assert node.cni("CHECK", sandbox=sandbox, config={"prevResult": result}) == (0, {})
    assert node.cni("DEL", sandbox=sandbox) == (0, {})
    assert network.filters() == set()


def test_add_again_makes_the_same_link(network: Any, node: Any, gateway: str) -> None:
    node.start()
    sandbox = network.namespace("pod")
    node.port("web", VLAN, "10.77.0.5")
    first = node.cni("ADD", sandbox=sandbox)
    node.kill()
    node.start()
    again = node.cni("ADD", sandbox=sandbox)
    assert again[0] == 0
    assert again[1]["ips"] == first[1]["ips"]
    assert again[1]["interfaces"][-1] == first[1]["interfaces"][-1]
    transfer(network, sandbox, gateway, GATEWAY, 1 << 20)


def test_a_new_sandbox_takes_the_vlan_from_the_old_one(network: Any, node: Any, gateway: str) -> None:
    node.start()
    old, new = network.namespace("old"), network.namespace("new")
    node.port("web", VLAN, "10.77.0.5")
    assert node.cni("ADD", "old", sandbox=old)[0] == 0
    assert node.cni("ADD", "new", sandbox=new)[0] == 0
    assert node.cni("DEL", "old", sandbox=old) == (0, {})
    assert network.links(old) == {"lo"}
    transfer(network, new, gateway, GATEWAY, 1 << 20)


def test_the_leftover_of_a_crashed_add_is_replaced(network: Any, node: Any, gateway: str) -> None:
    """A link and a filter of this VLAN exist without any record."""
    node.start()
    lost = network.namespace("lost")
    with network.inside(network.node, Netlink) as outside, netns.open_namespace(network.path(lost)) as inside:
        links.add_veth(
            outside,
            f"cwp{VLAN}",
            mtu=1442,
            peer="eth0",
            peer_mac="fa:16:3e:00:00:99",
            peer_namespace=inside.fileno(),
        )
    sandbox = network.namespace("pod")
    node.port("web", VLAN, "10.77.0.5")
    assert node.cni("ADD", sandbox=sandbox)[0] == 0
    transfer(network, sandbox, gateway, GATEWAY, 1 << 20)


def test_an_interface_that_is_not_ours_is_left_alone(network: Any, node: Any, gateway: str) -> None:
    node.start()
    node.port("web", VLAN, "10.77.0.5")
    status, error = node.cni("ADD", sandbox=gateway)
    assert (status, error["code"]) == (1, 100)
    assert "eth0" in network.links(gateway)


def test_collecting_keeps_exactly_the_valid_attachments(network: Any, node: Any) -> None:
    node.start()
    sandboxes = {}
    for number, vlan in enumerate((201, 202, 203)):
        network.host(vlan, f"{GATEWAY}/24", GATEWAY_MAC)
        sandboxes[vlan] = network.namespace(f"p{vlan}")
        node.port(f"w{vlan}", vlan, f"10.77.0.{10 + number}")
        assert node.cni("ADD", f"c{vlan}", pod=f"w{vlan}", sandbox=sandboxes[vlan])[0] == 0
    # One vanished with its namespace, as after a node's crash.
    (node.directory / "run" / "attachments" / "c203@eth0.json").unlink()
    node.kill()
    node.start()
    valid = [{"containerID": "c201", "ifname": "eth0"}]

    assert node.cni("GC", config={"cni.dev/valid-attachments": valid}) == (0, {})

    assert network.filters() == {201}
    assert network.links(sandboxes[202]) == {"lo"}
    assert "eth0" in network.links(sandboxes[201])
    assert node.cni("GC", config={})[1]["code"] == 7


def test_check_names_what_is_missing(network: Any, node: Any, gateway: str) -> None:
    node.start()
    sandbox = network.namespace("pod")
    node.port("web", VLAN, "10.77.0.5")
    status, result = node.cni("ADD", sandbox=sandbox)
    assert status == 0
    with network.inside(sandbox, Netlink) as inside:
        eth0 = find(inside, "eth0")
        assert eth0 is not None
        inside.ask(links.delete(eth0.index))
    status, error = node.cni("CHECK", sandbox=sandbox, config={"prevResult": result})
    assert (status, error["code"]) == (1, 101)
    assert "eth0 is missing" in error["details"]
    assert f"cwp{VLAN}" in error["details"]


def test_ready_only_after_the_first_list_and_clean_at_the_end(network: Any, node: Any) -> None:
    node.start(synced=False)
    assert node.cni("STATUS")[1]["code"] == 50
    assert not node.conflist.exists()
    node.tell({"synced": True})
    node.wait_log("ready")
    assert node.cni("STATUS") == (0, {})
    assert json.loads(node.conflist.read_text())["plugins"] == [{"type": "causeway"}]
    assert stat.S_IMODE((node.directory / "run" / "cni.sock").stat().st_mode) == 0o600
    assert node.stop() == 0
    assert node.conflist.exists()
    assert node.shim.exists()


def test_a_caller_that_gives_up_is_no_longer_served(network: Any, node: Any, gateway: str) -> None:
    node.start()
    sandbox = network.namespace("pod")
    call = node.begin("ADD", sandbox=sandbox)
    call.kill()
    call.wait()
    node.port("web", VLAN, "10.77.0.5")
    assert node.cni("ADD", "c2", sandbox=sandbox)[0] == 0
    assert node.cni("DEL", "c1") == (0, {})
    assert network.filters() == {VLAN}


def test_the_daemon_stopped_in_the_middle_of_an_add_answers_try_again(network: Any, node: Any) -> None:
    node.start()
    call = node.begin("ADD", sandbox=network.namespace("pod"))
    node.wait_figure("causeway_pods_waiting", 1)
    assert node.stop() == 0
    output, _ = call.communicate(timeout=DEADLINE)
    assert call.returncode == 1
    assert json.loads(output)["code"] == 11
