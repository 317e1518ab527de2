"""Services: the wiring of watches, plan, steps and what the user is told.

A key is ``namespace/name``. The queue is the retry for whatever fails; what Octavia has not finished is not
waited for: the poller wakes the key. Two things are remembered here that no listing tells: when a load
balancer was repaired, because a creation that ends in ERROR later looks like a success to the queue; and what
was changed last, because a provider may say ACTIVE before the members it is to remove are gone.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog

from causeway.cloud import errors
from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import Octavia
from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.engine.steps import doing
from causeway.kit import metrics
from causeway.kube.client import Client
from causeway.kube.errors import ApiError
from causeway.kube.events import Recorder
from causeway.kube.informers import Informer, services_of
from causeway.kube.objects import EndpointSlice, Service, key_of
from causeway.kube.resource import SERVICES
from causeway.kube.store import Change
from causeway.rooms.services import address_steps, steps
from causeway.rooms.services.actual import actual, assemble, concerned
from causeway.rooms.services.apply import Hands
from causeway.rooms.services.desired import PLATFORMS_OWN, desired
from causeway.rooms.services.known import STUCK_AFTER
from causeway.rooms.services.model import CONDITION, SERVED, Desired, Setting
from causeway.rooms.services.plan import plan, possible
from causeway.rooms.services.present import Actual, Verdict
from causeway.rooms.services.remnants import Remnants
from causeway.rooms.services.snapshot import Snapshot

_log = structlog.get_logger(__name__)

_REPAIR_FIRST, _REPAIR_LAST = 5.0, 300.0  # seconds between two repairs of one Service, doubling
_FIRST_SLICE_SECONDS = 0.5  # the first EndpointSlice of a Service usually comes within a tenth of that
_PATIENCE = 15.0  # seconds before a change that shows no effect is made once more
_AGAIN = 0.3  # of the time waited for such an effect, until the next look


@dataclass
class _Repairs:
    """How often a Service's load balancer had to be made again, and until when the next time has to wait."""

    count: int = 0
    not_before: float = 0.0


class Sources(Protocol):
    """What this room follows."""

    @property
    def services(self) -> Informer[Service]:
        """All Services, by "uid"."""
        ...

    @property
    def slices(self) -> Informer[EndpointSlice]:
        """The EndpointSlices of Services, by "service"."""
        ...


