"""Steps become calls here and nowhere else. Every step may be repeated: what is done already is success.

Ports are made in bulk and subports changed in groups, one call at a time for a trunk: Neutron locks it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

from causeway.cloud import errors
from causeway.cloud.neutron import Port, PortRequest, Subport, Trunk
from causeway.cloud.ownership import Owner
from causeway.engine.batch import Batcher
from causeway.kit.errors import Problem
from causeway.kube.objects import Meta, PodPort
from causeway.kube.resource import POD_PORTS, PODS, Resource
from causeway.rooms.pods.actual import View
from causeway.rooms.pods.model import (
    KIND,
    AddSubport,
    Blocked,
    CreatePort,
    DeletePodPort,
    DeletePort,
    Desired,
    RemoveSubport,
    Site,
    Step,
    Told,
    WritePodPort,
)
from causeway.rooms.pods.plan import VLANS, free_vlans

MANAGER = "causeway-pods"
NODE_LABEL = "causeway.dev/node"
"""By this label of its PodPorts a node finds them without seeing others'."""
_PORTS_A_CALL = 10  # more are hardly cheaper each, and all wait for the last
_CREATIONS = 3  # at a time
_SUBPORTS_A_CALL = 50
_DELETIONS = 8  # at a time; Neutron deletes ports one by one
_NAME_LENGTH = 255  # of a port

_ONE_MAY_BE_TO_BLAME = (
    errors.Quota,
    errors.NoAddresses,
    errors.BadRequest,
    errors.Conflict,
    errors.NotFound,
)


class Ports(Protocol):
    """The part of Neutron that is written."""

    async def create_ports(self, requests: Sequence[PortRequest]) -> list[Port]:
        """Create ports in one call."""
        ...

    async def delete_port(self, port_id: str) -> None:
        """Delete a port."""
        ...

    async def get_trunk(self, trunk_id: str) -> Trunk:
        """Return one trunk."""
        ...

    async def add_subports(self, trunk_id: str, subports: Sequence[Subport]) -> Trunk:
        """Add subports in one call."""
        ...

    async def remove_subports(self, trunk_id: str, port_ids: Iterable[str]) -> Trunk:
        """Remove subports in one call."""
        ...


class PodPorts(Protocol):
    """The part of the Kubernetes client that writes PodPorts."""

    async def apply(self, body: dict[str, Any], *, manager: str) -> dict[str, Any]:
        """Declare an object."""
        ...

    async def delete(self, resource: Resource, name: str, namespace: str, *, version: str) -> bool:
        """Delete an object that is still at ``version``."""
        ...


