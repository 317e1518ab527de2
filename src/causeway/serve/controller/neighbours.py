"""What the rooms know of each other's work: each is handed what it asks for, none knows the other."""

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from causeway.cloud.networks import Subnet as CloudSubnet
from causeway.kit.errors import Finding
from causeway.kube.objects import Pod
from causeway.kube.podnetwork import NETWORK_CONDITION
from causeway.rooms.interfaces.controller import Interfaces
from causeway.rooms.interfaces.model import Found
from causeway.rooms.namespaces.controller import Namespaces
from causeway.rooms.namespaces.model import Own
from causeway.rooms.pods.neighbours import Further, NetworkOfNamespace, Subnet, Trouble
from causeway.rooms.services.model import Place


class NetworksOfNamespaces:
    """Tells the pods' room where namespaces live: on the ``shared`` network, or on one of their own."""

    def __init__(self, namespaces: Namespaces, shared: NetworkOfNamespace) -> None:
        self._answers = namespaces.answers
        self._namespaces = namespaces.namespaces
        self._shared = shared
        self.synced = namespaces.synced

    def of(self, namespace: str) -> NetworkOfNamespace | None:
        """Return the network of a namespace, or None while it is not known; the shared one for ""."""
        if not namespace:
            return self._shared
        if not self._answers.known(namespace):
            return None
        own = self._answers.own(namespace)
        return self._shared if own is None else network_of(namespace, own)

    def trouble(self, namespace: str) -> Trouble | None:
        """Return what the namespace's own condition says is in the way of its network."""
        found = self._namespaces.get(namespace)
        for each in found.status.conditions if found is not None else ():
            if each.type == NETWORK_CONDITION and each.status == "False":
                cause = f"the network of namespace {namespace} cannot be had"
                return each.reason, Finding(f"namespace {namespace}", cause, each.message)
        return None

    def on_change(self, wake: Callable[[str], None]) -> None:
        """Call ``wake(namespace)`` whenever the answer for it may have changed."""
        self._answers.on_change(wake)


def network_of(namespace: str, own: Own) -> NetworkOfNamespace:
    """Return a namespace's own network as the pods' room knows networks."""
    groups = (own.security_group_id,)
    return NetworkOfNamespace(own.network_id, _subnets(own.subnets), groups, own.mtu, namespace)


def _subnets(subnets: Sequence[CloudSubnet]) -> tuple[Subnet, ...]:
    return tuple(
        Subnet(each.id, int(each.cidr.rpartition("/")[2]), each.gateway_ip or "") for each in subnets
    )


class FurtherInterfaces:
    """Tells the pods' room what pods ask for besides their first interface."""

    def __init__(self, interfaces: Interfaces, groups: tuple[str, ...]) -> None:
        self._interfaces = interfaces
        self._groups = groups
        self.on_change = interfaces.on_change

    def of(self, pod: Pod) -> tuple[Further, ...]:
        """Return the further interfaces of a pod, as far as they are known and can be had."""
        return tuple(
            Further(
                each.name,
                _apart(each.network),
                each.network.chosen,
                tuple(sorted(each.network.groups or self._groups)),
                each.addresses,
                each.mac,
            )
            for each in self._interfaces.of(pod)
        )


def _apart(found: Found) -> NetworkOfNamespace:
    """Return a network that is no namespace's: none can have a slash in its name."""
    return NetworkOfNamespace(
        found.network_id, _subnets(found.subnets), (), found.mtu, f"network/{found.network_id}"
    )


class Places(Sequence[Place]):
    """Where members of load balancers are: in the platform's subnets, then in those of namespaces."""

    def __init__(self, platform: Sequence[Place], namespaces: Namespaces) -> None:
        self._platform = tuple(platform)
        self._subnets = namespaces.view.subnets

    @overload
    def __getitem__(self, index: int) -> Place: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Place]: ...
    def __getitem__(self, index: int | slice) -> Place | Sequence[Place]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Place]:
        return iter(self._all())

    def _all(self) -> tuple[Place, ...]:
        return (*self._platform, *(Place(each.cidr, each.id) for each in self._subnets.all()))
