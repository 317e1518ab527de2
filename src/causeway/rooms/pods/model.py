"""What this room thinks in: what a node's pods need, what there is for them, the steps between the two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from causeway.cloud.neutron import Port
from causeway.cloud.ownership import Owner
from causeway.cloud.prepared_ports import PreparedPort
from causeway.kit.errors import Finding
from causeway.kube.objects import Claim, PoolPort
from causeway.rooms.pods.neighbours import NetworkOfNamespace

KIND: Final = "pod"
"""The ownership kind of a pod's port."""

NODE_KIND: Final = "node"
"""The ownership kind of the parent port of a node's trunk."""

CHASSIS_LABEL: Final = "causeway.dev/chassis"
"""The label of a native node: one that is a part of the cloud's network itself. It names its chassis."""

_INTERFACE: Final = "causeway-interface="
_HOST: Final = "causeway-host="

Slot = tuple[str, str]
"""What a port is for: (pod uid, interface), the interface "" for a pod's first."""


class Sizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many ready ports a node of a pool keeps beyond those its pods have.

    Never fewer than ``minimum`` for long; never more than ``maximum`` on purpose, however fast pods came;
    made at least ``batch`` at a time, because one call for many costs less than many calls.
    """

    minimum: int = 5
    maximum: int = 50
    batch: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum:
            raise ValueError(f"minimum {self.minimum} and maximum {self.maximum}: 0 <= minimum <= maximum")
        if self.batch < 1:
            raise ValueError(f"batch {self.batch}: at least 1")


@dataclass(frozen=True, slots=True)
class Wish:
    """What becomes of a pod's wish for a port that was prepared for it: which it is, or why it has none.

    With neither it waits for the port to be let go elsewhere. ``reason`` is the finding's word for machines.
    """

    port_id: str = ""
    reason: str = ""
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A port a pod needs; a ``plain`` one is any ready port of the network, others are made for the pod.

    ``groups`` is None while they are not known. ``subnets`` (ids; all of the network without), ``addresses``
    and ``mac`` are asked for. With a ``wish`` none is made: it is a prepared one. A pod that is ``leaving``
    keeps what it has, no more.
    """

    uid: str
    namespace: str
    name: str
    network: NetworkOfNamespace
    groups: tuple[str, ...] | None
    plain: bool = True
    interface: str = ""
    leaving: bool = False
    subnets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    mac: str = ""
    wish: Wish | None = None

    @property
    def slot(self) -> Slot:
        """Return what the port is for."""
        return self.uid, self.interface


@dataclass(frozen=True, slots=True)
class Hindered:
    """A pod that lacks something others make: it ``waits`` for its port, or its policies are not in effect.

    ``guarded`` says that its policies have nothing to do with it.
    """

    uid: str
    reason: str
    finding: Finding
    waits: bool
    guarded: bool


class Attachment(msgspec.Struct, frozen=True, gc=False):
    """Where a port is a subport; ``NATIVE`` and 0 for one that is bound to its node."""

    trunk_id: str
    vlan: int


NATIVE: Final = Attachment("native", 0)


@dataclass(frozen=True, slots=True)
class Ready:
    """A port that any pod of its network may get; ``namespace`` "" for the shared network."""

    network: NetworkOfNamespace

    def __str__(self) -> str:
        return f"ready in {self.network.namespace}" if self.network.namespace else "ready"


@dataclass(frozen=True, slots=True)
class Create:
    """Make ports of one kind for a node: ``count`` ready ones, or one for the need ``special``."""

    node: str
    network: NetworkOfNamespace
    count: int = 1
    special: Need | None = None

    def __str__(self) -> str:
        if self.special is not None:
            return f"create port for {self.special.namespace}/{self.special.name}"
        return f"create {self.count} ready ports for {self.node}"


@dataclass(frozen=True, slots=True)
class Attach:
    """Make ports subports of a trunk: (port id, VLAN) each."""

    trunk_id: str
    ports: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"add {len(self.ports)} ports to trunk {self.trunk_id}"


