"""Wiring of this room: when a node is looked at, and what users are told. A key is the name of a node.

A node that is well is looked at every few minutes, one that is not every few seconds; both at the same
moments for all nodes, so that one listing of the servers serves them all.
"""

import asyncio
from collections.abc import Iterable
from typing import Self

from causeway.cloud.errors import CloudError
from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.engine.steps import doing
from causeway.kit.errors import Problem
from causeway.kube.client import Client
from causeway.kube.errors import ApiError
from causeway.kube.events import Recorder
from causeway.kube.informers import Informer
from causeway.kube.informers import Lister as Kept
from causeway.kube.objects import Node
from causeway.kube.resource import NODES
from causeway.kube.store import Change
from causeway.rooms.nodes.actual import Lister, Servers
from causeway.rooms.nodes.apply import Applier
from causeway.rooms.nodes.desired import foreign, identify, ready, uninitialised
from causeway.rooms.nodes.model import PROVIDED_ADDRESS, SHUTDOWN, ChangeNode, DeleteNode, Landscape, Step
from causeway.rooms.nodes.plan import plan, plan_gone

_WELL = 300.0  # seconds between two looks at nodes that are well: a floating IP, a resize
_UNWELL = 10.0  # seconds between two looks at nodes that are not


class Reconciler:
    """Brings one node to what the cloud says of its server."""

    def __init__(self, nodes: Kept[Node], servers: Servers, applier: Applier, recorder: Recorder) -> None:
        self._nodes = nodes
        self._servers = servers
        self._applier = applier
        self._recorder = recorder

    async def reconcile(self, key: str) -> Result:
        """Fill in, correct or remove the node ``key``."""
        node = self._nodes.get(key)
        if node is None or node.metadata.deletion_timestamp:
            return DONE
        seen = await self._servers.recent()
        if foreign(node, seen.region):
            return DONE
        steps = self._plan(node, seen)
        for step in steps:
            await self._tell(node, step)
            with doing(step):
                await self._applier.do(step, node)
            if isinstance(step, DeleteNode):
                self._servers.forget(step.server)
        return Result(requeue_after=_next(_WELL if ready(node) else _UNWELL))

    async def failed(self, key: str, error: Exception) -> None:
        """Tell the user why a node is not filled in; what Kubernetes refuses is in the log."""
        node = self._nodes.get(key)
        if node is None or isinstance(error, ApiError):
            return
        if isinstance(error, CloudError):
            if uninitialised(node):
                note = f"{error.service}: {error.cause}. {error.remedy}"
                await self._record(node, "ServersNotListed", note, "Initialise")
        elif isinstance(error, Problem):
            note = " ".join(f"{each.cause}. {each.remedy}" for each in error.findings)
            await self._record(node, "NotInitialised", note, "Initialise")

    def _plan(self, node: Node, seen: Landscape) -> list[Step]:
        identity = identify(node, seen)
        if identity is None:
            raise Problem.of(
                f"node {node.metadata.name}",
                "no server of the project has this name",
                "Start its kubelet with the provider ID (openstack:///SERVER-ID) of its server.",
            )
        server = seen.of(identity)
        if self._servers.proven_gone(identity, seen, self._nodes.all()):
            return plan_gone(node, identity.server)
        return plan(node, server, seen.region) if server is not None else []

    async def _tell(self, node: Node, step: Step) -> None:
        if isinstance(step, DeleteNode):
            note = f"Server {step.server} does not exist any more: the node is removed."
            await self._record(node, "ServerGone", note, "Remove", warning=False)
        elif isinstance(step, ChangeNode) and step.taints_added:
            note = "The node's server is off: its pods and their volumes go elsewhere until it runs again."
            await self._record(node, "ServerStopped", note, "Taint")
        elif isinstance(step, ChangeNode) and any(key == SHUTDOWN for _, key in step.taints_removed):
            await self._record(node, "ServerRuns", "The node's server runs again.", "Taint", warning=False)

    async def _record(self, node: Node, reason: str, note: str, action: str, *, warning: bool = True) -> None:
        await self._recorder.record(
            NODES,
            node.metadata,
            reason=reason,
            note=note,
            action=action,
            type="Warning" if warning else "Normal",
        )


def keys_of(change: Change[Node]) -> Iterable[str]:
    """Return the node when something of it changed that this room reads; kubelets report much else."""
    if change.new is not None and (change.old is None or _read(change.old) != _read(change.new)):
        yield change.key


def _read(node: Node) -> object:
    meta, spec = node.metadata, node.spec
    provided = meta.annotations.get(PROVIDED_ADDRESS)
    return meta.uid, meta.labels, provided, spec.provider_id, spec.taints, node.status.addresses, ready(node)


def _next(period: float) -> float:
    """Return the seconds until the next multiple of ``period``, which is the same moment for all nodes."""
    return period - asyncio.get_running_loop().time() % period


class Room:
    """The room at work."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller

    @property
    def controllers(self) -> list[Controller]:
        """Return what metrics are read from."""
        return [self.controller]

    @classmethod
    def at(cls, kube: Client, nova: Lister, recorder: Recorder, cluster: str, nodes: Informer[Node]) -> Self:
        """Return the room for the platform ``cluster`` (its UUID)."""
        reconciler = Reconciler(nodes.store, Servers(nova, cluster), Applier(kube), recorder)
        controller = Controller("nodes", reconciler, workers=8, kind="Node")
        controller.watch(nodes, keys_of)
        return cls(controller)

    async def run(self) -> None:
        """Work until cancelled."""
        await self.controller.run()
