"""The work of this room: for each node a plan, its pool, calls that run beside each other, and words.

A key is the name of a node: its pool is what is planned. A reconciliation only plans, writes the pool and
starts calls; each that ends has the node looked at again.
"""

import asyncio
from collections.abc import Callable

from causeway.cloud.neutron import Port
from causeway.engine.reconciler import Result
from causeway.kit.errors import Finding
from causeway.kube.events import Recorder
from causeway.kube.resource import PODS
from causeway.rooms.pods.actual import Poller, View
from causeway.rooms.pods.apply import Applier
from causeway.rooms.pods.calls import Calls, key_of, keys_of
from causeway.rooms.pods.known import Known
from causeway.rooms.pods.model import Create, Delete, Plan, State, Unbind, host_of, slot_of
from causeway.rooms.pods.plan import plan
from causeway.rooms.pods.pools import POLICIES_IN_EFFECT, SUPPLIED, Pools
from causeway.rooms.pods.work import Work, Works, rest_key

_TOLD = 10  # pods that get an Event of one failure: the others' is the same
_LOOK_AGAIN = 5.0  # seconds between two lists while something is missing


class Reconciler:
    """Brings the pool of one node to what it should be."""

    def __init__(
        self,
        known: Known,
        works: Works,
        calls: Calls,
        *,
        view: View,
        poller: Poller,
        applier: Applier,
        pools: Pools,
        recorder: Recorder,
        wake: Callable[[str], None],
    ) -> None:
        self._known = known
        self._works = works
        self._calls = calls
        self._view = view
        self._poller = poller
        self._applier = applier
        self._pools = pools
        self._recorder = recorder
        self._wake = wake
        self._suspects: set[str] = set()  # loose ports of the last look

    async def reconcile(self, key: str) -> Result:
        """Plan for a node, write its pool, start the calls."""
        await self._poller.settle()
        work, now = self._works.of(key), asyncio.get_running_loop().time()
        self._take_loose(key)
        node, pool = self._known.node(key), self._known.pool(key)
        state = self._known.state(key)
        made = plan(state)
        known = pool.spec.ports if pool else None if node and state.trunk_id else made.entries
        if work.is_due(known, made.entries, now):
            work.written = await self._pools.write(key, pool, node, made.entries)
        planned = {kind for step in made.steps for kind in keys_of(step)}
        work.forget_except(planned, now)
        for step in made.steps:
            if not work.waits(key_of(step), now):
                self._calls.start(key, step)
        refused = frozenset(need.uid for need in state.needs if need.wish and need.wish.finding)
        missed, work.refused = refused - work.refused, refused
        if (made.findings or missed) and self._poller.doubt_if_older(_LOOK_AGAIN):
            self._wake(key)  # what lacks may have come since
        self._applier.name(key, made.names)
        await self._tell(key, work, made)
        await self._tell_wishes(work, state)
        await self._pools.tell_pods(self._known.pods_of_node(key), made.entries, state.claims)
        return Result(requeue_after=work.next_look(now))

    async def failed(self, key: str, error: Exception) -> None:
        """Do nothing: what concerns users is told where it happens."""

    # loose ports

    def _loose(self) -> list[Port]:
        return [port for port in self._view.loose() if not self._known.is_listed(port.id)]

    def _take_loose(self, node: str) -> None:
        """Destine for a node what is loose and of use to it.

        Not while ports are being made: a list may show them before the call that makes them has answered.
        """
        if self._applier.making:
            return
        loose = self._loose()
        if not loose:
            return
        state = self._known.state(node)
        lacking = [step for step in plan(state).steps if isinstance(step, Create)]
        for step in lacking:
            slot = step.special.slot if step.special else None
            fitting = [
                port
                for port in loose
                if port.network_id == step.network.network_id
                and slot_of(port) == slot
                and not host_of(port)
                and not state.native
                and (slot or tuple(sorted(port.security_groups)) == step.network.groups)
            ]
            for port in fitting[: step.count]:
                self._view.destine(port.id, node)

    def drop_loose(self) -> None:
        """Delete what was loose at the last look and still is: nobody had a use for it."""
        loose = {port.id for port in self._loose()}
        strays = self._view.prepared.strays({*self._view.hosts.values()})
        busy = self._works.of("").busy
        if not self._applier.making:
            for port_id in loose & self._suspects - busy:
                self._calls.start("", Delete(port_id))
        for port_id in strays & self._suspects - busy:
            if not self._known.is_listed(port_id):
                self._calls.start("", Unbind(port_id))
        self._suspects = loose | strays

    async def _tell(self, node: str, work: Work, made: Plan) -> None:
        """Say on the pool and on the pods that wait what is in the way; on the pool also that nothing is."""
        # Of what is in the way of one prepared port only its pod is told.
        pauses = [pause for key, pause in work.pauses.items() if not key.startswith(rest_key(""))]
        troubles = dict(made.findings) | {pause.reason: pause.finding for pause in pauses}
        hindered = self._known.hindered(node)
        lacking = {each.reason: each.finding for each in hindered if each.waits}
        unguarded = {each.reason: each.finding for each in hindered if not each.guarded}
        conditions = {SUPPLIED: troubles | lacking, POLICIES_IN_EFFECT: unguarded}
        await self._pools.tell(node, self._known.pool(node), conditions)
        for each in hindered[:_TOLD]:
            await self._tell_pod(each.uid, each.reason, each.finding)
        if not troubles:
            return
        reason, finding = next(iter(troubles.items()))
        waiting = [need for need in self._known.waiting(node) if need.wish is None or need.wish.port_id]
        for need in waiting[:_TOLD]:
            await self._tell_pod(need.uid, reason, finding)

    async def _tell_wishes(self, work: Work, state: State) -> None:
        """Say on pods why they do not get the port prepared for them, or what it means to have it."""
        claimed = {(claim.pod_uid, claim.interface) for claim in state.claims.values()}
        for need in state.needs:
            wish = need.wish
            if wish is None or need.leaving or (need.slot in claimed) != bool(wish.port_id and wish.finding):
                continue
            pause = work.pauses.get(rest_key(wish.port_id))
            if wish.finding is not None:
                await self._tell_pod(need.uid, wish.reason, wish.finding)
            elif pause is not None:
                await self._tell_pod(need.uid, pause.reason, pause.finding)

    async def _tell_pod(self, uid: str, reason: str, finding: Finding) -> None:
        note = f"{finding.cause}. {finding.remedy}"
        for pod in self._known.pods_of(uid):
            await self._recorder.record(PODS, pod.metadata, reason=reason, note=note, action="Connecting")
