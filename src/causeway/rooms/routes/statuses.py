"""Our entry in a route's status, among those of other routers, which are none of ours."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from causeway.kube.routes import Route
from causeway.rooms.routes.admission import Rules, host_of
from causeway.rooms.routes.model import Refusal

Ingress = dict[str, Any]

CONTESTED = 2.0
"""Seconds between two looks at a status that somebody may have written over.

While routers are replaced by ones with other settings, two of one name may differ, and would write against
each other as fast as the API takes it.
"""


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
