"""What this room knows of nodes and servers, and the steps it takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from causeway.cloud.nova import Server
from causeway.kube.objects import NodeAddress, Taint

UNINITIALISED = "node.cloudprovider.kubernetes.io/uninitialized"
SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
PROVIDED_ADDRESS = "alpha.kubernetes.io/provided-node-ip"
"""Annotation by which a kubelet tells the addresses it was given by ``--node-ip``."""

STOPPED = "SHUTOFF"
"""The only status in which nothing of a server runs and its volumes may be taken off."""

OFF = (Taint(SHUTDOWN, "", "NoSchedule"), Taint(OUT_OF_SERVICE, "server-is-off", "NoExecute"))
"""What a node is tainted with while its server is off.

By the second Kubernetes has its pods and volumes go elsewhere; it is ours by its value, people write another.
"""

_GONE = frozenset({"DELETED", "SOFT_DELETED"})

# The form cloud-provider-openstack writes: the region is empty unless it was told to name it.
_PROVIDER_ID = re.compile(r"^openstack://([^/]*)/([^/]+)$")


@dataclass(frozen=True)
class Identity:
    """Who a node says it is in the cloud; ``region`` "" means whichever."""

    server: str
    region: str = ""


def identity_of(provider_id: str) -> Identity | None:
    """Return the server a provider ID names, None when it is not one of OpenStack."""
    found = _PROVIDER_ID.match(provider_id)
    return Identity(found[2], found[1]) if found else None


def provider_id_of(server: str) -> str:
    """Return the provider ID of a server."""
    return f"openstack:///{server}"


@dataclass(frozen=True)
class Landscape:
    """The project's servers as one listing showed them, and the region they are in."""

    servers: Mapping[str, Server]
    region: str
    cluster: str

    def of(self, identity: Identity) -> Server | None:
        """Return a server, None when the listing lacks it."""
        found = self.servers.get(identity.server)
        return found if found is not None and found.status not in _GONE else None

    def named(self, name: str) -> list[Server]:
        """Return the servers of that name: those made for the cluster if there are any, else all."""
        found = [each for each in self.servers.values() if each.name == name and each.status not in _GONE]
        ours = [each for each in found if each.metadata.get("causeway-cluster") == self.cluster]
        return ours or found


@dataclass(frozen=True)
class ChangeNode:
    """Fill in or correct a node's identity, labels and taints, all or nothing.

    ``taints_removed`` are (index, key) as the node was seen; a node whose taints have moved is not changed.
    """

    provider_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    taints_added: tuple[Taint, ...] = ()
    taints_removed: tuple[tuple[int, str], ...] = ()

    def __str__(self) -> str:
        parts = [f"set provider ID {self.provider_id}"] if self.provider_id else []
        parts += [f"label {key}={value}" for key, value in self.labels.items()]
        parts += [f"add taint {taint.key}" for taint in self.taints_added]
        parts += [f"remove taint {key}" for _, key in self.taints_removed]
        return ", ".join(parts)


@dataclass(frozen=True)
class WriteAddresses:
    """Write the addresses of a node's status, all of them."""

    addresses: tuple[NodeAddress, ...]

    def __str__(self) -> str:
        return "write addresses " + ", ".join(f"{each.type}={each.address}" for each in self.addresses)


@dataclass(frozen=True)
class DeleteNode:
    """Delete a node whose server is gone."""

    server: str

    def __str__(self) -> str:
        return f"delete the node: its server {self.server} is gone"


Step = ChangeNode | WriteAddresses | DeleteNode
