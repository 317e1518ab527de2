"""Servers of the lab, made and changed through Nova, Neutron and Cinder as any user does it."""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.exceptions import NotFoundException
from tests.integration.lab import small_image
from tests.pace import pauses

from causeway.lab.leftovers import CGROUPS
from causeway.lab.settings import Settings
from causeway.lab.verify import connect

LIMIT = 240.0
PREFIX = f"servers-{uuid.uuid4().hex[:6]}"
CLI = (sys.executable, "-c", "from causeway.main import main; main()")
USER_DATA = "#cloud-config\nruncmd: [[sh, -c, 'echo from-user-data > /root/proof']]\n"


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition; return what it returned."""
    deadline, pause = time.monotonic() + LIMIT, pauses()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(next(pause))
    return found


def inside(server: Any, *command: str, stdin: str | None = None) -> str:
    """Return what a command prints inside a server."""
    done = subprocess.run(
        [*CLI, "lab", "exec", server.id, *command], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.strip()


def is_up(server: Any) -> bool:
    """Return whether the server's systemd has finished starting and nothing of it failed."""
    done = subprocess.run(
        [*CLI, "lab", "exec", server.id, "systemctl", "is-system-running"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() != "degraded", inside(server, "systemctl", "--failed")
    return done.stdout.strip() == "running"


def is_online(server: Any) -> bool:
    """Return whether the server has its address, which may come after its systemd is up."""
    (link,) = json.loads(inside(server, "ip", "-json", "address", "show", "eth0"))
    return any(each["family"] == "inet" for each in link["addr_info"])


def greets(address: str) -> bool:
    """Return whether an SSH server answers at the address."""
    with contextlib.suppress(OSError), socket.create_connection((address, 22), timeout=2) as connection:
        return connection.recv(4) == b"SSH-"
    return False


class Cloud:
    """What the tests share: a network with a way out, an image, and servers on ports."""

    def __init__(self, lab: Settings) -> None:
        self.lab = lab
        self.api = connect(lab, "lab")
        self.admin = connect(lab, "lab-admin")
        self.flavor = self.api.compute.find_flavor("m1.small")
        self.undo = contextlib.ExitStack()

    def network(self, name: str, cidr: str, router: Any) -> tuple[Any, Any]:
        neutron = self.api.network
        network = neutron.create_network(name=f"{PREFIX}-{name}")
        self.undo.callback(neutron.delete_network, network)
        subnet = neutron.create_subnet(
            network_id=network.id, ip_version=4, cidr=cidr, dns_nameservers=["192.0.2.53"]
        )
        neutron.add_interface_to_router(router, subnet_id=subnet.id)
        self.undo.callback(neutron.remove_interface_from_router, router, subnet_id=subnet.id)
        return network, subnet

    def port(self, network: Any, group: Any) -> Any:
        port = self.api.network.create_port(name=PREFIX, network_id=network.id, security_group_ids=[group.id])
        self.undo.callback(self.api.network.delete_port, port)
        return port

    def boot(self, name: str, image: Any, port: Any) -> Any:
        server = self.api.compute.create_server(
            name=f"{PREFIX}-{name}",
            image_id=image.id,
            flavor_id=self.flavor.id,
            networks=[{"port": port.id}],
            user_data=base64.b64encode(USER_DATA.encode()).decode(),
        )
        self.undo.callback(self.delete, server)
        return self.settled(server, "ACTIVE")

    def settled(self, server: Any, status: str) -> Any:
        """Wait until the server has the status and nothing more is going to happen to it."""

        def found() -> Any:
            now = self.api.compute.get_server(server.id)
            assert now.status == status or now.status != "ERROR", now.fault
            return now if now.status == status and now.task_state is None else None

        return until(found, f"{server.name} to be {status}")

    def delete(self, server: Any) -> None:
        self.api.compute.delete_server(server, ignore_missing=True)
        until(lambda: self.api.compute.find_server(server.id) is None, f"{server.name} to be gone")

    def volume(self, size: int) -> Any:
        volume = self.api.block_storage.create_volume(name=PREFIX, size=size)
        self.undo.callback(self.api.block_storage.delete_volume, volume)
        return self.volume_is(volume, "available")

    def volume_is(self, volume: Any, status: str) -> Any:
        def found() -> Any:
            now = self.api.block_storage.get_volume(volume.id)
            assert "error" not in now.status
            return now if now.status == status else None

        return until(found, f"the volume to be {status}")


@pytest.fixture(scope="module")
def cloud(lab: Settings) -> Iterator[Cloud]:
    cloud = Cloud(lab)
    with cloud.undo:
        yield cloud


@pytest.fixture(scope="module")
def image(cloud: Cloud) -> Any:
    path = small_image.build(cloud.lab.cache, cloud.lab.logs / "small-image.log")
    image = cloud.api.image.create_image(
        PREFIX, filename=str(path), disk_format="raw", container_format="bare", validate_checksum=False
    )
    cloud.undo.callback(cloud.api.image.delete_image, image)
    return image


@pytest.fixture(scope="module")
def router(cloud: Cloud) -> Any:
    external = cloud.api.network.find_network("ext")
    router = cloud.api.network.create_router(name=PREFIX, external_gateway_info={"network_id": external.id})
    cloud.undo.callback(cloud.api.network.delete_router, router)
    return router


@pytest.fixture(scope="module")
def group(cloud: Cloud) -> Any:
    group = cloud.api.network.create_security_group(name=PREFIX)
    cloud.undo.callback(cloud.api.network.delete_security_group, group)
    cloud.api.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ethertype="IPv4"
    )
    return group


@pytest.fixture(scope="module")
def network(cloud: Cloud, router: Any) -> Any:
    return cloud.network("nodes", "10.77.1.0/24", router)[0]


@pytest.fixture(scope="module")
def server(cloud: Cloud, image: Any, network: Any, group: Any) -> Any:
    server = cloud.boot("one", image, cloud.port(network, group))
    until(lambda: is_up(server), "systemd to be up")
    until(lambda: is_online(server), "its network to be up")
    return server


@pytest.fixture(scope="module")
def address(cloud: Cloud, server: Any) -> str:
    """A floating IP of the server."""
    port = next(cloud.api.network.ports(device_id=server.id))
    external = cloud.api.network.find_network("ext")
    floating = cloud.api.network.create_ip(floating_network_id=external.id, port_id=port.id)
    cloud.undo.callback(cloud.api.network.delete_ip, floating)
    return str(floating.floating_ip_address)


def init_of(server: Any) -> str:
    """Return what tells one life of a server from the next: when its first process began."""
    return inside(server, "sh", "-c", "cut -d' ' -f22 /proc/1/stat")


def test_a_server_is_what_was_ordered(cloud: Cloud, server: Any, network: Any) -> None:
    assert inside(server, "hostname") == f"{PREFIX}-one"
    assert inside(server, "cat", "/etc/resolv.conf") == "nameserver 192.0.2.53"
    assert f"MemTotal:{cloud.flavor.ram * 1024:>15} kB" in inside(server, "cat", "/proc/meminfo")
    port = next(cloud.api.network.ports(device_id=server.id))
    link = json.loads(inside(server, "ip", "-json", "address", "show", "eth0"))[0]
    assert link["address"] == port.mac_address
    assert link["mtu"] == cloud.api.network.get_network(network.id).mtu
    addresses = [each["local"] for each in link["addr_info"] if each["family"] == "inet"]
    assert addresses == [port.fixed_ips[0]["ip_address"]]
    until(lambda: cloud.api.network.get_port(port.id).status == "ACTIVE", "the port to be active")


def test_user_data_runs_once(server: Any) -> None:
    until(lambda: "from-user-data" in inside(server, "sh", "-c", "cat /root/proof || true"), "user data")


def test_the_console_is_plain_text(cloud: Cloud, server: Any) -> None:
    def shown() -> str:
        return str(cloud.api.compute.get_server_console_output(server)["output"])

    until(lambda: "Multi-User System" in shown(), "what it says on its way up")
    assert shown().isascii()


def test_it_is_reached_by_a_floating_ip(address: str) -> None:
    until(lambda: greets(address), "SSH to answer")


def test_the_machines_kernel_settings_are_out_of_its_reach(server: Any) -> None:
    setting = Path("/proc/sys/vm/overcommit_memory")
    before = setting.read_text()
    inside(server, "sh", "-c", "echo 2 > /proc/sys/vm/overcommit_memory")
    assert setting.read_text() == before


def test_memory_beyond_the_flavor_is_refused(cloud: Cloud, server: Any) -> None:
    eat = f"x = bytearray({cloud.flavor.ram + 256} << 20); print(len(x))"
    done = subprocess.run(
        [
            *CLI,
            "lab",
            "exec",
            server.id,
            "systemd-run",
            "--quiet",
            "--wait",
            "--collect",
            "python3",
            "-c",
            eat,
        ],
        check=False,
    )
    assert done.returncode != 0
    assert inside(server, "hostname") == f"{PREFIX}-one"


def test_it_stops_and_starts(cloud: Cloud, server: Any, address: str) -> None:
    inside(server, "sh", "-c", "echo kept > /root/kept")
    cloud.api.compute.stop_server(server)
    cloud.settled(server, "SHUTOFF")
    assert not greets(address)
    console = cloud.api.compute.get_server_console_output
    until(lambda: "Powering off" in console(server)["output"], "its last words")
    cloud.api.compute.start_server(server)
    cloud.settled(server, "ACTIVE")
    until(lambda: greets(address), "SSH to answer again")
    assert inside(server, "cat", "/root/kept") == "kept"


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_it_reboots(cloud: Cloud, server: Any, address: str, kind: str) -> None:
    before = init_of(server)
    cloud.api.compute.reboot_server(server, kind)
    until(
        lambda: cloud.api.compute.get_server(server.id).status == "REBOOT" or is_other(server, before), kind
    )
    cloud.settled(server, "ACTIVE")
    until(lambda: is_in_another_life(server, before), "another life")
    until(lambda: is_up(server), "systemd to be up again")
    until(lambda: greets(address), "SSH to answer again")


def is_other(server: Any, before: str) -> bool:
    """Return whether it is not the same as before: down, or in another life."""
    try:
        return init_of(server) != before
    except AssertionError:
        return True


def is_in_another_life(server: Any, before: str) -> bool:
    with contextlib.suppress(AssertionError):  # it is between two
        return init_of(server) != before
    return False


def test_a_server_that_powers_itself_off_is_shown_as_off(cloud: Cloud, server: Any) -> None:
    subprocess.run([*CLI, "lab", "exec", server.id, "systemctl", "poweroff"], check=False)
    cloud.settled(server, "SHUTOFF")
    cloud.api.compute.start_server(server)
    cloud.settled(server, "ACTIVE")
    until(lambda: is_up(server), "systemd to be up again")


def test_a_volumes_bytes_survive_reboot_growth_and_copy(cloud: Cloud, server: Any) -> None:
    api = cloud.api
    volume = cloud.volume(1)
    api.compute.create_volume_attachment(server, volume_id=volume.id)
    cloud.volume_is(volume, "in-use")
    disk = f"/dev/disk/by-id/virtio-{volume.id[:20]}"
    inside(server, "sh", "-ec", f"mkfs.ext4 -q {disk}; mount {disk} /mnt; echo bytes > /mnt/f; umount /mnt")
    before = init_of(server)
    cloud.api.compute.reboot_server(server, "HARD")
    until(lambda: is_in_another_life(server, before), "the reboot")
    cloud.settled(server, "ACTIVE")
    until(lambda: is_up(server), "systemd to be up again")
    assert inside(server, "sh", "-ec", f"mount {disk} /mnt; cat /mnt/f; umount /mnt") == "bytes"

    api.block_storage.default_microversion = "3.42"
    api.block_storage.extend_volume(volume, 2)
    until(lambda: inside(server, "blockdev", "--getsize64", disk) == str(2 << 30), "the volume to grow")
    cloud.volume_is(volume, "in-use")

    snapshot = api.block_storage.create_snapshot(volume_id=volume.id, is_forced=True)
    cloud.undo.callback(
        until, lambda: api.block_storage.find_snapshot(snapshot.id) is None, "the snapshot to go"
    )
    cloud.undo.callback(api.block_storage.delete_snapshot, snapshot)
    api.block_storage.wait_for_status(snapshot, "available", interval=0.3, wait=LIMIT)
    api.compute.delete_volume_attachment(server, volume.id)
    cloud.volume_is(volume, "available")
    assert inside(server, "ls", "/dev/disk/by-id") == ""

    copy = api.block_storage.create_volume(name=PREFIX, size=3, snapshot_id=snapshot.id)
    cloud.undo.callback(api.block_storage.delete_volume, copy)
    cloud.volume_is(copy, "available")
    api.compute.create_volume_attachment(server, volume_id=copy.id)
    cloud.volume_is(copy, "in-use")
    disk = f"/dev/disk/by-id/virtio-{copy.id[:20]}"
    assert inside(server, "sh", "-ec", f"mount {disk} /mnt; cat /mnt/f; umount /mnt") == "bytes"
    assert inside(server, "blockdev", "--getsize64", disk) == str(3 << 30)
    api.compute.delete_volume_attachment(server, copy.id)
    cloud.volume_is(copy, "available")


def test_interfaces_come_and_go_while_it_runs(cloud: Cloud, server: Any, network: Any, group: Any) -> None:
    port = cloud.port(network, group)
    cloud.api.compute.create_server_interface(server, port_id=port.id)
    link = json.loads(inside(server, "ip", "-json", "link", "show", "eth1"))[0]
    assert link["address"] == port.mac_address
    cloud.api.compute.delete_server_interface(port.id, server)
    until(lambda: inside(server, "ls", "/sys/class/net").split() == ["eth0", "lo"], "the interface to go")


def test_a_subport_of_a_trunk_is_reached_by_its_vlan(
    cloud: Cloud, image: Any, router: Any, network: Any, group: Any
) -> None:
    neutron = cloud.api.network
    pods, subnet = cloud.network("pods", "10.77.2.0/24", router)
    parent, child = cloud.port(network, group), cloud.port(pods, group)
    trunk = neutron.create_trunk(name=PREFIX, port_id=parent.id)
    cloud.undo.callback(neutron.delete_trunk, trunk)
    node = cloud.boot("node", image, parent)
    until(lambda: is_up(node), "systemd to be up")
    until(lambda: is_online(node), "its network to be up")
    neutron.add_trunk_subports(
        trunk, [{"port_id": child.id, "segmentation_type": "vlan", "segmentation_id": 101}]
    )
    program = Path(__file__).with_name("vlan_arp.py").read_text()
    own = child.fixed_ips[0]["ip_address"]
    inside(node, "python3", "-", "101", child.mac_address, own, subnet.gateway_ip, stdin=program)
    until(lambda: neutron.get_port(child.id).status == "ACTIVE", "the subport to be active")


def kill_service(lab: Settings, name: str) -> None:
    """Kill -9 a service of the lab and wait until its supervisor has it up again."""

    def unit() -> Any:
        return json.loads(lab.state_file.read_text())["units"][name]

    before = unit()["pid"]
    first = json.loads((lab.directory / "tree.json").read_text())["first"]
    subprocess.run(
        ["nsenter", "--target", str(first), "--pid", "--mount", "kill", f"-{signal.SIGKILL}", str(before)],
        check=True,
    )
    until(lambda: unit()["pid"] not in (None, before) and unit()["status"] == "ready", f"{name} to be back")


@pytest.mark.parametrize("name", ["servers", "nova-compute"])
def test_servers_outlive_their_agent_and_nova(cloud: Cloud, server: Any, name: str) -> None:
    before = init_of(server)
    kill_service(cloud.lab, name)
    assert init_of(server) == before
    until(lambda: all(each.state == "up" for each in cloud.admin.compute.services()), "Nova to be up")
    cloud.api.compute.reboot_server(server, "HARD")
    until(lambda: is_in_another_life(server, before), "the reboot")
    cloud.settled(server, "ACTIVE")
    until(lambda: is_up(server), "systemd to be up again")


def test_an_image_that_does_not_boot_is_the_servers_fault_message(
    cloud: Cloud, network: Any, group: Any
) -> None:
    image = cloud.api.image.create_image(
        f"{PREFIX}-bad",
        data=b"no archive",
        disk_format="raw",
        container_format="bare",
        validate_checksum=False,
    )
    cloud.undo.callback(cloud.api.image.delete_image, image)
    port = cloud.port(network, group)
    server = cloud.api.compute.create_server(
        name=f"{PREFIX}-bad", image_id=image.id, flavor_id=cloud.flavor.id, networks=[{"port": port.id}]
    )
    cloud.undo.callback(cloud.delete, server)
    failed = until(
        lambda: next((each for each in [cloud.api.compute.get_server(server.id)] if each.fault), None),
        "a fault",
    )
    assert failed.status == "ERROR"
    assert "it is no tar archive" in failed.fault["message"]


def test_a_deleted_server_leaves_nothing(cloud: Cloud, image: Any, network: Any, group: Any) -> None:
    volume = cloud.volume(1)
    port = cloud.port(network, group)
    server = cloud.boot("short", image, port)
    cloud.api.compute.create_volume_attachment(server, volume_id=volume.id)
    cloud.volume_is(volume, "in-use")
    directory = cloud.lab.servers / server.id
    assert directory.is_dir()
    cloud.delete(server)
    cloud.volume_is(volume, "available")
    assert not directory.exists()
    groups = [root / cloud.lab.cgroup / server.id for root in (CGROUPS, *CGROUPS.glob("*/"))]
    assert not [each for each in groups if each.exists()]

    def files_of_loops() -> str:
        argv = ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    # The kernel takes a loop device apart when the last mount namespace that has it is gone.
    until(lambda: volume.id not in files_of_loops(), "the volume's loop device to go")
    first = json.loads((cloud.lab.directory / "tree.json").read_text())["first"]
    inner = ["nsenter", "--target", str(first), "--mount", "--net"]
    links = subprocess.run(
        [*inner, "ip", "-brief", "link"], capture_output=True, text=True, check=True
    ).stdout
    assert f"tap{port.id[:11]}" not in links
    with pytest.raises(NotFoundException):
        cloud.api.compute.get_server(server.id)
    assert os.path.lexists(cloud.lab.servers)
