"""Either images change or unused blobs are collected: a Lease of the API says which.

A collection looks which blobs images name and deletes all others: an image that is pushed meanwhile would
lose its blobs. That somebody is given a token to push is therefore written into the Lease (once a minute is
enough), and who collects takes the Lease when the last of those tokens has ended. Both write what they have
read before, so that one of two at once is refused and looks again.

A push is not broken off while its token lives. One upload that takes longer than a token may be refused at
its end, and be sent again. Who pushes again and again keeps the collector out: it is ended after an hour, and
the next one tries.

Who collects renews the Lease every few seconds, and once more right before each handful of what he deletes.
Who would push takes it away from one he has seen stand still for as long as it lasts, by his own clock, and
writes that: whoever collected may not renew it any more. What is deleted after a renewal is deleted within
three quarters of that time, counted from before it was sent, or not at all. So clocks need not agree.

What a store was asked to delete may be deleted after who asked was broken off. So the Lease is given back
only after deletions that ended well; after any other it runs out.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from causeway.kit.errors import Finding, Problem
from causeway.kube.client import Client
from causeway.kube.errors import ApiError, Conflict, Object
from causeway.kube.resource import LEASES
from causeway.rooms.registry.tokens import LIFE

NAME, NAMESPACE = "causeway-registry", "kube-system"
PUSHED = "registry.causeway.dev/pushed"
"""Annotation of the Lease: when somebody was given a token to push last, give or take ``_GRAIN``."""

_GRAIN = timedelta(minutes=1)
_LEEWAY = timedelta(minutes=1)  # for which the registry takes a token that has ended
_CLOCKS = timedelta(minutes=1)  # by which clocks of two nodes may differ
QUIET = LIFE + _GRAIN + _LEEWAY + _CLOCKS
"""From the last record of a push on, until nobody can have a token to push any more."""

LONGEST = timedelta(hours=1)
"""Of one collection, waiting for pushes to end included: it ends by itself after that."""

LASTS = 60.0
"""Seconds after which a collector that has not renewed the Lease counts as lost."""

_PATIENCE = 0.75  # of that; in the rest of it, what was sent at the last moment arrives
_TURNS = 6  # renewals in that time
_LOOK_EVERY = 5.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Gate:
    """What the Lease says: when a push was recorded, and who collects ("" nobody).

    ``lasts`` is for how many seconds that counts in this ``version``, whatever a clock says; ``ended`` when a
    collector of an older kind, which did not renew it, had to be done, None with one that does.
    """

    pushed: datetime | None
    collector: str
    ended: datetime | None
    lasts: float
    version: str

    @property
    def closed(self) -> bool:
        """Return whether nobody may push, because somebody collects."""
        return bool(self.collector)

    @property
    def refusal(self) -> Finding:
        """Return why nobody may push, where it is closed."""
        cause = f"unused blobs are being collected by {self.collector}"
        return Finding("registry", cause, "Push again in a while.")

    def abandoned(self, now: datetime) -> bool:
        """Return whether a collector of the older kind, which went by the clock, is past its end. Pure."""
        return self.ended is not None and now >= self.ended

    def fresh(self, now: datetime) -> bool:
        """Return whether a push that begins now is on record already. Pure."""
        return self.pushed is not None and abs(now - self.pushed) < _GRAIN

    def quiet(self, now: datetime) -> bool:
        """Return whether nobody can be pushing any more. Pure."""
        return self.pushed is None or now - self.pushed >= QUIET


def read(lease: Object) -> Gate:
    """Return what a Lease object says. Pure."""
    spec, meta = lease.get("spec") or {}, lease["metadata"]
    lasts, renewed = float(spec.get("leaseDurationSeconds") or LASTS), _moment(spec.get("renewTime"))
    return Gate(
        _moment((meta.get("annotations") or {}).get(PUSHED)),
        spec.get("holderIdentity") or "",
        renewed + timedelta(seconds=lasts) if renewed and not spec.get("acquireTime") else None,
        lasts,
        meta.get("resourceVersion", ""),
    )


class Watch:
    """Sees whether a collector is lost: by what stands still before our eyes, and for how long."""

    def __init__(self) -> None:
        self._seen = ("", 0.0)  # a version of the Lease, and when it was first there

    def lost(self, gate: Gate, now: float) -> bool:
        """Return whether the holder of a gate that is looked at ``now`` (seconds of one clock) is lost."""
        version, since = self._seen
        if version != gate.version:
            self._seen = (gate.version, now)
            return False
        return now - since >= gate.lasts


class Entrance:
    """Where who would push is let in. There is one of a registry: it remembers what it saw."""

    def __init__(self, client: Client) -> None:
        self._client, self._watch = client, Watch()

    async def enter(self) -> Gate | None:
        """Record that somebody is about to push; return what stands against it, None if nothing does.

        Raises ``ApiError``.
        """
        while True:
            lease, now = await self._client.get(LEASES, NAME, NAMESPACE), datetime.now(UTC)
            gate = read(lease)
            if gate.closed:
                lost = self._watch.lost(gate, asyncio.get_running_loop().time())
                if not (lost or gate.abandoned(now)):
                    return gate
                log.warning("who collected is lost", collector=gate.collector)
            elif gate.fresh(now):
                return None
            annotations = {**(lease["metadata"].get("annotations") or {}), PUSHED: _text(now)}
            meta = {**lease["metadata"], "annotations": annotations}
            spec = {**(lease.get("spec") or {}), "holderIdentity": ""}
            try:
                await self._client.replace(LEASES, {**lease, "metadata": meta, "spec": spec})
            except Conflict:
                continue  # somebody else pushes, or collects since
            return None


class Hold:
    """The Lease as who collects has it."""

    def __init__(self, client: Client, collector: str) -> None:
        self._client, self._collector = client, collector
        self._turn = asyncio.Lock()
        self._lease: Object | None = None  # as we wrote it last
        self._until = 0.0  # up to when nobody can have been let in, by the loop's clock
        self._underway = False  # whether something may be deleted yet that was asked for

    @property
    def underway(self) -> bool:
        """Return whether something may still be deleted: what was asked for did not end well."""
        return self._underway

    @asynccontextmanager
    async def sure(self) -> AsyncIterator[None]:
        """Let what is inside be done while nobody can have been let in, and break it off before that ends.

        Raises ``Problem`` where the Lease is not ours any more, or where there was not the time.
        """
        await self.renew()
        try:
            async with asyncio.timeout_at(self._until):
                yield
        except BaseException as error:
            self._underway = True
            if isinstance(error, TimeoutError):
                raise _lost("the store did not do in time what it was asked for") from error
            raise

    async def renew(self) -> None:
        """Renew the Lease; raises ``Problem``, also ``ApiError``."""
        async with self._turn:
            while True:
                started = asyncio.get_running_loop().time()
                lease, self._lease = self._lease, None  # whatever fails now, it is read anew next time
                lease = lease or await self._client.get(LEASES, NAME, NAMESPACE)
                if read(lease).collector != self._collector:
                    raise _lost("its Lease was taken away")
                spec = {**lease["spec"], "renewTime": _text(datetime.now(UTC))}
                try:
                    self._lease = await self._client.replace(LEASES, {**lease, "spec": spec})
                except Conflict:
                    continue
                self._until = started + LASTS * _PATIENCE
                return

    async def keep(self) -> None:
        """Renew every few seconds; what fails is only told, as nothing is deleted by this."""
        while True:
            await asyncio.sleep(LASTS / _TURNS)
            try:
                await self.renew()
            except Problem as error:
                log.warning("the Lease was not renewed", cause=str(error))

    async def take(self) -> None:
        """Return when nobody can push any more, and nobody may; raises ``ApiError``.

        Another collector is waited for as well, and taken for lost as by who would push.
        """
        watch = Watch()
        while True:
            lease, now = await self._client.get(LEASES, NAME, NAMESPACE), datetime.now(UTC)
            gate = read(lease)
            lost = watch.lost(gate, asyncio.get_running_loop().time())
            free = not gate.closed or gate.abandoned(now) or lost
            if gate.collector == self._collector or (free and gate.quiet(now)):
                spec = {
                    **(lease.get("spec") or {}),
                    "holderIdentity": self._collector,
                    "acquireTime": _text(now),
                    "renewTime": _text(now),
                    "leaseDurationSeconds": int(LASTS),
                }
                try:
                    await self._client.replace(LEASES, {**lease, "spec": spec})
                except Conflict:
                    continue
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def give_back(self) -> None:
        """Let push again, unless the Lease is another's meanwhile; raises ``ApiError``."""
        while True:
            lease = await self._client.get(LEASES, NAME, NAMESPACE)
            if read(lease).collector != self._collector:
                return
            try:
                await self._client.replace(LEASES, {**lease, "spec": {**lease["spec"], "holderIdentity": ""}})
            except Conflict:
                continue
            return


@asynccontextmanager
async def closed(client: Client, collector: str) -> AsyncIterator[Hold]:
    """Wait until nobody can push any more, and let nobody do so within. Raises ``ApiError``.

    Where something may still be deleted after that, the Lease is left to run out.
    """
    hold = Hold(client, collector)
    await hold.take()
    keeping = asyncio.create_task(hold.keep())
    try:
        yield hold
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        if hold.underway:
            log.warning("what was asked for may still be deleted: the Lease runs out", collector=collector)
        else:
            with contextlib.suppress(ApiError):  # then it runs out
                await hold.give_back()


def _lost(cause: str) -> Problem:
    return Problem.of("collection of unused blobs", cause, "Nothing is lost: the next one does what is left.")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
