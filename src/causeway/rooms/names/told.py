"""What the controller has told of a name, read back from the Events of who wants it.

What the cloud refused is nowhere else: whoever only reads cannot know it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from causeway.kube.client import Client
from causeway.kube.errors import Object
from causeway.kube.resource import EVENTS
from causeway.rooms.names.model import Source

ACTION = "Name"
"""The action of the Events of this room."""


@dataclass(frozen=True, order=True)
class Told:
    """A warning: when it was last told, of whom, one word, and cause with remedy."""

    at: str
    source: Source
    reason: str
    note: str


async def warnings(kube: Client, sources: Iterable[Source], name: str) -> tuple[Told, ...]:
    """Return the last warning about a name of each of those who want it, by a request for each."""
    found: list[Told] = []
    for source in sources:
        if source.uid:
            fields = f"regarding.uid={source.uid},type=Warning"
            events = await kube.list(EVENTS, source.namespace or "default", fields=fields)
            found += last(events.items, source, name)
    return tuple(found)


def last(events: Iterable[Object], source: Source, name: str) -> list[Told]:
    """Return the last of these Events of an object that is about a name, if any is."""
    about = re.compile(rf"(?<![\w.*-]){re.escape(name)}(?![\w*-])")
    told = [
        Told(_time(each), source, each.get("reason", ""), each["note"])
        for each in events
        if each.get("action") == ACTION and about.search(each.get("note") or "")
    ]
    return sorted(told)[-1:]


def _time(event: Object) -> str:
    return (event.get("series") or {}).get("lastObservedTime") or event.get("eventTime") or ""
