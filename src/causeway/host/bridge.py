"""The link of a pod on a node that is itself a part of the cloud's network: a port on its integration bridge.

A veth pair, its far end in the pod, its near end on the bridge with the name of the Neutron port in
``external_ids:iface-id``. That is all Open vSwitch's side has to know: the cloud's agent on the node
(ovn-controller, or Neutron's own) sees the name and installs the flows of the port, security groups included.
"""

import errno
import fcntl
import socket
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from causeway.host import links, netns
from causeway.host.netlink import Netlink
from causeway.host.ovsdb import Ovsdb, a_map, a_set, mapping, members
from causeway.host.vlan import LinkExists, NodeEnd

INTEGRATION = "br-int"
SOCKET = Path("/run/openvswitch/db.sock")
_NAME = "cwn"  # name of the near end: cwn and the beginning of the port's id
_NAME_LENGTH = 15
_OURS = "causeway-pod"  # the external id that marks ports of ours, its value whose it is
_SIOCETHTOOL, _STXCSUM = 0x8946, 0x17  # linux/sockios.h, linux/ethtool.h


@dataclass(frozen=True, slots=True)
class BridgeLink:
    """What a pod's link has to be; ``name`` is the one inside, ``alias`` shows on the node whose it is."""

    port_id: str
    name: str
    mac: str
    mtu: int
    alias: str


class Bridge:
    """The integration bridge of this node; its calls block for milliseconds."""

    def __init__(self, name: str = INTEGRATION, socket_path: Path = SOCKET) -> None:
        self.name = name
        self._socket = socket_path
        self._database = Ovsdb(socket_path)

    def is_here(self) -> bool:
        """Return whether this node has Open vSwitch at all."""
        return self._socket.exists()

    def attach(self, link: BridgeLink, namespace: BinaryIO) -> NodeEnd:
        """Make the link in the pod's network namespace, replacing what an earlier attempt left of it.

        It is made switched off and without addresses. Raises ``LinkExists`` when the pod has a link of that
        name, ``NetlinkError`` or ``OvsdbError`` when the kernel or the switch refuses.
        """
        with netns.inside(namespace, Netlink) as inside:
            if links.find(inside, link.name) is not None:
                raise LinkExists(link.name)
        name = end_name(link.port_id)
        self._unplug(name)
        with Netlink() as netlink:
            leftover = links.find(netlink, name)
            if leftover is not None:
                netlink.ask(links.delete(leftover.index))
            end = links.add_veth(
                netlink,
                name,
                mtu=link.mtu,
                peer=link.name,
                peer_mac=link.mac,
                peer_namespace=namespace.fileno(),
            )
            netlink.ask(links.describe(end.index, link.alias), links.switch_on(end.index))
        if self._in_user_space():
            netns.inside(namespace, lambda: _checksums_in_software(link.name))
        self._plug(name, link)
        return NodeEnd("ovs", link.mtu, end.name, end.index, end.mac)

    def detach(self, port_id: str) -> None:
        """Remove the link of a port; nothing there is fine."""
        name = end_name(port_id)
        self._unplug(name)
        with Netlink() as netlink:
            link = links.find(netlink, name)
            if link is not None:
                netlink.ask(links.delete(link.index))

    def missing(self, port_id: str, end: NodeEnd) -> list[str]:
        """Return what a link lacks on the node."""
        lacks = []
        with Netlink() as netlink:
            link = links.find(netlink, end.name)
            if link is None or link.index != end.index or not link.up:
                lacks.append(f"the link {end.name} on the node is missing or switched off")
        if self._on_bridge().get(end.name, ("", ""))[1] != port_id:
            lacks.append(f"the bridge {self.name} lost the port {end.name} of Neutron's port {port_id}")
        return lacks

    def plugged(self) -> set[str]:
        """Return the ids of Neutron's ports that have a link of ours on the bridge."""
        return {port_id for pod, port_id in self._on_bridge().values() if pod}

    def _in_user_space(self) -> bool:
        rows = self._database.select("Bridge", [["name", "==", self.name]], ["datapath_type"])
        return any(row["datapath_type"] == "netdev" for row in rows)

    def _plug(self, name: str, link: BridgeLink) -> None:
        ids = {
            "iface-id": link.port_id,
            "attached-mac": link.mac,
            "iface-status": "active",
            _OURS: link.alias,
        }
        *_, joined = self._database.transact(
            {
                "op": "insert",
                "table": "Interface",
                "uuid-name": "interface",
                "row": {"name": name, "external_ids": a_map(ids)},
            },
            {
                "op": "insert",
                "table": "Port",
                "uuid-name": "port",
                "row": {"name": name, "interfaces": ["named-uuid", "interface"]},
            },
            {
                "op": "mutate",
                "table": "Bridge",
                "where": [["name", "==", self.name]],
                "mutations": [["ports", "insert", a_set([["named-uuid", "port"]])]],
            },
        )
        if not joined["count"]:
            raise OSError(errno.ENODEV, f"the bridge {self.name} does not exist")

    def _unplug(self, name: str) -> None:
        """Take a port off the bridge, and wait until the switch has let go of its link.

        Letting go, it gives the link of that name back the flags it had at first. Were the link there anew by
        then, for the next pod with this port, it would be switched off and stay so.
        """
        for port in self._database.select("Port", [["name", "==", name]], ["_uuid"]):
            self._database.apply(
                {
                    "op": "mutate",
                    "table": "Bridge",
                    "where": [["name", "==", self.name]],
                    "mutations": [["ports", "delete", a_set([port["_uuid"]])]],
                }
            )

    def _on_bridge(self) -> dict[str, tuple[str, str]]:
        """Return of each port on the bridge the pod (empty when not ours) and the id of Neutron's port."""
        bridges = self._database.select("Bridge", [["name", "==", self.name]], ["ports"])
        here = {uuid for bridge in bridges for _, uuid in members(bridge["ports"])}
        names = {
            port["name"]
            for port in self._database.select("Port", [], ["_uuid", "name"])
            if port["_uuid"][1] in here
        }
        found = {}
        for row in self._database.select("Interface", [], ["name", "external_ids"]):
            ids = mapping(row["external_ids"])
            if row["name"] in names:
                found[row["name"]] = ids.get(_OURS, ""), ids.get("iface-id", "")
        return found


def end_name(port_id: str) -> str:
    """Return the name of a port's link on the node."""
    return (_NAME + port_id.replace("-", ""))[:_NAME_LENGTH]


def _checksums_in_software(name: str) -> None:
    """Have the kernel compute checksums before a frame leaves: a switch in user space does not."""
    value = array("B", struct.pack("=II", _STXCSUM, 0))
    request = struct.pack("16sP", name.encode(), value.buffer_info()[0]).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock.fileno(), _SIOCETHTOOL, request)
