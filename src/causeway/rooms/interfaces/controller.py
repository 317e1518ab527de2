"""Wiring of this room: definitions are watched, networks looked up once for each, users told.

A key is that of a definition. What a pod asks for is answered at once from what is known; who could not be
answered is woken when that changes.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from causeway.cloud.errors import CloudError
from causeway.cloud.networks import Networks
from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.kit.errors import Problem
from causeway.kube.events import Recorder
from causeway.kube.informers import Informer
from causeway.kube.interfaces import (
    AttachmentDefinition,
    Interface,
    interfaces_of,
    network_named,
)
from causeway.kube.objects import Meta, Pod
from causeway.kube.resource import PODS
from causeway.kube.store import Change
from causeway.rooms.interfaces.model import Found, Known
from causeway.rooms.interfaces.resolve import resolve

log = structlog.get_logger()

_AGAIN = 300.0  # seconds until a network that was found is looked up again


class Interfaces:
    """The running room."""

    def __init__(
        self, *, networks: Networks, recorder: Recorder, definitions: Informer[AttachmentDefinition]
    ) -> None:
        self._networks = networks
        self._recorder = recorder
        self._definitions = definitions
        self._found: dict[str, Found] = {}
        self._wrong: dict[str, str] = {}  # by definition, what is wrong with it
        self._waiting: dict[str, dict[str, Meta]] = {}  # by definition: who asked for it in vain, by uid
        self._wakes: list[Callable[[str], None]] = []
        self._told: set[asyncio.Task[None]] = set()
        self.controller = Controller("interfaces", self, workers=4)
        self.controller.watch(definitions, self._changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self.controller.run()

    # what the pods' room asks

    def of(self, pod: Pod) -> tuple[Known, ...]:
        """Return the further interfaces of a pod that can be made; its user is told of the others."""
        try:
            asked = interfaces_of(pod)
        except ValueError as error:
            self._tell(pod.metadata, "InvalidNetworks", f"Annotation k8s.v1.cni.cncf.io/networks: {error}.")
            return ()
        known = []
        for each in asked:
            found = self._found.get(each.key)
            if found is None:
                self._explain(pod, each)
            else:
                known.append(Known(each.name, found, each.addresses, each.mac))
        return tuple(known)

    def on_change(self, wake: Callable[[str], None]) -> None:
        """Call ``wake(uid)`` whenever the answer for the pod of that uid may have changed."""
        self._wakes.append(wake)

    # definitions

    async def reconcile(self, key: str) -> Result:
        """Look up the network a definition names."""
        definition = self._definitions.store.get(key)
        if definition is None:
            self._found.pop(key, None)
            return DONE
        try:
            found = await resolve(self._networks, network_named(definition), f"definition {key}")
        except ValueError as error:
            self._wrong[key] = f"{error}. Correct the definition."
            self._found.pop(key, None)
            self._tell_waiting(key)
            return DONE
        self._wrong.pop(key, None)
        if self._found.get(key) != found:
            self._found[key] = found
            for uid in self._waiting.pop(key, {}):
                for wake in self._wakes:
                    wake(uid)
        return Result(requeue_after=_AGAIN)

    async def failed(self, key: str, error: Exception) -> None:
        """Tell the users of the pods that wait for the network."""
        if isinstance(error, CloudError):
            self._wrong[key] = f"{error.service}: {error.cause}. {error.remedy}"
        elif isinstance(error, Problem):
            self._wrong[key] = " ".join(f"{each.cause}. {each.remedy}" for each in error.findings)
        else:
            return
        self._tell_waiting(key)

    def _changed(self, change: Change[AttachmentDefinition]) -> Iterable[str]:
        return [change.key]

    def _explain(self, pod: Pod, interface: Interface) -> None:
        """Remember who waits for what, and say why, if that is known."""
        key = interface.key
        self._waiting.setdefault(key, {})[pod.metadata.uid] = pod.metadata
        if key in self._wrong:
            self._tell_waiting(key)
        elif self._definitions.synced.is_set() and self._definitions.store.get(key) is None:
            note = f"There is no NetworkAttachmentDefinition {key}. Make it, or correct the annotation."
            self._tell(pod.metadata, "NoSuchNetwork", note)

    def _tell_waiting(self, key: str) -> None:
        for about in self._waiting.get(key, {}).values():
            self._tell(about, "NoSuchNetwork", f"NetworkAttachmentDefinition {key}: {self._wrong[key]}")

    def _tell(self, about: Meta, reason: str, note: str) -> None:
        telling = self._recorder.record(PODS, about, reason=reason, note=note, action="Connecting")
        task = asyncio.create_task(telling)
        self._told.add(task)
        task.add_done_callback(self._told.discard)
