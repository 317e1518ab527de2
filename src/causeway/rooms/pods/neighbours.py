"""What this room asks of others: the security groups of a pod, and the network of a namespace.

The rooms that make groups and networks implement these; whoever puts the rooms together hands them in. Where
there is no such room, every pod is on the platform's one network and in its one group.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from causeway.kit.errors import Finding
from causeway.kube.objects import Pod

Wake = Callable[[str], None]
Trouble = tuple[str, Finding]
"""What somebody else has to do first: a word for machines, and words for people."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet on which pods get an address; ``gateway`` "" means none."""

    id: str
    prefix_length: int
    gateway: str = ""


@dataclass(frozen=True, slots=True)
class NetworkOfNamespace:
    """Where the pods of a namespace live; ``namespace`` "" says that it shares the platform's network.

    A port gets an address in each of ``subnets`` (one of each IP version at most) and, while nothing else
    asks for others, the security ``groups`` (sorted). ``mtu`` is in bytes.
    """

    network_id: str
    subnets: tuple[Subnet, ...]
    groups: tuple[str, ...]
    mtu: int
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Further:
    """A further interface of a pod; ``addresses`` and ``mac`` are the cloud's choice when empty.

    Its port gets addresses in ``subnets`` (ids) of the network. The ``namespace`` of the network is no
    namespace's, its ``groups`` are nobody's: nobody else gets ports there.
    """

    interface: str
    network: NetworkOfNamespace
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    mac: str = ""


class Interfaces(Protocol):
    """Knows the further interfaces of pods."""

    def of(self, pod: Pod) -> tuple[Further, ...]:
        """Return the further interfaces of a pod, as far as they are known and can be had."""
        ...

    def on_change(self, wake: Wake) -> None:
        """Call ``wake(uid)`` whenever the answer for the pod of that uid may have changed."""
        ...


class Networks(Protocol):
    """Knows the networks of namespaces."""

    def of(self, namespace: str) -> NetworkOfNamespace | None:
        """Return the network of a namespace, or None while it is not known."""
        ...

    def trouble(self, namespace: str) -> Trouble | None:
        """Return why the network of a namespace is not known, where that is not a matter of moments."""
        ...

    def on_change(self, wake: Wake) -> None:
        """Call ``wake(namespace)`` whenever the answer for it may have changed."""
        ...

    @property
    def synced(self) -> asyncio.Event:
        """Set once answers can be relied upon."""
        ...


class Groups(Protocol):
    """Knows the security groups of pods."""

    def of(self, pod: Pod) -> tuple[str, ...] | None:
        """Return the ids of the groups of a pod's port, sorted, or None while they are not known."""
        ...

    def trouble(self, pod: Pod) -> Trouble | None:
        """Return why a pod's groups are not to be had, or not all they should be, if the cloud refuses."""
        ...

    def on_change(self, wake: Wake) -> None:
        """Call ``wake(uid)`` whenever the answer for the pod of that uid may have changed."""
        ...

    @property
    def synced(self) -> asyncio.Event:
        """Set once answers can be relied upon."""
        ...


class OneNetwork:
    """All namespaces share one network."""

    def __init__(self, network: NetworkOfNamespace) -> None:
        self._network = network
        self.synced = asyncio.Event()
        self.synced.set()

    def of(self, namespace: str) -> NetworkOfNamespace | None:  # noqa: ARG002  # the protocol has it
        """Return the one network."""
        return self._network

    def trouble(self, namespace: str) -> Trouble | None:  # noqa: ARG002  # the protocol has it
        """Return nothing: it is always there."""
        return None

    def on_change(self, wake: Wake) -> None:
        """Do nothing: it never changes."""


class GroupsOfNetwork:
    """Every pod has the groups of its namespace's network."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self.synced = networks.synced

    def of(self, pod: Pod) -> tuple[str, ...] | None:
        """Return the groups of the network of the pod's namespace."""
        network = self._networks.of(pod.metadata.namespace)
        return network.groups if network else None

    def trouble(self, pod: Pod) -> Trouble | None:  # noqa: ARG002  # the protocol has it
        """Return nothing: what is in the way of a network is told by the networks."""
        return None

    def on_change(self, wake: Wake) -> None:
        """Do nothing: the room is told of networks that change by the networks themselves."""


class NoInterfaces:
    """No pod has further interfaces."""

    def of(self, pod: Pod) -> tuple[Further, ...]:  # noqa: ARG002  # the protocol has it
        """Return none."""
        return ()

    def on_change(self, wake: Wake) -> None:
        """Do nothing: it never changes."""
