"""Wiring of this room: watches, keys, and what is told to users. A key is the uid of a pod.

The uid, not the name: a pod made again under its old name has another port, and the old one's may still be on
its way out.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

import structlog

from causeway.cloud.errors import CloudError, Conflict, NotFound, ServerError, Timeout, Unreachable
from causeway.cloud.neutron import Neutron
from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.kit.errors import Problem
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.kube.objects import Pod, PodPort, key_of
from causeway.kube.reflector import ApiSource, Reflector, Source
from causeway.kube.resource import POD_PORTS, PODS
from causeway.kube.store import Change, Store
from causeway.rooms.pods.actual import Lister, Poller, View
from causeway.rooms.pods.apply import Applier, PodPorts, Ports, told_of
from causeway.rooms.pods.desired import desired_of
from causeway.rooms.pods.model import Actual, Blocked, DeletePodPort, Desired, Site, Told, WritePodPort
from causeway.rooms.pods.plan import plan

log = structlog.get_logger()

POLL = 30.0  # seconds between two lists of the cloud
_WORKERS = 100  # a worker mostly waits for its batch
_PATIENCE = 5.0  # seconds between two lists while something is missing
_TURNS = 8  # of plan and apply for one key; four suffice where nobody interferes

# After these it is not known what the cloud looks like.
_DOUBTFUL = (Timeout, ServerError, Unreachable, NotFound, Conflict)


@dataclass(frozen=True)
class Stores:
    """What the room knows of Kubernetes; indexed by ``uid`` of the pod."""

    pods: Store[Pod]
    pod_ports: Store[PodPort]


def stores() -> Stores:
    """Return empty stores with the indexes this room needs."""
    return Stores(
        Store({"uid": lambda pod: [pod.metadata.uid]}),
        Store({"uid": lambda pod_port: [pod_port.spec.pod_uid]}),
    )


class Reconciler:
    """Brings one pod's network to what it should be."""

    def __init__(
        self,
        site: Site,
        *,
        known: Stores,
        view: View,
        poller: Poller,
        applier: Applier,
        recorder: Recorder,
    ) -> None:
        self._known = known
        self._view = view
        self._poller = poller
        self._applier = applier
        self._recorder = recorder
        self._site = site
        self._told: dict[str, Told | None] = {}  # what we wrote and the watch has not shown yet
        self._gone: set[str] = set()  # pods known to be gone, whose ports may be taken away
        self._suspects: set[str] = set()  # pods without an object when last looked

    def pod_changed(self, change: Change[Pod]) -> Iterable[str]:
        """Return the keys a change of a pod concerns."""
        for pod in (change.old, change.new):
            if pod is not None and not pod.spec.host_network:
                if change.new is None:
                    self._gone.add(pod.metadata.uid)
                yield pod.metadata.uid
                return

    def pod_port_changed(self, change: Change[PodPort]) -> Iterable[str]:
        """Return the keys a change of a PodPort concerns: the pod it is about, and the one of its name."""
        uids = {thing.spec.pod_uid for thing in (change.old, change.new) if thing is not None}
        pod = self._known.pods.get(change.key)
        if pod is not None:
            uids.add(pod.metadata.uid)
        for uid in uids:
            self._told.pop(uid, None)
        return uids

    def compare(self) -> list[str]:
        """Return the keys of all pods that are not as they should be.

        What has no pod is only counted as gone when a second look agrees.
        """
        due = []
        for pod in self._known.pods.all():
            desired, uid = desired_of(pod), pod.metadata.uid
            if plan(desired, self._actual(uid, desired), self._site):
                due.append(uid)
        orphans = {
            uid
            for uid in (*self._view.pods(), *(item.spec.pod_uid for item in self._known.pod_ports.all()))
            if not self._known.pods.by("uid", uid)
        }
        self._gone |= orphans & self._suspects
        self._suspects = orphans - self._gone
        return due + [uid for uid in orphans if uid in self._gone]

    async def reconcile(self, key: str) -> Result:
        """Plan and apply in turn until nothing is left to do."""
        for _ in range(_TURNS):
            await self._poller.settle()
            pods = self._known.pods.by("uid", key)
            if not pods and key not in self._gone:
                return DONE
            desired = desired_of(pods[0]) if pods else None
            steps = plan(desired, self._actual(key, desired), self._site)
            if not steps:
                if not pods:
                    self._gone.discard(key)
                    self._told.pop(key, None)
                return DONE
            if any(isinstance(step, Blocked) for step in steps):
                self._poller.doubt(unless_younger=_PATIENCE)  # the node may have come since
            try:
                for step in steps:
                    told = await self._applier.apply(step)
                    log.info("step", pod=key_of(pods[0]) if pods else "", uid=key, step=str(step))
                    if isinstance(step, WritePodPort | DeletePodPort):
                        self._told[key] = told
            except _DOUBTFUL:
                self._poller.doubt()
                raise
        log.warning("a pod's network keeps changing", uid=key)
        return Result(requeue_after=POLL)

    async def failed(self, key: str, error: Exception) -> None:
        """Write an Event on the pod."""
        pods = self._known.pods.by("uid", key)
        if not pods:
            return
        if isinstance(error, CloudError):
            note = f"{error.service}: {error.cause}. {error.remedy}"  # without the request id: it is ever new
        elif isinstance(error, Problem):
            note = " ".join(f"{finding.cause}. {finding.remedy}" for finding in error.findings)
        else:
            note = f"{type(error).__name__}: see the log of causeway-controller."
        reason = "NotConnected" if isinstance(error, Problem) else type(error).__name__
        await self._recorder.record(PODS, pods[0].metadata, reason=reason, note=note, action="Connecting")

    def _actual(self, uid: str, desired: Desired | None) -> Actual:
        shown = self._known.pod_ports.by("uid", uid)
        told = self._told[uid] if uid in self._told else told_of(shown[0]) if shown else None
        return self._view.actual(uid, desired.node if desired else None, told)


