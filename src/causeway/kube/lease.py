"""Electing one leader among several instances by a Lease of the API.

Whether another's lease has run out is judged by our own monotonic clock, from when its record last changed
before our eyes: clocks of different machines need not agree, and may jump. A leader that cannot renew stops
its work before anybody else may begin; one that stops in order gives the lease back, so that the next starts
at once.

A process that was paused (by a debugger, a frozen machine, a blocked event loop) cannot stop in time: it
finds itself in the middle of its work when another leads already. So whoever writes asks ``may_act``
immediately before: it is False from four fifths of a lease after the last renewal on, whatever the delay.

A killed leader is replaced after ``duration`` + ``retry`` seconds at most (12): an instance that stands by
sees the last renewal up to ``retry`` late, and looks again the moment the lease has run out. The API is
unreachable for ``duration`` * 0.8 - ``retry`` seconds (6) at least before a leader gives up. The price is one
write every ``retry`` seconds by the leader, and one read by each other.
"""

import asyncio
import contextlib
import datetime
import math
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from causeway.kube.errors import ApiError, Conflict, NotFound, Object
from causeway.kube.resource import LEASES, Resource

log = structlog.get_logger()

_PATIENCE = 0.8  # of a lease; in the rest of it, what was sent at the last moment arrives


class LeaseLost(Exception):
    """The lease could not be renewed in time; the work was stopped."""


class Leases(Protocol):
    """The part of the client that an election needs."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Return one object."""
        ...

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        """Create an object."""
        ...

    async def replace(self, resource: Resource, body: Object) -> Object:
        """Write a whole object, refused if it changed since it was read."""
        ...


class Election:
    """One candidate. A lease lasts ``duration`` seconds unrenewed and is tried every ``retry`` seconds."""

    def __init__(
        self,
        client: Leases,
        name: str,
        namespace: str,
        identity: str,
        *,
        duration: float = 10.0,
        retry: float = 2.0,
    ) -> None:
        self._client = client
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._duration = duration
        self._retry = retry
        self._patience = duration * _PATIENCE
        self._seen: tuple[object, float] = (None, 0.0)  # a foreign record, and when it was first seen
        self._lasts = duration  # seconds the foreign record is good for
        self._held: Object | None = None  # the lease as we wrote it last
        self._until = -math.inf  # up to when nobody else can have begun
        self.leading = False

    def may_act(self) -> bool:
        """Say whether what is done now is done as the leader. Never waits, never asks anybody."""
        return self.leading and asyncio.get_running_loop().time() < self._until

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then run ``work`` while holding it; return when ``work`` returns.

        Raises ``LeaseLost`` if the lease was lost, after ``work`` was cancelled and has ended.
        """
        now = asyncio.get_running_loop().time
        while True:
            started = now()
            try:
                async with asyncio.timeout(self._patience):
                    if await self._take():
                        break
            except Conflict:
                pass  # another candidate was faster
            except (ApiError, TimeoutError) as error:
                cause = str(error) or "no answer in time"
                log.warning("lease cannot be asked", lease=self._name, cause=cause)
            await asyncio.sleep(self._pause())
        log.info("leading", lease=self._name, identity=self._identity)
        self._until = started + self._patience
        self.leading = True
        task = asyncio.ensure_future(work())
        try:
            await self._renew_while(task)
            await task
        finally:
            self.leading = False
            if not task.done():
                task.cancel()
                try:
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                except Exception as error:  # what ended the leading counts; this is told beside it
                    log.warning("work failed while it was stopped", lease=self._name, cause=repr(error))
            await self._release()

    async def _renew_while(self, task: "asyncio.Future[None]") -> None:
        """Renew until ``task`` ends; raise ``LeaseLost`` four fifths of a lease after the last success.

        Who was paused for longer tries once more: if nobody has taken the lease meanwhile, it goes on.
        """
        now = asyncio.get_running_loop().time
        pause = self._retry
        while True:
            await asyncio.wait([task], timeout=pause)
            if task.done():
                return
            started = now()
            try:
                async with asyncio.timeout_at(max(self._until, started + self._retry)):
                    if not await self._take():
                        raise LeaseLost("another instance holds the lease")
                self._until, pause = started + self._patience, self._retry
            except TimeoutError as error:
                raise LeaseLost("the API did not answer in time to renew the lease") from error
            except ApiError as error:  # a conflict too: read and tried again while there is time
                log.warning("lease not renewed", lease=self._name, cause=str(error))
                pause = min(self._retry / 2, max(0.0, self._until - now()))
                if now() >= self._until:
                    raise LeaseLost("the lease could not be renewed in time") from error

    async def _take(self) -> bool:
        """Take or renew the lease; False if another holds it."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: Object = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, int(self._duration)),
            "renewTime": now,
        }
        lease, self._held = self._held, None  # whatever fails now, it is read anew next time
        try:
            lease = lease or await self._client.get(LEASES, self._name, self._namespace)
        except NotFound:
            meta = {"name": self._name, "namespace": self._namespace}
            spec |= {"acquireTime": now, "leaseTransitions": 0}
            body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": spec}
            self._held = await self._client.create(LEASES, body, self._namespace)
            return True
        held = lease.get("spec") or {}
        ours = held.get("holderIdentity") == self._identity
        if not ours and not self._free(held):
            return False
        transitions = int(held.get("leaseTransitions") or 0)
        acquired = held.get("acquireTime") if ours else None
        spec |= {"acquireTime": acquired or now, "leaseTransitions": transitions + (not ours)}
        self._held = await self._client.replace(LEASES, {**lease, "spec": spec})
        return True

    def _pause(self) -> float:
        """Return the seconds to the next look: not beyond the end of another's lease."""
        record, since = self._seen
        left = since + self._lasts - asyncio.get_running_loop().time() if record else math.inf
        return min(self._retry, left) if left > 0 else self._retry

    def _free(self, held: Object) -> bool:
        """Return whether a foreign lease was given back, or has stood still for its whole duration."""
        if not held.get("holderIdentity"):
            return True
        record = (held.get("holderIdentity"), held.get("renewTime"), held.get("leaseTransitions"))
        now = asyncio.get_running_loop().time()
        if self._seen[0] != record:
            self._seen = (record, now)
            self._lasts = float(held.get("leaseDurationSeconds") or self._duration)
        return now - self._seen[1] >= self._lasts

    async def _release(self) -> None:
        """Give the lease back if it is ours; failing to is harmless, it runs out."""
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._retry):
                self._held = None
                lease = await self._client.get(LEASES, self._name, self._namespace)
                held = lease.get("spec") or {}
                if held.get("holderIdentity") == self._identity:
                    released = {**held, "holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._client.replace(LEASES, {**lease, "spec": released})