class Services:
    """The room at work: give ``run`` to the process that holds the lease."""

    def __init__(
        self,
        setting: Setting,
        octavia: Octavia,
        neutron: Neutron,
        kube: Client,
        recorder: Recorder,
        *,
        sources: Sources,
    ) -> None:
        self._services, self._slices = sources.services.store, sources.slices.store
        self.snapshot = Snapshot(octavia, neutron, setting.cluster, self._wake)
        self.controller = Controller("services", self, workers=8, kind="Service")
        self.controller.after(self.snapshot.ready)
        self.controller.watch(sources.services, lambda change: [change.key])
        self.controller.watch(sources.slices, _keys_of_slice)
        self._setting = setting
        self._octavia = octavia
        self._hands = Hands(setting, octavia, neutron, kube, self.snapshot)
        subnets = (setting.service_subnet_id, setting.second_service_subnet_id)
        self._remnants = Remnants(octavia, neutron, subnets, lambda one: self.snapshot.get(one) is not None)
        self._recorder = recorder
        self._repairs: dict[str, _Repairs] = {}
        self._last: dict[str, dict[str, tuple[steps.Step, float]]] = {}
        self._suspects: set[str] = set()
        self._awaited: set[str] = set()
        self._synced = sources.services.synced

    async def run(self) -> None:
        """Work until cancelled."""
        with (
            metrics.LOAD_BALANCERS.reading(self.snapshot.levels),
            metrics.LOAD_BALANCERS_STUCK.reading(self.snapshot.stuck_levels),
        ):
            await self._run()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.snapshot.run(each_slow=lambda: self._sweep(group)))
            group.create_task(self.controller.run())

    async def reconcile(self, key: str) -> Result:
        """Do what is possible now for the Service ``key``."""
        service = self._services.get(key)
        if service is None or key == PLATFORMS_OWN:
            self._awaited.discard(key)
            return DONE  # with our finalizer a Service stays until nothing is left; else the sweep finds it
        if self._awaits_members(service, key):
            return Result(requeue_after=_FIRST_SLICE_SECONDS)
        uid = service.metadata.uid
        wanted = desired(service, self._slices.by("service", key), self._setting)
        present = await actual(service, wanted, self.snapshot, self._setting.cluster)
        remaining = plan(wanted, present)
        now = possible(remaining, present)
        pause = self._pause(uid, now)
        again = False
        for step in now:
            if (pause and _waits(step)) or self._just_done(uid, step):
                continue
            await self._do(step, service)
            again = again or not step.changes
        if not remaining and all(not one.busy for one in present.balancers):
            self._repairs.pop(uid, None)
            self._last.pop(uid, None)
        await self._tell_stuck(service)
        if again and any(isinstance(step, address_steps.AddressStep) for step in now):
            return Result(requeue_after=0.0)  # no poll tells of floating IPs soon; the status is to follow
        return Result(requeue_after=pause) if pause else DONE

    def _awaits_members(self, service: Service, key: str) -> bool:
        """Return, once for a new Service, whether its first EndpointSlice is still to come.

        Kubernetes writes it a moment after the Service. A load balancer made with its members needs no update
        of each listener's pool afterwards.
        """
        known = self._slices.by("service", key) or self.snapshot.of(service.metadata.uid)
        if not service.spec.selector or known or key in self._awaited:
            return False
        self._awaited.add(key)
        return True

    async def failed(self, key: str, error: Exception) -> None:
        """Tell the user why his Service is not served as he asked."""
        service = self._services.get(key)
        if service is None or not isinstance(error, errors.CloudError):
            return  # what Kubernetes refuses is in the log; writing to it once more would not help
        verdict = verdict_on(error)
        await self._warn(service, verdict)
        if _verdict_of(service) == verdict:
            return
        try:
            await self._hands.do(steps.WriteStatus(_ingress_of(service), verdict), service)
        except ApiError as refusal:
            _log.warning("status not written", service=key, cause=str(refusal))

    async def _do(self, step: steps.Step, service: Service) -> None:
        try:
            with doing(step):
                await self._hands.do(step, service)
        except errors.Immutable:
            # An earlier change is not finished, though the listing said so: the poller wakes us.
            if step.balancer is not None:
                self.snapshot.changed(step.balancer)
            return
        except errors.AddressTaken:
            self._remnants.suspect()
            await self.snapshot.refresh()
            if not self.snapshot.of(service.metadata.uid):
                raise
            return  # by ourselves, in a call that was still under way when we were stopped: adopted
        except errors.CloudError as error:
            if step.balancer is not None:
                self.snapshot.doubt(step.balancer)
            if isinstance(error, errors.Timeout | errors.ServerError | errors.Unreachable):
                if isinstance(step, steps.CreateBalancer):
                    self._remnants.suspect()
                await self.snapshot.refresh()  # the call may have taken effect: look before it is repeated
            raise
        if step.changes and step.balancer is not None:
            done = self._last.setdefault(service.metadata.uid, {})
            done[step.balancer] = (step, asyncio.get_running_loop().time())
        if _repairing(step):
            repairs = self._repairs.setdefault(service.metadata.uid, _Repairs())
            pause = min(_REPAIR_LAST, _REPAIR_FIRST * 2**repairs.count)
            repairs.count += 1
            repairs.not_before = asyncio.get_running_loop().time() + pause
            await self._warn(service, Verdict(False, "LoadBalancerError", f"{step}. It is made again."))
        if isinstance(step, steps.WriteStatus) and step.verdict and step.verdict.reason != SERVED:
            await self._warn(service, step.verdict)

    def _just_done(self, uid: str, step: steps.Step) -> bool:
        """Return whether the last change was this one, a moment ago: its effect is still to be seen."""
        if step.balancer is None:
            return False
        done, when = self._last.get(uid, {}).get(step.balancer, (None, 0.0))
        waited = asyncio.get_running_loop().time() - when
        if step != done or waited > _PATIENCE:
            return False
        self.snapshot.look_again(step.balancer, _AGAIN * waited)
        return True

    def _pause(self, uid: str, now: list[steps.Step]) -> float:
        """Return for how many seconds repairs of this Service still have to wait."""
        repairs = self._repairs.get(uid)
        if repairs is None or not any(_waits(step) for step in now):
            return 0.0
        return max(0.0, repairs.not_before - asyncio.get_running_loop().time())

    async def _tell_stuck(self, service: Service) -> None:
        identifier = self.snapshot.stuck(service.metadata.uid)
        if identifier is None:
            return
        cause = f"Load balancer {identifier} is PENDING for over {STUCK_AFTER / 60:.0f} minutes."
        remedy = "Ask the cloud's administrator to look at Octavia's workers or the provider's agent."
        verdict = Verdict(False, "LoadBalancerStuck", f"{cause} {remedy}")
        await self._warn(service, verdict)
        if _verdict_of(service) != verdict:
            await self._hands.do(steps.WriteStatus(_ingress_of(service), verdict), service)

    async def _warn(self, service: Service, verdict: Verdict) -> None:
        await self._recorder.record(
            SERVICES, service.metadata, reason=verdict.reason, note=verdict.message, action="LoadBalance"
        )

    def _wake(self, uid: str) -> None:
        for service in self._services.by("uid", uid):
            self.controller.queue.add(key_of(service))

    def _sweep(self, group: asyncio.TaskGroup) -> None:
        """Delete what is left of Services that no longer exist, when two slow polls agree on that."""
        group.create_task(self._clear_remnants())
        if not self._synced.is_set():
            return
        orphans = {uid for uid in self.snapshot.uids() if not self._services.by("uid", uid)}
        for uid in orphans & self._suspects:
            group.create_task(self._clear(uid))
        self._suspects = orphans

    async def _clear_remnants(self) -> None:
        try:
            await self._remnants.clear()
        except errors.CloudError as error:
            _log.warning("ports without load balancers not cleared yet", cause=str(error))

    async def _clear(self, uid: str) -> None:
        """Do what the Service itself would have had done when it went."""
        try:
            balancers = await assemble(
                concerned(uid, self.snapshot).values(), self.snapshot, self._setting.cluster
            )
            present = Actual(balancers, tuple(self.snapshot.addresses.of(uid)))
            for step in possible(plan(Desired("", uid), present), present):
                with doing(step):
                    await self._hands.do(step, None)
        except errors.CloudError as error:
            _log.warning("not cleared yet", uid=uid, cause=str(error))


def verdict_on(error: errors.CloudError) -> Verdict:
    """Return what the user is told about a failure; the request id, new each time, is in the log."""
    return Verdict(False, type(error).__name__, f"{error.service}: {error.cause}. {error.remedy}")


def _verdict_of(service: Service) -> Verdict | None:
    for one in service.status.conditions:
        if one.type == CONDITION:
            return Verdict(one.status == "True", one.reason, one.message)
    return None


def _ingress_of(service: Service) -> tuple[str, ...]:
    ingress = service.status.load_balancer.ingress
    return tuple(one.hostname or one.ip for one in ingress if one.hostname or one.ip)


def _waits(step: steps.Step) -> bool:
    return _repairing(step) or isinstance(step, steps.CreateBalancer)


def _repairing(step: steps.Step) -> bool:
    return bool(getattr(step, "repair", False))


def _keys_of_slice(change: Change[EndpointSlice]) -> Iterable[str]:
    return {key for part in (change.old, change.new) if part is not None for key in services_of(part)}
