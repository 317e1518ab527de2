"""Wiring of this room: watches, keys, and what happens for each course.

A key is the uid of a namespace: one made again under its old name is another, and the old one's network may
still be on its way out. The key ``PEERS`` stands for the address group of those who may reach every
namespace.
"""

import asyncio
from collections.abc import Iterable
from typing import Self

import structlog

from causeway.cloud.errors import (
    BadRequest,
    CloudError,
    Conflict,
    NotFound,
    ServerError,
    Timeout,
    Unreachable,
)
from causeway.cloud.networks import Networks
from causeway.cloud.security_groups import SecurityGroups
from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.engine.steps import doing
from causeway.kit.errors import Finding, Problem
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.kube.objects import Namespace, Pod, Service
from causeway.kube.store import Change
from causeway.rooms.namespaces.actual import View
from causeway.rooms.namespaces.answers import Answers
from causeway.rooms.namespaces.apply import Hands
from causeway.rooms.namespaces.desired import (
    Course,
    contested,
    course_of,
    inhabited,
    openings_of,
    peers_of,
    wish_of,
)
from causeway.rooms.namespaces.kubernetes import Api, Kube, Sources
from causeway.rooms.namespaces.model import Desired, Setting, Wish
from causeway.rooms.namespaces.plan import own_of, plan
from causeway.rooms.namespaces.telling import Voice, verdict_on

log = structlog.get_logger()

POLL = 30.0  # seconds between two lists of the cloud
PEERS = "peers"
_WORKERS = 16
_TURNS = 8  # of plan and apply for one key; five suffice where nobody interferes
_SOON = 2.0  # seconds until pods' ports may have gone
_LATER = 10.0  # seconds until pods that hold a change up are counted again

# After these it is not known what the cloud looks like.
_DOUBTFUL = (Timeout, ServerError, Unreachable, NotFound, Conflict, BadRequest)