async def site_of(
    neutron: Neutron, *, cluster: str, network_id: str, subnet_id: str, security_group_id: str
) -> Site:
    """Return the site, with what the cloud knows of its network and subnet. Raises ``CloudError``."""
    network, subnet = await asyncio.gather(neutron.get_network(network_id), neutron.get_subnet(subnet_id))
    return Site(
        cluster=cluster,
        network_id=network_id,
        subnet_id=subnet_id,
        prefix_length=int(subnet.cidr.rpartition("/")[2]),
        gateway=subnet.gateway_ip or "",
        security_groups=(security_group_id,),
        mtu=network.mtu,
    )


class Network(Lister, Ports, Protocol):
    """All this room does with Neutron."""


class Room:
    """The running room: two reflectors, one poller, one controller."""

    def __init__(
        self,
        site: Site,
        *,
        neutron: Network,
        kube: PodPorts,
        recorder: Recorder,
        pods: Source[Pod],
        pod_ports: Source[PodPort],
    ) -> None:
        known, view = stores(), View(site.cluster)
        self._poller = Poller(neutron, view, site.cluster)
        self._applier = Applier(neutron, kube, view, site)
        self.reconciler = Reconciler(
            site, known=known, view=view, poller=self._poller, applier=self._applier, recorder=recorder
        )
        self._pods = Reflector(pods, known.pods)
        self._pod_ports = Reflector(pod_ports, known.pod_ports)
        self.controller = Controller("pods", self.reconciler, workers=_WORKERS)
        self.controller.watch(self._pods, self.reconciler.pod_changed)
        self.controller.watch(self._pod_ports, self.reconciler.pod_port_changed)
        self.controller.after(self._poller.synced)

    @classmethod
    def at(cls, client: Client, neutron: Neutron, recorder: Recorder, site: Site) -> Self:
        """Return the room of the platform that ``client`` reaches."""
        fields = "spec.nodeName!=,spec.hostNetwork=false"  # no others are of interest, nor kept
        return cls(
            site,
            neutron=neutron,
            kube=client,
            recorder=recorder,
            pods=ApiSource(client, PODS, Pod, fields=fields),
            pod_ports=ApiSource(client, POD_PORTS, PodPort),
        )

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for part in (self._pods, self._pod_ports, self.controller):
                    group.create_task(part.run())
                group.create_task(self._poll())
        finally:
            self._applier.close()

    async def _poll(self) -> None:
        await self._pods.synced.wait()
        await self._pod_ports.synced.wait()
        while True:
            try:
                await self._poller.refresh()
                for key in self.reconciler.compare():
                    if not self.controller.queue.delayed(key):
                        self.controller.queue.add(key)
            except CloudError as error:
                log.warning("the cloud cannot be listed", cause=str(error))
            await asyncio.sleep(POLL)
