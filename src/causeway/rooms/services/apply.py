"""Doing a step: the only code of the room that writes to the cloud or to Kubernetes.

Every step may be repeated after a crash at any moment: what exists already is found by its tags, and deleting
what is gone succeeds.
"""

import asyncio
import datetime
from collections import defaultdict
from typing import Any

import msgspec

from causeway.cloud import errors
from causeway.cloud.neutron import FloatingIP, Neutron
from causeway.cloud.octavia import Octavia
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Service
from causeway.kube.resource import SERVICES
from causeway.rooms.services import address_steps, requests, steps
from causeway.rooms.services.addresses import borrowing
from causeway.rooms.services.annotations import written
from causeway.rooms.services.model import CONDITION, FINALIZER, Setting
from causeway.rooms.services.pace import Size
from causeway.rooms.services.present import Verdict
from causeway.rooms.services.snapshot import Snapshot

MANAGER = "causeway-services"
_STATUS_MANAGER = "causeway-services-status"


class Hands:
    """Carries steps out."""

    def __init__(
        self,
        setting: Setting,
        octavia: Octavia,
        neutron: Neutron,
        kube: Client,
        snapshot: Snapshot,
    ) -> None:
        self._setting = setting
        self._octavia = octavia
        self._neutron = neutron
        self._kube = kube
        self._snapshot = snapshot
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def do(self, step: steps.Step, service: Service | None) -> None:
        """Do one step; ``service`` may be None for steps that touch only the cloud.

        Raises ``CloudError`` or ``ApiError``; the step may then have taken effect or not.
        """
        match step:
            case steps.ServiceStep():
                if service is not None:
                    await self._tell(step, service)
            case address_steps.AddressStep():
                await self._address(step)
            case steps.CreateBalancer():
                await self._create(step)
            case _:
                await self._change(step)

    async def _create(self, step: steps.CreateBalancer) -> None:
        sharing = step.wanted.sharing
        if sharing is None:
            await self._make(step)
            return
        async with self._locks[sharing.name]:  # of those who come at the same time one makes it
            if not self._snapshot.shared(sharing.name):
                await self._make(step)

    async def _make(self, step: steps.CreateBalancer) -> None:
        fronts = step.wanted.fronts
        request = requests.load_balancer(self._setting, step.subject, step.wanted)
        made = await self._octavia.create_load_balancer(request)
        members = sum(len(serving.members) for serving in fronts.values())
        self._snapshot.created(made, Size(len(fronts), members))

    async def _change(self, step: steps.Step) -> None:
        """Change a load balancer that exists: from the moment of the request it is busy."""
        octavia, setting, snapshot = self._octavia, self._setting, self._snapshot
        identifier = str(step.balancer)
        size = self._size(identifier, step)
        match step:
            case steps.DeleteBalancer():
                await octavia.delete_load_balancer(identifier)
            case steps.ShareBalancer(_, uid, joins):
                seen = snapshot.get(identifier)
                if seen is None:
                    return
                # From the tags as they are now: another Service may have written its own meanwhile.
                tags = requests.sharing_tags(seen.balancer.tags, setting, uid, joins=joins)
                await octavia.set_tags(identifier, tags)
                snapshot.tagged(identifier, tags)
            case steps.CreateListener(_, subject, front, options):
                request = requests.listener(setting, subject, front, options)
                request = msgspec.structs.replace(request, loadbalancer_id=identifier)
                snapshot.learned(identifier, await octavia.create_listener(request))
            case steps.UpdateListener(_, listener_id, _, options):
                changes = requests.listener_changes(options)
                snapshot.learned(identifier, await octavia.update_listener(listener_id, changes))
            case steps.DeleteListener(_, listener_id):
                await octavia.delete_listener(listener_id)
            case _:
                await self._change_pool(step, identifier)
        snapshot.changed(identifier, size, going=isinstance(step, steps.DeleteBalancer))

    async def _change_pool(self, step: steps.Step, identifier: str) -> None:
        octavia, setting, snapshot = self._octavia, self._setting, self._snapshot
        match step:
            case steps.CreatePool(_, subject, listener_id, front, options):
                pool = requests.pool(setting, subject, front, options)
                pool = msgspec.structs.replace(pool, listener_id=listener_id)
                snapshot.learned(identifier, await octavia.create_pool(pool))
            case steps.UpdatePool(_, pool_id, _, options):
                changes = requests.pool_changes(options)
                snapshot.learned(identifier, await octavia.update_pool(pool_id, changes))
            case steps.DeletePool(_, pool_id):
                await octavia.delete_pool(pool_id)
            case steps.PutMembers(_, pool_id, _, serving):
                await octavia.put_members(pool_id, requests.members(setting, serving))
            case steps.CreateMonitor(_, pool_id, subject, front, monitor):
                watch = requests.monitor(setting, subject, front, monitor, pool_id)
                snapshot.learned(identifier, await octavia.create_monitor(watch))
            case steps.UpdateMonitor(_, monitor_id, _, monitor):
                changes = requests.monitor_changes(monitor)
                snapshot.learned(identifier, await octavia.update_monitor(monitor_id, changes))
            case steps.DeleteMonitor(_, monitor_id):
                await octavia.delete_monitor(monitor_id)
            case _:
                raise TypeError(f"no step of this room: {step!r}")

    def _size(self, identifier: str, step: steps.Step) -> Size:
        seen = self._snapshot.get(identifier)
        fronts = len(seen.balancer.listeners) if seen else 1
        if isinstance(step, steps.DeleteBalancer):
            return Size(fronts, len(seen.tree.members) if seen and seen.tree else fronts)
        return Size(fronts, step.different if isinstance(step, steps.PutMembers) else 1)

    async def _address(self, step: steps.Step) -> None:
        neutron, addresses = self._neutron, self._snapshot.addresses
        match step:
            case address_steps.TakeAddress():
                async with self._locks[step.port_id]:  # of those who share the port one takes it
                    if addresses.at("", step.port_id, step.uid):
                        return
                    if step.floating.address and await self._exists(step.floating.address):
                        return  # made since the last list: the next plan sees it
                    address = await self._take(step)
                    addresses.put(address)
                await self._tag(address.id, step.uid)
            case address_steps.BorrowAddress(_, address_id, port_id, uid):
                tags = borrowing(requests.owner(self._setting, uid))
                await neutron.tag_floating_ip(address_id, tags)
                addresses.tagged(address_id, tags)
                await self._associate(address_id, port_id, tags)
            case address_steps.TagAddress(address_id, uid):
                await self._tag(address_id, uid)
            case address_steps.AssociateAddress(_, address_id, port_id):
                addresses.put(await neutron.associate_floating_ip(address_id, port_id))
            case address_steps.ReleaseAddress(address_id):
                await neutron.delete_floating_ip(address_id)
                addresses.drop(address_id)
            case address_steps.LeaveAddress(address_id, borrowed):
                # The tags go last: until then whoever finishes this finds what is left to do.
                if borrowed:
                    left = await neutron.associate_floating_ip(address_id, None)
                else:
                    left = await neutron.disown_floating_ip(address_id)
                addresses.put(left)
                await neutron.tag_floating_ip(address_id, [])
                addresses.tagged(address_id, [])

    async def _exists(self, address: str) -> bool:
        """Look once more whether the project has a floating IP before it is made."""
        for one in await self._neutron.list_all_floating_ips():
            if one.floating_ip_address == address:
                self._snapshot.addresses.put(one)
                return True
        return False

    async def _take(self, step: address_steps.TakeAddress) -> FloatingIP:
        """Take a floating IP; of several subnets from the first that has one left."""
        owner = requests.owner(self._setting, step.uid)
        floating = step.floating
        for subnet in step.subnets[:-1]:
            try:
                return await self._neutron.create_floating_ip(
                    floating.network_id, step.port_id, owner, subnet_id=subnet, address=floating.address
                )
            except errors.NoAddresses:
                continue
        last = step.subnets[-1] if step.subnets else ""
        return await self._neutron.create_floating_ip(
            floating.network_id, step.port_id, owner, subnet_id=last, address=floating.address
        )

    async def _associate(self, address_id: str, port_id: str, tags: list[str]) -> None:
        address = await self._neutron.associate_floating_ip(address_id, port_id)
        self._snapshot.addresses.put(msgspec.structs.replace(address, tags=tags))

    async def _tag(self, address_id: str, uid: str) -> None:
        tags = requests.owner(self._setting, uid).tags()
        await self._neutron.tag_floating_ip(address_id, tags)
        self._snapshot.addresses.tagged(address_id, tags)

    async def _tell(self, step: steps.Step, service: Service) -> None:
        meta: dict[str, Any] = {
            "name": service.metadata.name,
            "namespace": service.metadata.namespace,
            # With the uid, applying to a Service that is gone fails instead of making another one.
            "uid": service.metadata.uid,
        }
        if isinstance(step, steps.WriteStatus):
            body = {"metadata": meta, "status": _status(step)}
            await self._kube.apply(body, manager=_STATUS_MANAGER, resource=SERVICES, subresource="status")
        elif isinstance(step, steps.WriteMeta):
            meta["finalizers"] = [FINALIZER] if step.finalizer else []
            await self._write_meta(step, meta)

    async def _write_meta(self, step: steps.WriteMeta, meta: dict[str, Any]) -> None:
        body = {"metadata": {**meta, "annotations": dict(step.annotations)}}
        try:
            answer = await self._kube.apply(body, manager=MANAGER, resource=SERVICES)
            # What came with a copy of another Service is not ours to leave out.
            stale = step.stale & written(answer["metadata"].get("annotations", {})).keys()
            if stale:
                body = {"metadata": {"uid": meta["uid"], "annotations": dict.fromkeys(stale)}}
                await self._kube.patch(SERVICES, meta["name"], body, meta["namespace"])
        except NotFound:
            if step.finalizer:
                raise


def _status(step: steps.WriteStatus) -> dict[str, Any]:
    """Return all of the status that is ours: what is left out of a server-side apply is removed."""
    status: dict[str, Any] = {"conditions": [_condition(step.verdict)] if step.verdict else []}
    if step.ingress is not None:
        status["loadBalancer"] = {"ingress": [_ingress(one) for one in step.ingress]} if step.ingress else {}
    return status


def _ingress(address: str) -> dict[str, str]:
    numeric = ":" in address or address.replace(".", "").isdigit()
    return {"ip": address} if numeric else {"hostname": address}


def _condition(verdict: Verdict) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": CONDITION,
        "status": "True" if verdict.ready else "False",
        "reason": verdict.reason,
        "message": verdict.message,
        "lastTransitionTime": now,
    }
