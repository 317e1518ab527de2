"""The VLAN link of a pod: its end of one VLAN of the node's trunk.

Two ways, chosen by what the kernel can do: a kernel VLAN link (8021q) that is put into the pod's namespace,
or, on a kernel without that, a veth pair with a program at either crossing (see ``bpf``). Either way all of
it lives in the kernel. See docs/adr/0006-vlan-without-a-module.md.
"""

import errno
from dataclasses import dataclass
from typing import BinaryIO, Literal

from causeway.host import bpf, filters, links, netns
from causeway.host.netlink import Netlink, NetlinkError, Request

Way = Literal["vlan", "bpf", "ovs"]
_NAME = "cwp"  # name of the node's end of a veth pair: cwp<vlan>
_FILTER = "causeway"  # name of our filters on the trunk: causeway-<vlan>


@dataclass(frozen=True, slots=True)
class PodLink:
    """What a pod's link has to be; ``name`` is the one inside, ``alias`` shows on the node whose it is."""

    vlan: int
    name: str
    mac: str
    mtu: int
    alias: str


@dataclass(frozen=True, slots=True)
class NodeEnd:
    """How a link was made (``mtu`` as it came out), and its end on the node: none for a kernel VLAN link."""

    way: Way
    mtu: int = 0
    name: str = ""
    index: int = 0
    mac: str = ""


class LinkExists(Exception):
    """The pod has a link of that name already."""


def trunk_of_default_route(netlink: Netlink) -> str:
    """Return the interface the node's default route leaves by; raises ``LookupError`` without one."""
    names = {link.index: link.name for link in links.links(netlink)}
    for route in links.default_routes(netlink):
        if route.index in names:
            return names[route.index]
    raise LookupError("the node has no default route")


class Trunk:
    """The trunk interface of this node, on which pods' VLANs end; its calls block for milliseconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._way: Way | None = None

    def attach(self, link: PodLink, namespace: BinaryIO) -> NodeEnd:
        """Make the link in the pod's network namespace, replacing what an earlier attempt left on its VLAN.

        It is made switched off and without addresses. The MTU is at most the trunk's. Raises ``LinkExists``
        when the pod has a link of that name, ``NetlinkError`` EEXIST when the VLAN's kernel link is in
        another pod.
        """
        try:
            return self._attach(link, namespace)
        except NetlinkError as error:
            if error.errno == errno.EEXIST:  # of which of the two: seldom, so it is asked for afterwards
                with netns.inside(namespace, Netlink) as inside:
                    if links.find(inside, link.name) is not None:
                        raise LinkExists(link.name) from None
            raise

    def _attach(self, link: PodLink, namespace: BinaryIO) -> NodeEnd:
        with Netlink() as netlink:
            name = f"{_NAME}{link.vlan}"
            trunk, leftover = self._find(netlink, name)
            mtu = min(link.mtu, trunk.mtu)
            if self._way != "bpf":
                try:
                    links.add_vlan(
                        netlink,
                        link.name,
                        trunk=trunk.index,
                        vlan=link.vlan,
                        mac=link.mac,
                        mtu=mtu,
                        namespace=namespace.fileno(),
                    )
                except NetlinkError as error:
                    if error.errno != errno.EOPNOTSUPP:
                        raise
                else:
                    self._way = "vlan"
                    return NodeEnd("vlan", mtu)
            self._way = "bpf"
            if leftover is not None:
                netlink.ask(links.delete(leftover.index))
            end = links.add_veth(
                netlink,
                name,
                mtu=mtu,
                peer=link.name,
                peer_mac=link.mac,
                peer_namespace=namespace.fileno(),
            )
            self._join(netlink, trunk, link, end)
            return NodeEnd("bpf", mtu, end.name, end.index, end.mac)

    def _join(self, netlink: Netlink, trunk: links.Link, link: PodLink, end: links.Link) -> None:
        """Let the near end of a pair and the trunk exchange frames."""
        with (
            bpf.loaded("causeway_pod", bpf.to_trunk(link.vlan, trunk.index)) as to_trunk,
            bpf.loaded(f"{_FILTER}_{link.vlan}", bpf.to_pod(link.vlan, end.index)) as to_pod,
        ):
            netlink.ask(
                links.describe(end.index, link.alias),
                filters.accept(end.index),
                filters.put(
                    end.index,
                    name="causeway-pod",
                    program=to_trunk,
                    priority=1,
                    protocol=filters.ETH_P_ALL,
                ),
                filters.accept(trunk.index),
                filters.put(
                    trunk.index,
                    name=f"{_FILTER}-{link.vlan}",
                    program=to_pod,
                    priority=link.vlan,
                    protocol=filters.ETH_P_8021Q,
                ),
                # A network card delivers only frames for its own MAC address unless told otherwise.
                links.switch_on(trunk.index, promiscuous=True),
                links.switch_on(end.index),
            )

    def detach(self, vlan: int, end: NodeEnd) -> None:
        """Remove a link made by bpf; nothing there is fine. (A kernel VLAN link goes from inside its pod.)"""
        with Netlink() as netlink:
            trunk, link = links.find_all(netlink, self.name, end.name or f"{_NAME}{vlan}")
            requests: list[Request] = []
            if trunk is not None:
                requests.append(filters.remove(trunk.index, priority=vlan, protocol=filters.ETH_P_8021Q))
            if link is not None and link.index == end.index:
                requests.append(links.delete(link.index))
            netlink.ask(*requests)

    def missing(self, vlan: int, end: NodeEnd) -> list[str]:
        """Return what a link made by bpf lacks on the node; nothing for a kernel VLAN link."""
        if end.way == "vlan":
            return []
        with Netlink() as netlink:
            trunk, link = self._find(netlink, end.name)
            lacks = []
            if link is None or link.index != end.index or not link.up:
                lacks.append(f"the link {end.name} on the node is missing or switched off")
            elif not filters.on_ingress(netlink, link.index):
                lacks.append(f"the link {end.name} on the node lost its filter")
            if filters.Filter(vlan, f"{_FILTER}-{vlan}") not in filters.on_ingress(netlink, trunk.index):
                lacks.append(f"the trunk {self.name} lost the filter of VLAN {vlan}")
            return lacks

    def exists(self) -> bool:
        """Return whether the node has the trunk interface."""
        with Netlink() as netlink:
            return links.find(netlink, self.name) is not None

    def filtered_vlans(self) -> set[int]:
        """Return the VLANs for which the trunk has a filter of ours."""
        with Netlink() as netlink:
            trunk = self._find(netlink)[0]
            return {
                item.priority
                for item in filters.on_ingress(netlink, trunk.index)
                if item.name == f"{_FILTER}-{item.priority}"
            }

    def _find(self, netlink: Netlink, other: str = "") -> tuple[links.Link, links.Link | None]:
        """Return the trunk, and the link of another name if there is one."""
        trunk, *others = links.find_all(netlink, self.name, *filter(None, [other]))
        if trunk is None:
            raise NetlinkError(errno.ENODEV, f"the trunk interface {self.name} does not exist")
        return trunk, others[0] if others else None
