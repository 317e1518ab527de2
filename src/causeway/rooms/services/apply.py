"""Doing a step: the only code of the room that writes to the cloud or to Kubernetes.

Every step may be repeated after a crash at any moment: what exists already is found by its tags, and deleting
what is gone succeeds.
"""

import datetime
from typing import Any

import msgspec

from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import (
    ListenerRequest,
    LoadBalancerRequest,
    MemberRequest,
    Octavia,
    PoolRequest,
)
from causeway.cloud.ownership import Owner
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Service
from causeway.kube.resource import SERVICES
from causeway.rooms.services import steps
from causeway.rooms.services.actual import Snapshot
from causeway.rooms.services.desired import subnet_of
from causeway.rooms.services.model import (
    CONDITION,
    FINALIZER,
    KIND,
    Backend,
    Desired,
    Front,
    Setting,
    Verdict,
    listener_name,
    pool_name,
)

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

    async def do(self, step: steps.Step, service: Service | None) -> None:
        """Do one step; ``service`` may be None for steps that touch only the cloud.

        Raises ``CloudError`` or ``ApiError``; the step may then have taken effect or not.
        """
        match step:
            case steps.AddFinalizer() | steps.RemoveFinalizer() | steps.WriteStatus():
                if service is not None:
                    await self._tell(step, service)
            case steps.AddressStep():
                await self._address(step)
            case steps.CreateBalancer(desired):
                self._snapshot.created(await self._octavia.create_load_balancer(self.request(desired)))
            case _:
                await self._change(step)

    def request(self, desired: Desired) -> LoadBalancerRequest:
        """Return the one request that creates everything ``desired`` says."""
        owner = Owner(self._setting.cluster, KIND, desired.uid)
        listeners = [
            ListenerRequest(
                name=listener_name(desired.service, front),
                protocol=front.protocol,
                protocol_port=front.port,
                default_pool=self._pool(desired.service, front, backend, self._members(backend)),
            )
            for front, backend in desired.listeners.items()
        ]
        return LoadBalancerRequest(
            name=desired.service,
            vip_address=str(desired.vip),
            vip_subnet_id=self._setting.service_subnet_id,
            provider=self._setting.provider.name,
            tags=owner.tags(),
            listeners=listeners,
        )

    async def _change(self, step: steps.Step) -> None:
        """Change a load balancer that exists: from the moment of the request it is busy."""
        match step:
            case steps.DeleteBalancer(identifier):
                await self._octavia.delete_load_balancer(identifier)
            case steps.CreateListener(identifier, service, front):
                await self._octavia.create_listener(
                    ListenerRequest(
                        name=listener_name(service, front),
                        protocol=front.protocol,
                        protocol_port=front.port,
                        loadbalancer_id=identifier,
                    )
                )
            case steps.DeleteListener(_, listener_id):
                await self._octavia.delete_listener(listener_id)
            case steps.CreatePool(_, service, listener_id, front, backend):
                request = self._pool(service, front, backend, [])
                await self._octavia.create_pool(msgspec.structs.replace(request, listener_id=listener_id))
            case steps.DeletePool(_, pool_id):
                await self._octavia.delete_pool(pool_id)
            case steps.PutMembers(_, pool_id, _, backend):
                await self._octavia.put_members(pool_id, self._members(backend))
            case _:
                raise TypeError(f"no step of this room: {step!r}")
        self._snapshot.changed(str(step.balancer))

    async def _address(self, step: steps.Step) -> None:
        match step:
            case steps.TakeAddress(_, port_id, uid):
                owner = Owner(self._setting.cluster, KIND, uid)
                network = self._setting.external_network_id
                address = await self._neutron.create_floating_ip(network, port_id, owner)
                self._snapshot.put_address(address)
                await self._neutron.tag_floating_ip(address.id, owner)
                self._snapshot.put_address(msgspec.structs.replace(address, tags=owner.tags()))
            case steps.TagAddress(address_id, uid):
                owner = Owner(self._setting.cluster, KIND, uid)
                await self._neutron.tag_floating_ip(address_id, owner)
                self._snapshot.tagged(address_id, owner)
            case steps.AssociateAddress(_, address_id, port_id):
                self._snapshot.put_address(await self._neutron.associate_floating_ip(address_id, port_id))
            case steps.ReleaseAddress(address_id):
                await self._neutron.delete_floating_ip(address_id)
                self._snapshot.drop_address(address_id)

    async def _tell(self, step: steps.Step, service: Service) -> None:
        meta = {
            "name": service.metadata.name,
            "namespace": service.metadata.namespace,
            # With the uid, applying to a Service that is gone fails instead of making another one.
            "uid": service.metadata.uid,
        }
        if isinstance(step, steps.WriteStatus):
            body = {"metadata": meta, "status": _status(step)}
            await self._kube.apply(body, manager=_STATUS_MANAGER, resource=SERVICES, subresource="status")
            return
        finalizers = [FINALIZER] if isinstance(step, steps.AddFinalizer) else []
        try:
            await self._kube.apply(
                {"metadata": {**meta, "finalizers": finalizers}}, manager=MANAGER, resource=SERVICES
            )
        except NotFound:
            if finalizers:
                raise

    def _pool(
        self, service: str, front: Front, backend: Backend, members: list[MemberRequest]
    ) -> PoolRequest:
        return PoolRequest(
            name=pool_name(service, front, sticky=backend.sticky),
            protocol=front.protocol,
            lb_algorithm=self._setting.provider.algorithms[0],
            session_persistence=_persistence(backend.sticky),
            members=members,
        )

    def _members(self, backend: Backend) -> list[MemberRequest]:
        return [
            MemberRequest(member.address, member.port, subnet_of(member.address, self._setting.places))
            for member in sorted(backend.members)
        ]


def _persistence(sticky: bool) -> dict[str, str] | None:
    return {"type": "SOURCE_IP"} if sticky else None


def _status(step: steps.WriteStatus) -> dict[str, Any]:
    """Return all of the status that is ours: what is left out of a server-side apply is removed."""
    conditions = [_condition(step.verdict)] if step.verdict else []
    return {
        "loadBalancer": {"ingress": [{"ip": ip} for ip in step.ingress]} if step.ingress else {},
        "conditions": conditions,
    }


def _condition(verdict: Verdict) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": CONDITION,
        "status": "True" if verdict.ready else "False",
        "reason": verdict.reason,
        "message": verdict.message,
        "lastTransitionTime": now,
    }