@dataclass(frozen=True, slots=True)
class Detach:
    """Remove subports from a trunk."""

    trunk_id: str
    ports: tuple[str, ...]

    def __str__(self) -> str:
        return f"remove {len(self.ports)} ports from trunk {self.trunk_id}"


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a port."""

    port_id: str

    def __str__(self) -> str:
        return f"delete port {self.port_id}"


@dataclass(frozen=True, slots=True)
class SetGroups:
    """Give a port other security groups."""

    port_id: str
    groups: tuple[str, ...]

    def __str__(self) -> str:
        return f"change the security groups of port {self.port_id}"


@dataclass(frozen=True, slots=True)
class Bind:
    """Bind a prepared port to a native node's chassis."""

    port_id: str
    node: str

    def __str__(self) -> str:
        return f"bind port {self.port_id} to {self.node}"


@dataclass(frozen=True, slots=True)
class Unbind:
    """Let go of a prepared port that is bound to a chassis."""

    port_id: str

    def __str__(self) -> str:
        return f"unbind port {self.port_id}"


Step = Create | Attach | Detach | Delete | SetGroups | Bind | Unbind


@dataclass(frozen=True)
class State:
    """All a plan for one node is made from.

    ``leaving`` are the pods that have ports and are gone, or about to be.
    ``ports`` are ours that are in its pool, on its trunk or destined for it; ``vlans`` the VLANs of its trunk
    by port, others' included. ``prepared`` are people's ports that its pods asked for, have or had, and
    ``resting`` those that could not be attached just now. ``settled`` are the retiring entries the node has
    said to know of; ``busy`` the ports something is being done with; ``coming`` how many are being made, by
    slot or namespace. ``targets`` says how many ready ports are wanted by namespace; those of ``scarce``
    namespaces are given up. ``present`` is whether Kubernetes has the node. A ``native`` node counts as a
    trunk without VLANs: a port made for its chassis is attached from the first moment until it is deleted.
    """

    node: str
    trunk_id: str | None
    native: bool = False
    present: bool = True
    entries: Sequence[PoolPort] = ()
    claims: Mapping[str, Claim] = field(default_factory=dict)
    leaving: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    needs: Sequence[Need] = ()
    ports: Mapping[str, Port] = field(default_factory=dict)
    prepared: Mapping[str, PreparedPort] = field(default_factory=dict)
    resting: frozenset[str] = frozenset()
    attached: Mapping[str, Attachment] = field(default_factory=dict)
    vlans: Mapping[str, int] = field(default_factory=dict)
    last_vlan: int = 0
    busy: frozenset[str] = frozenset()
    trunk_busy: bool = False
    coming: Mapping[Slot | str, int] = field(default_factory=dict)
    networks: Mapping[str, NetworkOfNamespace] = field(default_factory=dict)  # by the network's id
    targets: Mapping[str, int] = field(default_factory=dict)
    scarce: frozenset[str] = frozenset()
    sizes: Sizes = field(default_factory=Sizes)

    def place(self, entry: PoolPort) -> Attachment | None:
        """Return where the port of an entry should be; None without a trunk."""
        return Attachment(self.trunk_id, entry.segmentation_id) if self.trunk_id else None


@dataclass(frozen=True)
class Plan:
    """What is to be done for a node: the pool as it should be written, calls, names, and what is in the way.

    ``names`` are those that ports should have and have not; ``findings`` go by a word for each.
    """

    entries: tuple[PoolPort, ...]
    steps: tuple[Step, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, Finding] = field(default_factory=dict)


def slot_of(port: Port) -> Slot | None:
    """Return the slot a port was made for, or None for one that any pod may get."""
    owner = port.owner
    if owner is None or not owner.uid:
        return None
    for tag in port.tags:
        if tag.startswith(_INTERFACE):
            return owner.uid, tag.removeprefix(_INTERFACE)
    return owner.uid, ""


def host_of(port: Port) -> str:
    """Return the chassis a port was made for, or "" for one that is for a trunk."""
    return next((tag.removeprefix(_HOST) for tag in port.tags if tag.startswith(_HOST)), "")


def tags_for(cluster: str, slot: Slot | None, host: str = "") -> list[str]:
    """Return the tags of a port for ``slot`` (of one that any pod may get for None), on the chassis ``host``.

    The chassis is a tag because not everybody may read a port's binding.
    """
    uid, interface = slot or ("", "")
    more = ([_INTERFACE + interface] if interface else []) + ([_HOST + host] if host else [])
    return Owner(cluster, KIND, uid).tags() + more
