"""The running room: its watches, the one who lists the cloud, and the controller."""

import asyncio
from collections.abc import Mapping
from typing import Protocol, Self

import structlog

from causeway.cloud.errors import CloudError
from causeway.cloud.neutron import Neutron
from causeway.engine.controller import Controller
from causeway.kit import metrics
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.kube.informers import Informer
from causeway.kube.objects import NetworkPolicy, Node, Pod, PortPool
from causeway.kube.queue import Queue
from causeway.rooms.pods.actual import Lister, Poller, PreparedLister, View
from causeway.rooms.pods.apply import Applier, Ports, PreparedWriter
from causeway.rooms.pods.calls import Calls
from causeway.rooms.pods.known import Known
from causeway.rooms.pods.model import Sizes
from causeway.rooms.pods.neighbours import (
    Groups,
    GroupsOfNetwork,
    Interfaces,
    NetworkOfNamespace,
    Networks,
    NoInterfaces,
    OneNetwork,
    Subnet,
)
from causeway.rooms.pods.pools import Pools, Writer
from causeway.rooms.pods.reconciler import Reconciler
from causeway.rooms.pods.stores import Stores
from causeway.rooms.pods.work import Works

log = structlog.get_logger()

POLL = 30.0  # seconds between two lists of the cloud
_WORKERS = 16


async def shared_network(
    neutron: Neutron, *, network_id: str, subnet_ids: list[str], groups: tuple[str, ...]
) -> NetworkOfNamespace:
    """Return the platform's pod network as the cloud has it. Raises ``CloudError``."""
    network = await neutron.get_network(network_id)
    subnets = await asyncio.gather(*(neutron.get_subnet(each) for each in subnet_ids))
    return NetworkOfNamespace(
        network_id,
        tuple(Subnet(each.id, int(each.cidr.rpartition("/")[2]), each.gateway_ip or "") for each in subnets),
        tuple(sorted(groups)),
        network.mtu,
    )


class Network(Lister, Ports, Protocol):
    """All this room does with Neutron for ports of its own."""


class PeoplesPorts(PreparedLister, PreparedWriter, Protocol):
    """All this room does with Neutron for ports that people prepared."""


class Sources(Protocol):
    """What this room follows."""

    @property
    def pods(self) -> Informer[Pod]:
        """Pods that are bound to a node and have a network of their own."""
        ...

    @property
    def pools(self) -> Informer[PortPool]:
        """All PortPools."""
        ...

    @property
    def nodes(self) -> Informer[Node]:
        """All nodes."""
        ...

    @property
    def policies(self) -> Informer[NetworkPolicy]:
        """All NetworkPolicies."""
        ...


class Room:
    """The room of one platform; ``networks`` and ``groups`` are its neighbours' knowledge.

    ``sizes`` is by pool of nodes; the one of "" is for pools that are not named.
    """

    def __init__(
        self,
        cluster: str,
        *,
        neutron: Network,
        people: PeoplesPorts,
        kube: Writer,
        recorder: Recorder,
        sources: Sources,
        networks: Networks,
        groups: Groups,
        interfaces: Interfaces,
        sizes: Mapping[str, Sizes],
        own_networks: bool = False,
    ) -> None:
        works, queue = Works(), Queue()
        self.view = View(cluster)
        self._poller = Poller(neutron, people, self.view)
        self.applier = Applier(neutron, people, self.view)
        known = self._known = Known(
            Stores(sources.pods.store, sources.pools.store, sources.nodes.store, sources.policies.store),
            view=self.view,
            works=works,
            networks=networks,
            groups=groups,
            interfaces=interfaces,
            sizes=sizes,
            listed=self._poller.synced,
        )
        self._calls = Calls(known, works, poller=self._poller, applier=self.applier, wake=queue.add)
        self._reconciler = Reconciler(
            known,
            works,
            self._calls,
            view=self.view,
            poller=self._poller,
            applier=self.applier,
            pools=Pools(kube, own_networks=own_networks),
            recorder=recorder,
            wake=queue.add,
        )
        self.controller = Controller("pods", self._reconciler, workers=_WORKERS, queue=queue, kind="Node")
        self.controllers = [self.controller]
        self.controller.watch(sources.pods, known.pod_changed)
        self.controller.watch(sources.pools, known.pool_changed)
        self.controller.watch(sources.nodes, known.node_changed)
        self.controller.watch(sources.policies, known.policy_changed)
        networks.on_change(lambda namespace: self._wake(known.nodes_of_namespace(namespace)))
        groups.on_change(lambda uid: self._wake(known.nodes_of_pod(uid)))
        interfaces.on_change(lambda uid: self._wake(known.nodes_of_pod(uid)))
        followed = (sources.pods, sources.pools, sources.nodes, sources.policies)
        self._synced = [*(each.synced for each in followed), networks.synced, groups.synced]
        for event in (*self._synced, self._poller.synced):
            self.controller.after(event)

    @classmethod
    def at(
        cls,
        client: Client,
        neutron: Neutron,
        recorder: Recorder,
        sources: Sources,
        *,
        people: PeoplesPorts,
        cluster: str,
        shared: NetworkOfNamespace,
        sizes: Mapping[str, Sizes],
        networks: Networks | None = None,
        groups: Groups | None = None,
        interfaces: Interfaces | None = None,
        own_networks: bool = False,
    ) -> Self:
        """Return the room of the platform that ``client`` reaches."""
        networks = networks or OneNetwork(shared)
        return cls(
            cluster,
            neutron=neutron,
            people=people,
            kube=client,
            recorder=recorder,
            sources=sources,
            networks=networks,
            groups=groups or GroupsOfNetwork(networks),
            interfaces=interfaces or NoInterfaces(),
            sizes=sizes,
            own_networks=own_networks,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            with metrics.POOL_PORTS.reading(self._known.levels):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.controller.run())
                    group.create_task(self._poll())
                    group.create_task(self.applier.keep_names())
        finally:
            self._calls.close()
            self.applier.close()

    def _wake(self, nodes: set[str]) -> None:
        for node in nodes:
            self.controller.queue.add(node)

    async def _poll(self) -> None:
        for event in self._synced:
            await event.wait()
        while True:
            try:
                await self._poller.refresh()
                self._wake(self._known.everything())
                self._reconciler.drop_loose()
            except CloudError as error:
                log.warning("the cloud cannot be listed", cause=str(error))
            await asyncio.sleep(POLL)
