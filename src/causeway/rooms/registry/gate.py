"""Either images change or unused blobs are collected: a Lease of the API says which.

The registry's collection looks which blobs images name and deletes all others: an image that is pushed
meanwhile would lose its blobs. That somebody is given a token to push is therefore written into the Lease
(once a minute is enough), and who collects takes the Lease when the last of those tokens has ended. Both
write what they have read before, so that one of two at once is refused and looks again.

A push is not broken off while its token lives. One upload that takes longer than a token may be refused at
its end, and be sent again. Who pushes again and again keeps the collector out: it is ended after an hour, and
the next one tries.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from causeway.kube.client import Client
from causeway.kube.errors import Conflict, Object
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
"""Of one collection, waiting for pushes to end included: its pod is ended after that."""

_LOOK_EVERY = 5.0


@dataclass(frozen=True)
class Gate:
    """What the Lease says: when a push was recorded, who collects ("" nobody) and until when."""

    pushed: datetime | None
    collector: str
    until: datetime | None

    def closed(self, now: datetime) -> bool:
        """Return whether nobody may push, because somebody collects. Pure."""
        return bool(self.collector) and self.until is not None and now < self.until

    def fresh(self, now: datetime) -> bool:
        """Return whether a push that begins now is on record already. Pure."""
        return self.pushed is not None and abs(now - self.pushed) < _GRAIN

    def quiet(self, now: datetime) -> bool:
        """Return whether nobody can be pushing any more. Pure."""
        return self.pushed is None or now - self.pushed >= QUIET


def read(lease: Object) -> Gate:
    """Return what a Lease object says. Pure."""
    spec, annotations = lease.get("spec") or {}, lease["metadata"].get("annotations") or {}
    pushed, renewed = _moment(annotations.get(PUSHED)), _moment(spec.get("renewTime"))
    lasts = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0))
    return Gate(pushed, spec.get("holderIdentity") or "", renewed + lasts if renewed else None)


async def enter(client: Client) -> Gate | None:
    """Record that somebody is about to push; return what stands against it, None if nothing does.

    Raises ``ApiError``.
    """
    while True:
        lease, now = await client.get(LEASES, NAME, NAMESPACE), datetime.now(UTC)
        gate = read(lease)
        if gate.closed(now):
            return gate
        if gate.fresh(now):
            return None
        annotations = {**(lease["metadata"].get("annotations") or {}), PUSHED: _text(now)}
        try:
            meta = {**lease["metadata"], "annotations": annotations}
            await client.replace(LEASES, {**lease, "metadata": meta})
        except Conflict:
            continue  # somebody else pushes, or collects since
        return None


async def close(client: Client, collector: str) -> None:
    """Return when nobody can push any more, and nobody may until ``collector`` opens the gate again.

    What another collector left closed is waited for as well. Raises ``ApiError``.
    """
    while True:
        lease, now = await client.get(LEASES, NAME, NAMESPACE), datetime.now(UTC)
        gate = read(lease)
        closed = gate.closed(now)
        if gate.collector == collector if closed else gate.quiet(now):
            spec = {
                **(lease.get("spec") or {}),
                "holderIdentity": collector,
                "renewTime": _text(now),
                "leaseDurationSeconds": int((LONGEST + _CLOCKS).total_seconds()),
            }
            try:
                await client.replace(LEASES, {**lease, "spec": spec})
            except Conflict:
                continue
            return
        await asyncio.sleep(_LOOK_EVERY)


async def reopen(client: Client, collector: str) -> None:
    """Let push again, unless the Lease is another's meanwhile; raises ``ApiError``."""
    while True:
        lease = await client.get(LEASES, NAME, NAMESPACE)
        if read(lease).collector != collector:
            return
        spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await client.replace(LEASES, {**lease, "spec": spec})
        except Conflict:
            continue
        return


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
