"""Network interfaces of servers: a veth pair, one end in the server, the other on br-int as its Neutron port.

OVN binds the port by ``iface-id``; whether it is an ordinary port or the parent of a trunk makes no
difference here. The server's network namespace has no name: it is held by the server's processes and goes
with them, and the pair goes with it. Only the bridge's record of the port stays, so plugging removes it
first: in a transaction of its own, because a bridge that sees a port go and come in one keeps the dead
device.
"""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from causeway.host.command import CommandFailed, run, succeeds
from causeway.lab.servers.record import Interface

BRIDGE = "br-int"
# Marks our ports on the bridge, so that those of servers that are gone can be told from everybody else's.
OWNER = "causeway-server"


def plug(root: Path, server_id: str, pid: int, interfaces: Sequence[Interface]) -> None:
    """Give the server whose first process is ``pid`` its interfaces, in place of any of the same ports."""
    if not interfaces:
        return
    unplug(root, interfaces)
    for interface in interfaces:
        for command in pair_commands(interface, pid):
            run(*command)
    run(*_vsctl(root), *bridge_arguments(server_id, interfaces))


def unplug(root: Path, interfaces: Sequence[Interface]) -> None:
    """Remove interfaces from bridge and server; quiet about what is not there."""
    if interfaces:
        run(*_vsctl(root), *removal_arguments([each.tap for each in interfaces]))
    for interface in interfaces:
        succeeds("ip", "link", "delete", interface.tap)


def sweep(root: Path, running: Iterable[str]) -> None:
    """Remove from the bridge the ports of servers that are not ``running``; quiet without a bridge."""
    kept = set(running)
    with contextlib.suppress(CommandFailed):
        listing = run(*_vsctl(root), *_FIND)
        stale = stale_taps(listing, kept)
        if stale:
            run(*_vsctl(root), *removal_arguments(stale))


_FIND = ("--bare", "--format=csv", "--columns=name,external_ids", "find", "Interface")


def stale_taps(listing: str, running: set[str]) -> list[str]:
    """Return the names in ovs-vsctl's ``listing`` that carry our mark for a server that is not running."""
    stale = []
    for line in listing.splitlines():
        name, _, ids = line.partition(",")
        owner = next(
            (word.partition("=")[2] for word in ids.strip('"').split() if word.startswith(OWNER)), ""
        )
        if owner and owner not in running:
            stale.append(name)
    return stale


def pair_commands(interface: Interface, pid: int) -> list[list[str]]:
    """Return the commands that make the pair and move its end into the network namespace of ``pid``.

    Checksums are computed in the server: the bridge works in user space and drops what leaves that to a
    network card. The outer end must not join packets either, they would exceed the bridge's MTU.
    """
    mtu = str(interface.mtu)
    inside = ["peer", "name", interface.name, "address", interface.mac, "mtu", mtu, "netns", str(pid)]
    return [
        ["ip", "link", "add", interface.tap, "mtu", mtu, "type", "veth", *inside],
        ["nsenter", f"--net=/proc/{pid}/ns/net", "ethtool", "-K", interface.name, "tx", "off"],
        ["ethtool", "-K", interface.tap, "tx", "off", "gro", "off"],
        ["ip", "link", "set", interface.tap, "up"],
    ]


def bridge_arguments(server_id: str, interfaces: Sequence[Interface]) -> list[str]:
    """Return ovs-vsctl's arguments that put the outer ends on the bridge, all in one transaction."""
    arguments: list[str] = []
    for each in interfaces:
        arguments += ["--", "add-port", BRIDGE, each.tap, "--", "set", "Interface", each.tap]
        arguments += [
            f"external_ids:iface-id={each.port}",
            f'external_ids:attached-mac="{each.mac}"',
            f"external_ids:vm-id={server_id}",
            f"external_ids:{OWNER}={server_id}",
            "external_ids:iface-status=active",
        ]
    return arguments[1:]


def removal_arguments(taps: Sequence[str]) -> list[str]:
    """Return ovs-vsctl's arguments that take the outer ends off the bridge, all in one transaction."""
    arguments: list[str] = []
    for tap in taps:
        arguments += ["--", "--if-exists", "del-port", BRIDGE, tap]
    return arguments[1:]


def _vsctl(root: Path) -> list[str]:
    """The lab's own Open vSwitch, with the tools of the lab's root file system: the machine needs none."""
    return ["chroot", str(root), "ovs-vsctl", "--db=unix:/run/openvswitch/db.sock", "--timeout=10"]
