"""Our entry in a route's status, among those of other routers, which are none of ours."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from causeway.kube.routes import Route
from causeway.rooms.routes.admission import Rules, host_of
from causeway.rooms.routes.model import Refusal

Ingress = dict[str, Any]

CONTESTED = 2.0
"""Seconds between two writes of one router that say the same in one status.

While routers are replaced by ones with other settings, two of one name may differ, and would write against
each other as fast as the API takes it.
"""


class Written:
    """Whose statuses we have written in the last ``CONTESTED`` seconds; ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: dict[str, float] = {}  # oldest first

    def add(self, key: str) -> None:
        """Take in that we have just written the status of ``key``."""
        now = self._clock()
        while self._at and self._at[oldest := next(iter(self._at))] + CONTESTED <= now:
            self.forget(oldest)
        self.forget(key)
        self._at[key] = now

    def forget(self, key: str) -> None:
        """Take in that we have something new to say of ``key``, which nobody can have written over."""
        self._at.pop(key, None)

    def rest(self, key: str) -> float:
        """Return the seconds until we may write over what another has made of ``key``; 0 for at once."""
        at = self._at.get(key)
        return max(0.0, at + CONTESTED - self._clock()) if at is not None else 0.0


class Identity(NamedTuple):
    """Who we are to people who read statuses; ``canonical`` is the name to point their DNS at."""

    router: str
    canonical: str = ""


def entry(route: Route, refusal: Refusal | None, identity: Identity, rules: Rules, now: str) -> Ingress:
    """Return our entry for a route that is admitted, or refused."""
    condition: dict[str, Any] = {
        "type": "Admitted",
        "status": "True" if refusal is None else "False",
        "lastTransitionTime": now,
    }
    if refusal is not None:
        condition |= {"reason": refusal.reason, "message": refusal.message[:1000]}
    told: Ingress = {
        "host": host_of(route, rules),
        "routerName": identity.router,
        "conditions": [condition],
        "wildcardPolicy": route.spec.wildcard_policy or "None",
    }
    return told | ({"routerCanonicalHostname": identity.canonical} if identity.canonical else {})


def merged(existing: Sequence[Mapping[str, Any]], ours: Ingress) -> list[Ingress] | None:
    """Return the entries with ours in its place; None if it says the same already.

    Conditions of other types in our entry stay, and a transition is one only if the status changed.
    """
    entries = [dict(each) for each in existing]
    place = next((i for i, each in enumerate(entries) if each.get("routerName") == ours["routerName"]), None)
    if place is None:
        return [*entries, ours]
    before = entries[place]
    conditions = [dict(each) for each in before.get("conditions") or ()]
    new = dict(ours["conditions"][0])
    old = next((each for each in conditions if each["type"] == new["type"]), None)
    if old is not None and old["status"] == new["status"] and old.get("lastTransitionTime"):
        new["lastTransitionTime"] = old["lastTransitionTime"]
    others = [each for each in conditions if each["type"] != new["type"]]
    after = ours | {"conditions": [new, *others]}
    if after == before:
        return None
    entries[place] = after
    return entries
