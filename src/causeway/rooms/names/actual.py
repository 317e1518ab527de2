"""The zones as they are: one poller, one listing of each, kept up to date by the answers to our own changes.

A zone is listed slowly while nothing happens and again and again, less and less often, while something we
changed is PENDING. Whoever plans it is woken when a listing shows what was not known.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog

from causeway.cloud import errors
from causeway.cloud.designate import RecordSet
from causeway.cloud.designate import Zone as CloudZone

_log = structlog.get_logger(__name__)

SLOW = 60.0
"""Seconds between two listings of a zone in which nothing of ours is under way."""
_QUICK_FIRST, _QUICK_LAST = 1.0, 15.0  # seconds to the next listing while something is; growing
_GROWTH = 1.5
_SHARE = 20.0  # a listing rests so many times of what it took, up to ``SLOW``: zones can be large
_AFTER_FAILURE = 5.0
_PENDING = "PENDING"


class Lister(Protocol):
    """The part of Designate this room reads."""

    async def find_zone(self, name: str) -> CloudZone | None:
        """Return a zone by name."""
        ...

    async def list_record_sets(self, zone_id: str) -> list[RecordSet]:
        """Return every record set of a zone."""
        ...


@dataclass
class Known:
    """What is known of one zone; ``zone`` None: there is none of that name in the project.

    ``trouble`` is why it could not be listed the last time.
    """

    zone: CloudZone | None = None
    sets: dict[str, RecordSet] = field(default_factory=dict)
    touched: dict[str, float] = field(default_factory=dict)  # what we changed, by id, and when
    listed: bool = False
    trouble: errors.CloudError | None = None
    due: float = 0.0
    earliest: float = 0.0  # that it may be listed again, whatever we change
    pause: float = _QUICK_FIRST


class Zones:
    """The zones by name."""

    def __init__(self, lister: Lister, names: Iterable[str], wake: Callable[[str], None]) -> None:
        self._lister = lister
        self._known = {name: Known() for name in names}
        self._wake = wake
        self._kick = asyncio.Event()

    def get(self, name: str) -> Known:
        """Return what is known of a zone."""
        return self._known[name]

    async def refresh(self, name: str) -> None:
        """List a zone now; wake who plans it if something differs. Raises ``CloudError``."""
        known, started = self._known[name], self._now()
        zone = await self._lister.find_zone(name)
        listed = await self._listed(zone)
        fresh = {each.id: each for each in listed}
        late = {id_ for id_, when in known.touched.items() if when >= started}
        for identifier in late:  # changed while the list was made: what we know of it is newer
            fresh.pop(identifier, None)
            if identifier in known.sets:
                fresh[identifier] = known.sets[identifier]
        news = not known.listed or zone != known.zone or fresh != known.sets or known.trouble
        known.zone, known.sets, known.listed, known.trouble = zone, fresh, True, None
        known.touched = {
            each: when
            for each, when in known.touched.items()
            if each in late or (each in fresh and fresh[each].status == _PENDING)
        }
        now = self._now()
        known.earliest = now + min(SLOW, _SHARE * (now - started))
        known.due = max(known.earliest, now + (known.pause if known.touched else SLOW))
        known.pause = min(_QUICK_LAST, known.pause * _GROWTH) if known.touched else _QUICK_FIRST
        if news:
            self._wake(name)

    def put(self, name: str, changed: RecordSet) -> None:
        """Take in the answer to a change of ours."""
        self._known[name].sets[changed.id] = changed
        self._touch(name, changed.id)

    def leave(self, name: str, identifier: str) -> None:
        """Take in that a record set is being deleted."""
        found = self._known[name].sets.get(identifier)
        if found is not None:
            going = msgspec.structs.replace(found, status=_PENDING, action="DELETE")
            self._known[name].sets[identifier] = going
        self._touch(name, identifier)

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            now = self._now()
            for name, known in self._known.items():
                if known.due <= now:
                    await self._try(name)
            self._kick.clear()
            due = min(known.due for known in self._known.values())
            try:
                async with asyncio.timeout_at(max(due, self._now())):
                    await self._kick.wait()
            except TimeoutError:
                continue

    async def _try(self, name: str) -> None:
        try:
            await self.refresh(name)
        except errors.CloudError as error:
            pause = getattr(error, "retry_after", _AFTER_FAILURE)
            known = self._known[name]
            known.due = known.earliest = self._now() + pause
            known.trouble = error
            self._wake(name)
            _log.warning("zone not listed", zone=name, cause=str(error), again_in=pause)

    async def _listed(self, zone: CloudZone | None) -> list[RecordSet]:
        try:
            return await self._lister.list_record_sets(zone.id) if zone is not None else []
        except errors.NotFound:
            return []  # deleted in between: the next look finds no zone

    def _touch(self, name: str, identifier: str) -> None:
        known, now = self._known[name], self._now()
        known.touched[identifier] = now
        known.pause = _QUICK_FIRST
        known.due = min(known.due, max(known.earliest, now + _QUICK_FIRST))
        self._kick.set()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