@dataclass
class _TrunkCalls:
    adding: Batcher[str, None]
    removing: Batcher[str, None]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Applier:
    """Applies steps and enters what they did into the view."""

    def __init__(self, neutron: Ports, kube: PodPorts, view: View, site: Site) -> None:
        self._neutron = neutron
        self._kube = kube
        self._view = view
        self._site = site
        self._creating = Batcher(
            self._create_ports,
            most=_PORTS_A_CALL,
            flights=_CREATIONS,
            divisible=_ONE_MAY_BE_TO_BLAME,
            final=(errors.Quota, errors.NoAddresses),
        )
        self._trunks: dict[str, _TrunkCalls] = {}
        self._deleting = asyncio.Semaphore(_DELETIONS)

    async def apply(self, step: Step) -> Told | None:
        """Do one step; return what the node is told now if the step told it something.

        Raises ``CloudError``, ``ApiError``, or ``Problem`` where nothing can be done for now.
        """
        match step:
            case CreatePort(pod):
                await self._creating.ask(pod)
            case AddSubport(trunk_id, port_id):
                await self._calls(trunk_id).adding.ask(port_id)
            case RemoveSubport(trunk_id, port_id):
                await self._calls(trunk_id).removing.ask(port_id)
            case DeletePort(port_id):
                async with self._deleting:
                    await self._neutron.delete_port(port_id)
                self._view.port_gone(port_id)
            case WritePodPort():
                return await self._write(step)
            case DeletePodPort(told):
                await self._kube.delete(POD_PORTS, told.name, told.namespace, version=told.version)
            case Blocked(finding):
                raise Problem(finding)
        return None

    def close(self) -> None:
        """Break off what is under way."""
        self._creating.close()
        for calls in self._trunks.values():
            calls.adding.close()
            calls.removing.close()

    async def _create_ports(self, pods: Sequence[Desired]) -> list[None]:
        requests = [
            PortRequest(
                name=f"{pod.namespace}/{pod.name}"[:_NAME_LENGTH],
                network_id=self._site.network_id,
                tags=Owner(self._site.cluster, KIND, pod.uid).tags(),
                fixed_ips=[{"subnet_id": self._site.subnet_id}],
                security_groups=list(self._site.security_groups),
            )
            for pod in pods
        ]
        for port in await self._neutron.create_ports(requests):
            self._view.port_made(port)
        return [None] * len(pods)

    async def _write(self, step: WritePodPort) -> Told:
        pod, spec = step.pod, step.spec
        owner = {"apiVersion": PODS.api_version, "kind": PODS.kind, "name": pod.name, "uid": pod.uid}
        labels = {NODE_LABEL: pod.node}
        meta = {"name": pod.name, "namespace": pod.namespace, "labels": labels, "ownerReferences": [owner]}
        body = {
            "apiVersion": POD_PORTS.api_version,
            "kind": POD_PORTS.kind,
            "metadata": meta,
            "spec": msgspec.to_builtins(spec),
        }
        written = msgspec.convert(await self._kube.apply(body, manager=MANAGER), PodPort)
        return told_of(written)

    def _calls(self, trunk_id: str) -> _TrunkCalls:
        calls = self._trunks.get(trunk_id)
        if calls is None:

            async def add(port_ids: Sequence[str]) -> list[None]:
                return await self._change(trunk_id, "add", port_ids)

            async def remove(port_ids: Sequence[str]) -> list[None]:
                return await self._change(trunk_id, "remove", port_ids)

            calls = _TrunkCalls(
                Batcher(add, most=_SUBPORTS_A_CALL, divisible=_ONE_MAY_BE_TO_BLAME),
                Batcher(remove, most=_SUBPORTS_A_CALL, divisible=_ONE_MAY_BE_TO_BLAME),
            )
            self._trunks[trunk_id] = calls
        return calls

    async def _change(
        self, trunk_id: str, verb: Literal["add", "remove"], port_ids: Sequence[str]
    ) -> list[None]:
        """Add or remove subports, but only those that are not as asked already."""
        async with self._trunks[trunk_id].lock:
            trunk = self._view.trunks.get(trunk_id)
            if trunk is None:
                if verb == "remove":  # the trunk is gone, and its subports with it
                    return [None] * len(port_ids)
                raise errors.NotFound("network", f"trunk {trunk_id} does not exist any more", status=404)
            wanted = [port_id for port_id in port_ids if (port_id in trunk.vlans) == (verb == "remove")]
            if wanted:
                await self._ask_for_change(trunk_id, verb, wanted)
        return [None] * len(port_ids)

    async def _ask_for_change(self, trunk_id: str, verb: str, port_ids: list[str]) -> None:
        try:
            if verb == "remove":
                changed = await self._neutron.remove_subports(trunk_id, port_ids)
            else:
                changed = await self._neutron.add_subports(trunk_id, self._subports(trunk_id, port_ids))
        except errors.CloudError:
            await self._look_again(trunk_id)
            raise
        self._view.trunk_changed(changed)

    def _subports(self, trunk_id: str, port_ids: list[str]) -> list[Subport]:
        trunk = self._view.trunks[trunk_id]
        vlans = free_vlans(trunk.vlans.values(), len(port_ids), after=trunk.last_vlan)
        if len(vlans) < len(port_ids):
            raise TrunkFull(trunk.node)
        trunk.last_vlan = vlans[-1]
        return [Subport(port_id, vlan) for port_id, vlan in zip(port_ids, vlans, strict=True)]

    async def _look_again(self, trunk_id: str) -> None:
        """Learn what became of a trunk after a call that failed; if that fails too, the poller will."""
        try:
            self._view.trunk_changed(await self._neutron.get_trunk(trunk_id))
        except errors.NotFound:
            self._view.trunk_gone(trunk_id)
        except errors.CloudError:
            return


class TrunkFull(errors.Conflict):
    """All VLANs of a node's trunk are given out."""

    remedy = "Have fewer pods on the node: lower its maxPods, or add nodes."

    def __init__(self, node: str) -> None:
        super().__init__("network", f"all {len(VLANS)} VLANs of the trunk of node {node} are in use")


def told_of(podport: PodPort) -> Told:
    """Return a PodPort as this room thinks of it."""
    meta: Meta = podport.metadata
    return Told(meta.namespace, meta.name, meta.resource_version, podport.spec)
