"""A node without a machine: a network namespace whose one interface is the parent port of a trunk in the lab.

To Neutron, OVN and the node daemon it is a node: the port is bound to the lab's chassis and ACTIVE, subports
are VLANs on the interface, gateways answer. No kubelet runs there; the measurement plays its part.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from bench.tenant import NodePort, Tenant
from causeway.host.command import run, succeeds
from causeway.kit.errors import Problem
from causeway.lab import tree
from causeway.lab.settings import Settings

TRUNK = "trunk0"
_MTU = 1442
_UPLINK = "198.18.0"  # set aside for measurements of networks
_PREFIX = "cwbench"  # of the network namespaces, so that those of a killed run are found


@dataclass(frozen=True)
class Node:
    """A node; ``namespace`` is the name of its network namespace, in which ``TRUNK`` is its trunk."""

    port: NodePort
    namespace: str
    uplink: str
    """This machine's address on a link of its own to the node: there the node finds the Kubernetes API."""

    @property
    def name(self) -> str:
        """Return its name in Kubernetes."""
        return self.port.name


def namespace_path(name: str) -> str:
    """Return the file of a named network namespace."""
    return f"/run/netns/{name}"


@contextlib.contextmanager
def namespaces(prefix: str, count: int) -> Iterator[list[str]]:
    """Make named network namespaces for as long as the block takes."""
    names = [f"{_PREFIX}-{prefix}-{number}" for number in range(1, count + 1)]
    try:
        for name in names:
            run("ip", "netns", "add", name)
        yield names
    finally:
        for name in names:
            succeeds("ip", "netns", "del", name)


@contextlib.contextmanager
def plugged(lab: Settings, tenant: Tenant) -> Iterator[list[Node]]:
    """Connect the nodes of ``tenant`` to the lab for as long as the block takes."""
    running = tree.running(lab)
    if running is None:
        raise Problem.of("lab", "it is not up", "Bring it up with `causeway lab up`.")
    for line in run("ip", "netns", "list").splitlines():  # left by a run that was killed
        if line.startswith(f"{_PREFIX}-"):
            run("ip", "netns", "del", line.split()[0])
    with contextlib.ExitStack() as stack:
        names = stack.enter_context(namespaces("node", len(tenant.nodes)))
        nodes = [
            Node(port, name, f"{_UPLINK}.{4 * number + 1}")
            for number, (port, name) in enumerate(zip(tenant.nodes, names, strict=True))
        ]
        for number, node in enumerate(nodes):
            _link(node, f"{_UPLINK}.{4 * number + 2}", f"{_PREFIX}{number}")
            tap = f"tap{node.port.port_id[:11]}"
            stack.callback(_vsctl, lab, running, "--if-exists", "del-port", "br-int", tap)
            _plug(lab, running, node, tap)
            tenant.admin.network.update_port(node.port.port_id, binding_host_id=lab.host)
        yield nodes


def _plug(lab: Settings, running: tree.Tree, node: Node, tap: str) -> None:
    """Connect one node; checksums are computed in it, because the lab's bridge works in user space."""
    inside = ("nsenter", f"--net={namespace_path(node.namespace)}")
    peer = ("peer", "name", TRUNK, "address", node.port.mac, "mtu", str(_MTU), "netns", node.namespace)
    run("ip", "link", "add", tap, "mtu", str(_MTU), "type", "veth", *peer)
    run("ip", "link", "set", tap, "netns", str(running.first))
    run(*inside, "ethtool", "-K", TRUNK, "tx", "off")
    for device in ("lo", TRUNK):
        run(*inside, "ip", "link", "set", device, "up")
    run(*inside, "ip", "address", "add", f"{node.port.address}/24", "dev", TRUNK)
    run(*tree.enter(running, "ethtool", "-K", tap, "tx", "off", "gro", "off"))
    run(*tree.enter(running, "ip", "link", "set", tap, "up"))
    interface = ("set", "Interface", tap, f"external_ids:iface-id={node.port.port_id}")
    _vsctl(lab, running, "add-port", "br-int", tap, "--", *interface)


def _link(node: Node, address: str, device: str) -> None:
    """Join machine and node; the pair goes with the node's network namespace."""
    run("ip", "link", "add", device, "type", "veth", "peer", "name", "uplink", "netns", node.namespace)
    run("ip", "address", "add", f"{node.uplink}/30", "dev", device)
    run("ip", "link", "set", device, "up")
    inside = ("nsenter", f"--net={namespace_path(node.namespace)}", "ip")
    run(*inside, "address", "add", f"{address}/30", "dev", "uplink")
    run(*inside, "link", "set", "uplink", "up")


def _vsctl(lab: Settings, running: tree.Tree, *arguments: str) -> None:
    run(*tree.enter(running, "chroot", str(lab.root), "ovs-vsctl", "--timeout=10", *arguments))
