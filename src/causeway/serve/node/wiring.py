"""Making and removing the link of an attachment together with its record, in an order that survives a crash.

Everything here blocks for milliseconds and is called by one thread at a time.
"""

import msgspec

from causeway.host import interface, netns
from causeway.host.interface import Address
from causeway.host.vlan import LinkExists, NodeEnd, PodLink, Trunk
from causeway.serve.node.cni import CniError, Code
from causeway.serve.node.records import Attachment, Records


class Wiring:
    """The links of this node's pods, each with its record."""

    def __init__(self, records: Records, trunk: Trunk) -> None:
        self.records = records
        self.trunk = trunk

    def connect(self, record: Attachment) -> Attachment:
        """Make and configure the link; return the record with its node end. Raises ``CniError``.

        The record is on disk before anything else exists, so whatever a crash leaves is found. Who had the
        VLAN before (an earlier sandbox of the pod, or a pod that is gone) is disconnected first.
        """
        try:
            with netns.open_namespace(record.netns) as namespace:
                for leftover in self.records.on_vlan(record.vlan):
                    self.disconnect(leftover)
                self.records.put(record)
                link = PodLink(
                    vlan=record.vlan,
                    name=record.ifname,
                    mac=record.mac,
                    mtu=record.mtu,
                    alias=f"{record.namespace}/{record.pod}",
                )
                record = msgspec.structs.replace(record, node_end=self.trunk.attach(link, namespace))
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
        return record

    def disconnect(self, record: Attachment) -> None:
        """Remove the link and then its record; what is gone already is fine."""
        current = self.records.get(record.key)
        if current is None:
            return
        end = current.node_end or NodeEnd("bpf")
        if current.node_end is None or end.way == "vlan":
            try:
                with netns.open_namespace(current.netns) as namespace:
                    interface.remove(namespace, current.ifname)
            except FileNotFoundError:
                pass  # the namespace is gone, and its links with it
        if end.way == "bpf":
            Trunk(current.trunk).detach(current.vlan, end)
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
        return lacks + Trunk(record.trunk).missing(record.vlan, record.node_end)

    def remove_stray_filters(self) -> list[int]:
        """Remove our filters of VLANs no attachment has; return those VLANs."""
        stray = self.trunk.filtered_vlans() - {record.vlan for record in self.records.all()}
        for vlan in stray:
            self.trunk.detach(vlan, NodeEnd("bpf"))
        return sorted(stray)