class Namespaces:
    """The running room; ``answers`` are for the pods' room."""

    def __init__(
        self,
        setting: Setting,
        *,
        networks: Networks,
        groups: SecurityGroups,
        kube: Kube,
        recorder: Recorder,
        sources: Sources,
    ) -> None:
        self.view = View(networks, groups, setting.cluster, setting.router_id)
        self.namespaces = sources.namespaces.store
        self.answers = Answers(self.namespaces)
        self._services, self._pods = sources.services.store, sources.pods.store
        self._setting = setting
        self._networks = networks
        self._kube = kube
        self._hands = Hands(setting, networks, groups, self.view)
        self._voice = Voice(kube, recorder)
        self._gone: set[str] = set()  # namespaces known to be gone, whose networks may be taken away
        self._suspects: set[str] = set()  # namespaces without an object when last looked
        self.controller = Controller(
            "namespaces", self, workers=_WORKERS, kind="Namespace", subject=self._subject
        )
        self.controller.watch(sources.namespaces, self._namespace_changed)
        self.controller.watch(sources.services, self._service_changed)
        self.controller.watch(sources.pods, self._pod_changed)
        self.controller.after(self.view.synced)
        self._followed = (sources.namespaces.synced, sources.services.synced, sources.pods.synced)
        self.synced = sources.namespaces.synced

    @classmethod
    def at(
        cls,
        client: Client,
        setting: Setting,
        *,
        networks: Networks,
        groups: SecurityGroups,
        recorder: Recorder,
        sources: Sources,
    ) -> Self:
        """Return the room of the platform that ``client`` reaches."""
        return cls(
            setting,
            networks=networks,
            groups=groups,
            kube=Api(client),
            recorder=recorder,
            sources=sources,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.controller.run())
                group.create_task(self._poll())
        finally:
            self._hands.close()

    async def reconcile(self, key: str) -> Result:
        """Do what the course of the namespace ``key`` asks for."""
        await self.view.settle()
        if key == PEERS:
            await self._keep_peers()
            return DONE
        found = self.namespaces.by("uid", key)
        if not found:
            return await self._remove(key) if key in self._gone else DONE
        return await self._follow(found[0])

    async def failed(self, key: str, error: Exception) -> None:
        """Tell the user why his namespace has no network yet, or why its network is still there."""
        found = self.namespaces.by("uid", key)
        if found and isinstance(error, CloudError | Problem):
            await self._voice.failed(found[0], verdict_on(error))

    def compare(self) -> list[str]:
        """Return the keys to work on after a list of the cloud; what is whole costs no call then.

        What has no namespace is only counted as gone when a second look agrees.
        """
        there = self.view.uids()
        orphans = {uid for uid in there if not self.namespaces.by("uid", uid)}
        self._gone |= orphans & self._suspects
        self._suspects = orphans - self._gone
        wished = {each.metadata.uid for each in self.namespaces.all() if wish_of(each, self._setting).own}
        return [*sorted((wished | there | self._gone) - self._suspects), PEERS]

    def _subject(self, key: str) -> str:
        found = self.namespaces.by("uid", key)
        return found[0].metadata.name if found else key

    async def _follow(self, namespace: Namespace) -> Result:
        uid, name = namespace.metadata.uid, namespace.metadata.name
        wish, actual = wish_of(namespace, self._setting), self.view.actual(uid)
        lived_in = False
        if wish.finding is None and contested(wish, actual):
            lived_in = inhabited(await self._kube.pods(name), whole=own_of(actual) is not None)
        course = course_of(wish, actual, inhabited=lived_in)
        match course:
            case Course.OWN | Course.STAY_OWN:
                return await self._keep(namespace, wish, stays=course is Course.STAY_OWN)
            case Course.REFUSE:
                self.answers.withdraw(namespace)
                await self._voice.refused(namespace, wish)
                return Result(requeue_after=_LATER)
            case Course.STAY_SHARED:
                self.answers.give(namespace, None)
                await self._voice.stays(namespace, wish, own=False)
                return Result(requeue_after=_LATER)
            case Course.REPLACE:
                self.answers.withdraw(namespace)
                await self._remove(uid)
                return Result(requeue_after=_SOON)
            case Course.SHARED:
                self.answers.give(namespace, None)
                result = await self._remove(uid)
                await self._voice.shared(namespace, needed=self._setting.own_by_default)
                return result

    async def _keep(self, namespace: Namespace, wish: Wish, *, stays: bool) -> Result:
        """Make the network of a namespace, or keep it as it is for the pods that live on it."""
        name, uid = namespace.metadata.name, namespace.metadata.uid
        if self.answers.own(name) is None:
            self.answers.withdraw(namespace)
        services = self._services.by("namespace", name)
        openings = openings_of(services, {})
        if openings.unknown:
            openings = openings_of(services, await self._kube.target_ports(name, openings.unknown))
        desired = Desired(
            uid,
            name,
            ranges=() if stays else wish.ranges,
            openings=openings.rules,
            everybody=name in self._setting.global_namespaces,
            peers=frozenset() if self.view.has_address_groups else self._peer_ranges(),
        )
        if self.view.has_address_groups and not self.view.peers.all():
            await self._keep_peers()
        await self._apply(uid, desired)
        own = own_of(self.view.actual(uid))
        if own is None:
            return Result(requeue_after=_SOON)
        if self.answers.give(namespace, own) and desired.everybody:
            self.controller.queue.add(PEERS)
        if stays:
            await self._voice.stays(namespace, wish, own=True)
            return Result(requeue_after=_LATER)
        await self._voice.own(namespace, own)
        return Result(requeue_after=POLL) if openings.unknown else DONE

    async def _remove(self, uid: str) -> Result:
        """Take away what there is for a namespace, after its pods' ports."""
        actual = self.view.actual(uid)
        if not actual.networks and not actual.groups:
            self._gone.discard(uid)
            return DONE
        busy = sum([await self._networks.count_ports(each.id) for each in actual.networks])
        if busy:
            log.info("pods' ports are still on the network", uid=uid, ports=busy)
            return Result(requeue_after=_SOON)
        await self._apply(uid, None)
        self.controller.queue.add(PEERS)
        return Result(requeue_after=0.0)

    async def _apply(self, uid: str, desired: Desired | None) -> None:
        for _ in range(_TURNS):
            await self.view.settle()
            steps = plan(desired, self.view.actual(uid), self._setting)
            if not steps:
                return
            try:
                for step in steps:
                    with doing(step):
                        await self._hands.do(step)
            except _DOUBTFUL:
                self.view.doubt()
                raise
        raise Problem(Finding(f"namespace {uid}", "its network keeps changing", "See the controller's log."))

    async def _keep_peers(self) -> None:
        """Keep the address group of those who may reach every namespace, while there is one to reach."""
        try:
            if not self.view.uids() and not self._wished():
                for each in self.view.peers.all():
                    await self._hands.drop_peers(each.id)
            elif not self.view.has_address_groups or await self._hands.keep_peers(self._peer_ranges()):
                for uid in self.view.uids():
                    self.controller.queue.add(uid)
        except _DOUBTFUL:
            self.view.doubt()
            raise

    def _peer_ranges(self) -> frozenset[str]:
        names = sorted(self._setting.global_namespaces)
        found = [self.namespaces.get(name) for name in names]
        subnets = [subnet for each in found if each for subnet in self.view.actual(each.metadata.uid).subnets]
        return peers_of((pod for name in names for pod in self._pods.by("namespace", name)), subnets)

    def _wished(self) -> bool:
        return any(wish_of(each, self._setting).own for each in self.namespaces.all())

    def _namespace_changed(self, change: Change[Namespace]) -> Iterable[str]:
        if change.new is None and change.old is not None:
            self._gone.add(change.old.metadata.uid)
            self.answers.withdraw(change.old)
        return [each.metadata.uid for each in (change.old, change.new) if each is not None]

    def _service_changed(self, change: Change[Service]) -> Iterable[str]:
        kinds = {each.spec.type for each in (change.old, change.new) if each is not None}
        if "LoadBalancer" not in kinds:
            return []  # others open nothing
        namespace = self.namespaces.get(change.key.split("/")[0])
        return [namespace.metadata.uid] if namespace is not None else []

    def _pod_changed(self, change: Change[Pod]) -> Iterable[str]:
        return [PEERS] if change.key.split("/")[0] in self._setting.global_namespaces else []

    async def _poll(self) -> None:
        for event in self._followed:
            await event.wait()
        while True:
            try:
                await self.view.refresh()
                for key in self.compare():
                    if not self.controller.queue.delayed(key):
                        self.controller.queue.add(key)
            except CloudError as error:
                log.warning("the cloud cannot be listed", cause=str(error))
            await asyncio.sleep(POLL)
