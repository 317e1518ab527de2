"""What this room thinks in: a pod's desired port, what there is of it, and the steps between the two."""

from dataclasses import dataclass

from causeway.kit.errors import Finding
from causeway.kube.objects import PodPortSpec

KIND = "pod"
"""The ownership kind of a pod's port."""

NODE_KIND = "node"
"""The ownership kind of the parent port of a node's trunk."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where all pods live: cluster, network, subnet, security groups; ``mtu`` in bytes."""

    cluster: str
    network_id: str
    subnet_id: str
    prefix_length: int
    gateway: str
    security_groups: tuple[str, ...]
    mtu: int


@dataclass(frozen=True, slots=True)
class Desired:
    """A pod that needs a port on ``node``; one that is ``leaving`` keeps what it has until it is gone."""

    uid: str
    namespace: str
    name: str
    node: str
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a port is a subport."""

    trunk_id: str
    vlan: int


@dataclass(frozen=True, slots=True)
class OwnedPort:
    """A port that carries the pod's tags; ``attached`` is None while it is in no trunk of ours."""

    id: str
    mac: str
    addresses: tuple[str, ...]
    attached: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The PodPort there is, and its version, which a deletion insists on."""

    namespace: str
    name: str
    version: str
    spec: PodPortSpec


@dataclass(frozen=True, slots=True)
class Actual:
    """What there is of one pod's network; ``trunk_id`` is the trunk of the node it should be on, if known."""

    ports: tuple[OwnedPort, ...] = ()
    trunk_id: str | None = None
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class CreatePort:
    """Make the pod's port."""

    pod: Desired

    def __str__(self) -> str:
        return f"create port {self.pod.namespace}/{self.pod.name}"


@dataclass(frozen=True, slots=True)
class AddSubport:
    """Attach a port to a trunk; the VLAN is chosen when the call is made."""

    trunk_id: str
    port_id: str

    def __str__(self) -> str:
        return f"add port {self.port_id} to trunk {self.trunk_id}"


@dataclass(frozen=True, slots=True)
class WritePodPort:
    """Tell the node about the port."""

    pod: Desired
    spec: PodPortSpec

    def __str__(self) -> str:
        return f"tell node {self.pod.node} about port {self.spec.port_id}"


@dataclass(frozen=True, slots=True)
class DeletePodPort:
    """Withdraw what the node was told, unless it was changed since."""

    told: Told

    def __str__(self) -> str:
        return f"delete PodPort {self.told.namespace}/{self.told.name}"


@dataclass(frozen=True, slots=True)
class RemoveSubport:
    """Detach a port from a trunk."""

    trunk_id: str
    port_id: str

    def __str__(self) -> str:
        return f"remove port {self.port_id} from trunk {self.trunk_id}"


@dataclass(frozen=True, slots=True)
class DeletePort:
    """Delete a port."""

    port_id: str

    def __str__(self) -> str:
        return f"delete port {self.port_id}"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing can be done until something else happens."""

    finding: Finding

    def __str__(self) -> str:
        return f"wait: {self.finding.cause}"


Step = CreatePort | AddSubport | WritePodPort | DeletePodPort | RemoveSubport | DeletePort | Blocked
