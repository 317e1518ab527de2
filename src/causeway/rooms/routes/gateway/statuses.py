"""What statuses of Gateway API are to say, and how that goes beside what others say in them. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from causeway.kube.gateways import GROUP, ParentReference
from causeway.rooms.routes.classes import CONTROLLER
from causeway.rooms.routes.gateway.addresses import address as address_of
from causeway.rooms.routes.gateway.deriving import Attached
from causeway.rooms.routes.gateway.listeners import Condition, Judged
from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.parts import host_of_table

Body = dict[str, Any]

FEATURES = (
    "Gateway",
    "GatewayHTTPListenerIsolation",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteBackendTimeout",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ReferenceGrant",
    "TLSRoute",
)
"""What a GatewayClass says is supported, in the words of Gateway API."""
_MOST = 800  # characters of the causes in one message, of which a condition has a thousand
_WITH_PORTS = ("HTTPRouteParentRefPort", "TCPRoute")
_WITH_PORT = {8080: "GatewayPort8080"}


_ELSEWHERE = Refusal("UnsupportedAddress", "the router has another address than the gateway asks for")


def features(ports: Collection[int]) -> list[str]:
    """Return what a router with these further ports supports, sorted."""
    more = [*(_WITH_PORTS if ports else ()), *(name for port, name in _WITH_PORT.items() if port in ports)]
    return sorted([*FEATURES, *more])


def class_status(existing: Mapping[str, Any], ports: Collection[int], generation: int, now: str) -> Body:
    """Return the status of a class of ours, by a router with these further ports.

    What another router has said of this generation is kept: it may have other ports or be of another
    release, and were its features taken out, each would undo what the other writes.
    """
    said = [Condition("Accepted", True, "Accepted", "served by the router")]
    before = existing.get("conditions") or ()
    current = any(
        (each.get("type"), each.get("observedGeneration")) == ("Accepted", generation) for each in before
    )
    theirs = existing.get("supportedFeatures") or () if current else ()
    names = {*features(ports), *(each["name"] for each in theirs)}
    return {
        "conditions": conditions(before, said, generation, now),
        "supportedFeatures": [{"name": each} for each in sorted(names)],
    }


def gateway_status(
    existing: Mapping[str, Any],
    listeners: Sequence[tuple[Judged, int]],
    address: str,
    generation: int,
    now: str,
) -> Body:
    """Return the status of a gateway."""
    unusable = any(each.idle for each, _ in listeners)
    before = {each.get("name"): each for each in existing.get("listeners") or ()}
    accepted = any(each.wrong is None for each, _ in listeners)
    serving = any(each.serves for each, _ in listeners)
    wrong = [each.listener.name for each, _ in listeners if each.wrong is not None]
    if unusable:
        accepting = Condition("Accepted", False, _ELSEWHERE.reason, _ELSEWHERE.message)
    elif wrong:
        accepting = Condition("Accepted", accepted, "ListenersNotValid", f"not accepted: {', '.join(wrong)}")
    else:
        accepting = Condition("Accepted", True, "Accepted")
    programmed = Condition("Programmed", True, "Programmed")
    if unusable or not serving:
        reason = "AddressNotUsable" if unusable else "Invalid"
        programmed = Condition("Programmed", False, reason, "nothing is served")
    status: Body = {
        "conditions": conditions(existing.get("conditions"), [accepting, programmed], generation, now),
        "listeners": [
            _listener(before.get(each.listener.name, {}), each, count, generation, now)
            for each, count in listeners
        ],
    }
    return status | ({"addresses": [address_of(address)]} if address else {})


def _listener(before: Mapping[str, Any], judged: Judged, count: int, generation: int, now: str) -> Body:
    wrong, unresolved = judged.wrong, judged.unresolved
    said = [
        _condition("Accepted", wrong, "Accepted"),
        _condition("ResolvedRefs", unresolved, "ResolvedRefs"),
        Condition("Programmed", True, "Programmed")
        if judged.serves
        else Condition("Programmed", False, "Invalid", (wrong or unresolved or _ELSEWHERE).message),
        Condition("Conflicted", True, wrong.reason, wrong.message)
        if judged.conflict and wrong
        else Condition("Conflicted", False, "NoConflicts"),
    ]
    return {
        "name": judged.listener.name,
        "attachedRoutes": count,
        "supportedKinds": [{"group": GROUP, "kind": each} for each in judged.kinds],
        "conditions": conditions(before.get("conditions"), said, generation, now),
    }


def left_status(existing: Mapping[str, Any], class_name: str, generation: int, now: str) -> Body:
    """Return the status of a gateway that was ours and whose class is gone."""
    message = f"there is no GatewayClass {class_name}: nothing is served"
    said = [Condition(kind, None, "Pending", message) for kind in ("Accepted", "Programmed")]
    return {
        "conditions": conditions(existing.get("conditions"), said, generation, now),
        "listeners": [],
        "addresses": [],
    }


def parents(
    existing: Sequence[Mapping[str, Any]],
    attached: Iterable[Attached],
    refused: Mapping[str, Refusal],
    generation: int,
    now: str,
    *,
    elsewhere: Callable[[ParentReference], bool],
) -> list[Body]:
    """Return the entries of a route's status, each in its place: others' as they are, and ours.

    ``refused`` says of tables why they are. ``elsewhere`` says of a reference whether another of our routers
    has its gateway, whose entry is of our name, too: were it taken out or moved, each router would undo what
    the other writes.
    """
    told = {_word(_reference(each.parent)): (each, accepting(each, refused)) for each in attached}
    found: list[Body] = []
    for entry in existing:
        reference = entry.get("parentRef") or {}
        if entry.get("controllerName") != CONTROLLER:
            found.append(dict(entry))
        elif (mine := told.pop(_word(reference), None)) is not None:
            found.append(_parent(entry, *mine, generation, now))
        elif elsewhere(msgspec.convert(reference, ParentReference)):
            found.append(dict(entry))
    return found + [_parent({}, *mine, generation, now) for mine in told.values()]


def _parent(
    before: Mapping[str, Any], attached: Attached, accepted: Condition, generation: int, now: str
) -> Body:
    said = [accepted, _condition("ResolvedRefs", attached.resolved, "ResolvedRefs")]
    return {
        "parentRef": _reference(attached.parent),
        "controllerName": CONTROLLER,
        "conditions": conditions(before.get("conditions"), said, generation, now),
    }


def accepting(attached: Attached, refused: Mapping[str, Refusal]) -> Condition:
    """Return whether a route has any of its hosts, and those it has not, with the cause of each.

    Gateway API has one condition for all hosts: the message alone can tell that one of them is not served.
    """
    if attached.accepted is not None:
        return _condition("Accepted", attached.accepted, "Accepted")
    tables = list(dict.fromkeys(attached.tables))
    lost = [each for each in tables if each in refused]
    if not lost:
        return Condition("Accepted", True, "Accepted")
    causes = [f"{host_of_table(each) or 'every host'}: {refused[each].message}" for each in lost]
    message = refused[lost[0]].message if len(tables) == 1 else f"not served: {_joined(causes)}"
    if len(lost) == len(tables):
        return Condition("Accepted", False, refused[lost[0]].reason, message)
    return Condition("Accepted", True, "Accepted", message)


def _joined(causes: Sequence[str]) -> str:
    """Return causes as one text; of what would make it too long only how many there are."""
    shown, length = 1, len(causes[0])
    while shown < len(causes) and length + len(causes[shown]) <= _MOST:
        length += len(causes[shown])
        shown += 1
    more = [f"and {len(causes) - shown} more"] if shown < len(causes) else []
    return "; ".join([*causes[:shown], *more])


def _word(reference: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(reference.items()))


def conditions(
    existing: Sequence[Mapping[str, Any]] | None, said: Iterable[Condition], generation: int, now: str
) -> list[Body]:
    """Return conditions as they are written: a transition is one only if the status changed.

    Those of types that are not ours stay.
    """
    before = {each.get("type"): each for each in existing or ()}
    found: list[Body] = []
    for each in said:
        status = {True: "True", False: "False", None: "Unknown"}[each.status]
        old = before.pop(each.type, {})
        found.append(
            {
                "type": each.type,
                "status": status,
                "reason": each.reason,
                "message": each.message[:1000],
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if old.get("status") == status else now,
            }
        )
    return [*found, *(dict(each) for each in before.values())]


def _condition(kind: str, refusal: Refusal | None, good: str) -> Condition:
    if refusal is None:
        return Condition(kind, True, good)
    return Condition(kind, False, refusal.reason, refusal.message)


def _reference(parent: ParentReference) -> Body:
    return {name: value for name, value in msgspec.to_builtins(parent).items() if value is not None}
