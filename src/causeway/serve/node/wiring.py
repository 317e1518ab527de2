"""Making and removing the link of an attachment together with its record, in an order that survives a crash.

Everything here blocks for milliseconds, and is called by one thread at a time for each VLAN or port. Links on
the trunk are made one at a time: the kernel makes no two at once, and threads that ask it for many wait for
each other at every step, so that all pods get theirs late instead of half of them early.
"""

import threading
import time
from contextlib import nullcontext
from typing import BinaryIO

import msgspec

from causeway.host import interface, netns
from causeway.host.bridge import Bridge, BridgeLink
from causeway.host.interface import Address
from causeway.host.vlan import LinkExists, NodeEnd, PodLink, Trunk
from causeway.serve.node.cni import CniError, Code
from causeway.serve.node.records import Attachment, Records


class Wiring:
    """The links of this node's pods, each with its record: VLANs of the trunk, or ports of the bridge."""

    def __init__(self, records: Records, trunk: Trunk, bridge: Bridge) -> None:
        self.records = records
        self.trunk = trunk
        self.bridge = bridge
        self._turn = threading.Lock()  # to make a link on the trunk

    def connect(self, record: Attachment) -> tuple[Attachment, float]:
        """Make and configure the link; return the record with its node end, and how many seconds it took.

        Not counted is the time until it was this link's turn. Raises ``CniError``.

        The record is on disk before anything else exists, so whatever a crash leaves is found. Who had the
        VLAN or port before (an earlier sandbox of the pod, or a pod that is gone) is disconnected first.
        """
        try:
            with netns.open_namespace(record.netns) as namespace:
                for leftover in self.records.at(record.place):
                    self.disconnect(leftover)
                self.records.put(record)
                with self._turn if record.vlan else nullcontext():  # a bridge's database is waited for
                    began = time.perf_counter()
                    record = msgspec.structs.replace(record, node_end=self._attach(record, namespace))
                    self.records.put(record)
                    interface.configure(namespace, record.ifname, record.addresses)
        except FileNotFoundError as error:
            raise CniError(Code.INVALID_ENVIRONMENT, "invalid CNI_NETNS", str(error)) from error
        except LinkExists:
            self.records.remove(record.key)
            raise CniError(
                Code.LINK_FAILED, f"the pod has an interface {record.ifname}", "it was not made by causeway"
            ) from None
        except (OSError, LookupError) as error:
            raise CniError(Code.LINK_FAILED, "the pod's link could not be made", str(error)) from error
        return record, time.perf_counter() - began

    def _attach(self, record: Attachment, namespace: BinaryIO) -> NodeEnd:
        alias, name, mac, mtu = f"{record.namespace}/{record.pod}", record.ifname, record.mac, record.mtu
        if record.vlan:
            return self.trunk.attach(PodLink(record.vlan, name, mac, mtu, alias), namespace)
        return self.bridge.attach(BridgeLink(record.port_id, name, mac, mtu, alias), namespace)

    def disconnect(self, record: Attachment) -> None:
        """Remove the link and then its record; what is gone already is fine."""
        current = self.records.get(record.key)
        if current is None:
            return
        end = current.node_end or NodeEnd("bpf" if current.vlan else "ovs")
        if current.node_end is None or end.way == "vlan":
            try:
                with netns.open_namespace(current.netns) as namespace:
                    interface.remove(namespace, current.ifname)
            except FileNotFoundError:
                pass  # the namespace is gone, and its links with it
        if end.way == "bpf":
            Trunk(current.trunk).detach(current.vlan, end)
        elif end.way == "ovs":
            self.bridge.detach(current.port_id)
        self.records.remove(current.key)

    def missing(self, record: Attachment, path: str, expected: list[Address]) -> list[str]:
        """Return what the attachment lacks of ``expected`` in the namespace at ``path``, and on the node."""
        try:
            with netns.open_namespace(path) as namespace:
                lacks = interface.missing(namespace, record.ifname, record.mac, expected)
        except FileNotFoundError as error:
            raise CniError(Code.INVALID_ENVIRONMENT, "invalid CNI_NETNS", str(error)) from error
        if record.node_end is None:
            return [*lacks, "its link was never finished"]
        if record.node_end.way == "ovs":
            return lacks + self.bridge.missing(record.port_id, record.node_end)
        return lacks + Trunk(record.trunk).missing(record.vlan, record.node_end)

    def strays(self) -> list[str]:
        """Return the places that have a filter on the trunk or a link on the bridge, and no attachment."""
        found = [str(vlan) for vlan in sorted(self.trunk.filtered_vlans())]
        if self.bridge.is_here():
            found += sorted(self.bridge.plugged())
        return [place for place in found if not self.records.at(place)]

    def remove_stray(self, place: str) -> None:
        """Remove what is left at a place that has no attachment, or none by now."""
        if self.records.at(place):
            return
        if place.isdigit():
            self.trunk.detach(int(place), NodeEnd("bpf"))
        else:
            self.bridge.detach(place)
