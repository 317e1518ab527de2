"""What the cloud has for Services: one poller, which lists slowly and looks at what is PENDING at its time.

``Snapshot`` holds every load balancer that carries the cluster's tags with all that is known below it, those
of others that Services of ours use, and the project's floating IPs. Octavia changes things long after it has
answered: each change is looked at when it is probably done, and the Services of a load balancer that settled
are woken.
"""

import asyncio
from collections.abc import Callable, Iterable

import msgspec
import structlog

from causeway.cloud import errors, octavia_providers
from causeway.cloud.octavia_objects import ACTIVE, LoadBalancer
from causeway.cloud.ownership import of_cluster
from causeway.rooms.services import known
from causeway.rooms.services.known import STUCK_AFTER, Known
from causeway.rooms.services.lost import pending_parts, written_off
from causeway.rooms.services.model import KIND
from causeway.rooms.services.pace import UNKNOWN
from causeway.rooms.services.seen import Seen

_log = structlog.get_logger(__name__)

_AFTER_FAILURE = 2.0  # seconds
_LOOKS = 8  # trees read at the same time


class Snapshot(Known):
    """What is known, kept up to date by a poller."""

    async def refresh(self) -> None:
        """List everything now and wake the Services of what changed."""
        started = self._now()
        listed = await self._octavia.list_load_balancers(of_cluster(self._cluster, KIND))
        addresses = await self._neutron.list_all_floating_ips()
        for uid in self.addresses.take(addresses, started):
            self._wake(uid)
        await self._visit_again()
        self._take(listed, started)
        if not self.ready.is_set():
            await self._read_all_parts()
        self.ready.set()

    async def run(self, each_slow: Callable[[], None] = lambda: None) -> None:
        """Poll until cancelled; ``each_slow`` is called after every list of everything."""
        slow = self._now()
        while True:
            try:
                if self._now() >= slow:
                    await self.refresh()
                    slow = self._now() + known.SLOW
                    each_slow()
                await self._look()
            except errors.CloudError as error:
                pause = getattr(error, "retry_after", _AFTER_FAILURE)
                _log.warning("poll failed", cause=str(error), again_in=pause)
                await asyncio.sleep(pause)
                continue
            await self._pause(slow)

    async def _pause(self, slow: float) -> None:
        """Wait until something is due, or becomes due earlier than was known."""
        self._kick.clear()
        first = min([slow, *(seen.due for seen in self._seen.values() if seen.due is not None)])
        try:
            async with asyncio.timeout_at(max(first, self._now())):
                await self._kick.wait()
        except TimeoutError:
            return

    async def _look(self) -> None:
        now = self._now()
        due = [seen for seen in self._seen.values() if seen.due is not None and seen.due <= now]
        for first in range(0, len(due), _LOOKS):
            await asyncio.gather(*(self._look_at(seen) for seen in due[first : first + _LOOKS]))

    async def _look_at(self, seen: Seen) -> None:
        """Read what became of a change."""
        started, identifier = self._now(), seen.balancer.id
        self.looks += 1
        pace = self._pace(seen)
        try:
            tree = await self._octavia.status_tree(identifier)
        except errors.NotFound:
            pace.ended(identifier, self._now())
            self._retime(seen)
            self._drop(seen)
            return
        now = self._now()
        seen.looked = now
        if self._seen.get(identifier) is not seen or seen.touched > started:
            return  # changed again meanwhile, with a time of its own
        waited = now - seen.touched
        seen.lost &= pending_parts(tree)
        tree = written_off(tree, seen.lost)
        lost = pending_parts(tree)
        if lost and tree.provisioning_status == ACTIVE and pace.lost(identifier, now):
            _log.warning(
                "provider has lost parts", load_balancer=identifier, parts=sorted(lost), waited=waited
            )
            seen.lost |= lost
            tree = written_off(tree, lost)
            pace.forget(identifier)  # that nobody waits for it any more is no progress of its provider
        if tree.pending and seen.pending_since is not None and waited < STUCK_AFTER:
            pace.goes_on(identifier, tree.pending_members, waited, now)
            self._retime(seen)
            return
        if tree.pending:
            seen.due = None  # the slow lists go on looking
            pace.forget(identifier)
            self._wake_all(seen)
            return
        pace.ended(identifier, now)
        self._retime(seen)
        seen.tree, seen.pending_since, seen.due, seen.told = tree, None, None, True
        seen.balancer = msgspec.structs.replace(seen.balancer, provisioning_status=tree.provisioning_status)
        self._wake_all(seen)  # also those it holds nothing of any more
        self._index(seen)

    def _take(self, listed: Iterable[LoadBalancer], started: float) -> None:
        fresh = {balancer.id: balancer for balancer in listed}
        for identifier, seen in [*self._seen.items()]:
            if identifier not in fresh and seen.touched < started and not seen.foreign:
                self._drop(seen)
        for balancer in fresh.values():
            self._take_one(balancer, started)

    def _take_one(self, balancer: LoadBalancer, started: float) -> None:
        known = self._seen.get(balancer.id)
        if known is not None and known.touched >= started:
            return  # listed before our change: a look tells
        if known is None:
            known = self._seen[balancer.id] = Seen(balancer)
            differs = True
        else:
            differs = _differ(known.balancer, balancer) and not (known.told and not balancer.pending)
            known.balancer, known.told = balancer, False
        if known.due is not None:  # a provider may say so before its work has ended: our look decides
            known.balancer = msgspec.structs.replace(balancer, provisioning_status="PENDING_UPDATE")
            if not balancer.pending and (_is_believed(balancer) or _is_long(started - known.looked)):
                known.due = min(known.due, self._now())  # lest a wrong expectation be what proves itself
            return
        known.listed = True
        self._index(known)
        if differs:
            known.tree, known.complete = None, False
        if not balancer.pending:
            known.pending_since = None
        elif known.pending_since is None:
            known.touched = started
            self._begin(known, UNKNOWN)
        if differs or self._is_stuck(known):
            self._wake_all(known)

    async def _visit_again(self) -> None:
        """Read again the load balancers that lists by our tags do not show."""
        for identifier, seen in [*self._seen.items()]:
            if not seen.foreign or seen.due is not None:
                continue
            try:
                found = await self._octavia.get_load_balancer(identifier)
            except errors.NotFound:
                self._drop(seen)
                continue
            self._take_one(found, self._now())

    async def _read_all_parts(self) -> None:
        """Read the options of all that is ours, before the first Service is worked on."""
        for listener in await self.parts.read_all():
            for balancer in listener.loadbalancers:
                await self.visit(balancer.id)
                self._holders.link(balancer.id, self._uids(listener.tags))


def _is_long(seconds: float) -> bool:
    """Return whether that is too long for nothing but an expectation to be relied upon."""
    return seconds >= known.SLOW


def _is_believed(balancer: LoadBalancer) -> bool:
    """Return whether ACTIVE of a load balancer means that its parts are, too."""
    provider = octavia_providers.known(balancer.provider)
    return provider is not None and not provider.tells_early


def _differ(old: LoadBalancer, new: LoadBalancer) -> bool:
    return (old.provisioning_status, old.updated_at, old.vip_port_id, old.tags) != (
        new.provisioning_status,
        new.updated_at,
        new.vip_port_id,
        new.tags,
    )
