"""Wiring of this room: watches, keys, and what whoever makes ports is told."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from causeway.cloud.errors import CloudError
from causeway.engine.controller import Controller
from causeway.kit.errors import Finding
from causeway.kube.events import Recorder
from causeway.kube.objects import Pod
from causeway.rooms.policies.actual import View
from causeway.rooms.policies.apply import Applier, Groups
from causeway.rooms.policies.follow import Follower, Sources
from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import member_of
from causeway.rooms.policies.reconciler import Reconciler

log = structlog.get_logger()

POLL = 30.0  # seconds between two lists of the cloud


class Others(Protocol):
    """Knows the groups of pods that no policy is for."""

    def of(self, pod: Pod) -> tuple[str, ...] | None:
        """Return the ids of a pod's groups, or None while they are not known."""
        ...

    def on_change(self, wake: Callable[[str], None]) -> None:
        """Call ``wake(uid)`` when the answer for a pod may have changed."""
        ...


class Room:
    """The running room; it knows the groups of pods.

    ``others`` knows them for pods that no policy selects. ``families`` are the versions of IP that pods have
    addresses of, ``services`` the ranges of services' addresses.
    """

    def __init__(
        self,
        neutron: Groups,
        recorder: Recorder,
        sources: Sources,
        others: Others,
        *,
        cluster: str,
        families: tuple[int, ...] = (4,),
        services: tuple[str, ...] = (),
        address_groups: bool = True,
    ) -> None:
        self._others = others
        self._index = Index(families, services)
        self._view = View(neutron, cluster, address_groups=address_groups)
        self.reconciler = Reconciler(
            self._index, self._view, Applier(neutron, self._view), recorder, address_groups=address_groups
        )
        self._follower = Follower(self._index, sources, self.reconciler.changed)
        self.synced = asyncio.Event()
        self.controllers = [
            Controller("policies", self.reconciler, kind="NetworkPolicy", subject=self.reconciler.subject)
        ]
        self.controllers[0].after(self.synced)
        self.reconciler.enqueue = self._enqueue

    def of(self, pod: Pod) -> tuple[str, ...] | None:
        """Return the ids of the groups of a pod's port, sorted, or None while they are not known."""
        if not (self.synced.is_set() and self._follower.settled()):
            return None
        member = member_of(pod)
        keys = self._index.groups_of(member) if member else ()
        if not keys:
            return self._others.of(pod)
        ids = [identifier for key in keys if (identifier := self.reconciler.ready(key))]
        return tuple(sorted(ids)) if len(ids) == len(keys) else None

    def trouble(self, pod: Pod) -> tuple[str, Finding] | None:
        """Return what the cloud refuses of a pod's groups: a word for machines, and words for people."""
        member = member_of(pod) if self.reconciler.troubled else None
        return self.reconciler.trouble(self._index.groups_of(member)) if member else None

    def on_change(self, wake: Callable[[str], None]) -> None:
        """Call ``wake(uid)`` whenever the answer for the pod of that uid may have changed."""
        self.reconciler.wake = wake
        self._others.on_change(wake)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follower.run())
            group.create_task(self.controllers[0].run())
            group.create_task(self._poll())

    async def _poll(self) -> None:
        await self._follower.synced.wait()
        while True:
            try:
                await self._view.refresh()
                async for key in self.reconciler.compare():
                    if not self.controllers[0].queue.delayed(key):
                        self.controllers[0].queue.add(key)
                self.synced.set()
            except CloudError as error:
                log.warning("the cloud cannot be listed", cause=str(error))
            await asyncio.sleep(POLL)

    def _enqueue(self, key: str, delay: float) -> None:
        queue = self.controllers[0].queue
        if not delay:
            queue.add(key)
        elif not queue.delayed(key):
            queue.add_after(key, delay)
