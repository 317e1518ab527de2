"""What statuses of Gateway API are to say, and how that goes beside what others say in them. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from causeway.kube.gateways import GROUP, ParentReference
from causeway.rooms.routes.classes import CONTROLLER
from causeway.rooms.routes.gateway.deriving import Attached
from causeway.rooms.routes.gateway.listeners import Condition, Judged
from causeway.rooms.routes.model import Refusal

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
    "HTTPRouteParentRefPort",
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
"""What a GatewayClass says is supported, in the words of Gateway API; sorted."""


def class_status(existing: Mapping[str, Any], generation: int, now: str) -> Body:
    """Return the status of a class of ours."""
    said = [Condition("Accepted", True, "Accepted", "served by the router")]
    return {
        "conditions": conditions(existing.get("conditions"), said, generation, now),
        "supportedFeatures": [{"name": each} for each in FEATURES],
    }


def gateway_status(
    existing: Mapping[str, Any],
    listeners: Sequence[tuple[Judged, int]],
    address: str,
    generation: int,
    now: str,
    *,
    unusable: bool = False,
) -> Body:
    """Return the status of a gateway; ``unusable`` if it asks for other addresses than the router's."""
    before = {each.get("name"): each for each in existing.get("listeners") or ()}
    accepted = any(each.wrong is None for each, _ in listeners)
    serving = any(each.serves for each, _ in listeners)
    wrong = [each.listener.name for each, _ in listeners if each.wrong is not None]
    if unusable:
        accepting = Condition("Accepted", False, "UnsupportedAddress", "the router has another address")
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
    return status | ({"addresses": [_address(address)]} if address else {})


def _listener(before: Mapping[str, Any], judged: Judged, count: int, generation: int, now: str) -> Body:
    wrong, unresolved = judged.wrong, judged.unresolved
    said = [
        _condition("Accepted", wrong, "Accepted"),
        _condition("ResolvedRefs", unresolved, "ResolvedRefs"),
        Condition("Programmed", True, "Programmed")
        if judged.serves
        else Condition("Programmed", False, "Invalid", (wrong or unresolved or Refusal("", "")).message),
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


def parents(
    existing: Sequence[Mapping[str, Any]],
    attached: Iterable[tuple[Attached, Refusal | None]],
    generation: int,
    now: str,
) -> list[Body]:
    """Return the entries of a route's status: others' as they are, and ours.

    With each reference goes why its hosts are not its own.
    """
    ours = [each for each in existing if each.get("controllerName") == CONTROLLER]
    found = [dict(each) for each in existing if each.get("controllerName") != CONTROLLER]
    for each, claimed in attached:
        reference = _reference(each.parent)
        before = next((one for one in ours if one.get("parentRef") == reference), {})
        said = [
            _condition("Accepted", each.accepted or claimed, "Accepted"),
            _condition("ResolvedRefs", each.resolved, "ResolvedRefs"),
        ]
        found.append(
            {
                "parentRef": reference,
                "controllerName": CONTROLLER,
                "conditions": conditions(before.get("conditions"), said, generation, now),
            }
        )
    return found


def conditions(
    existing: Sequence[Mapping[str, Any]] | None, said: Iterable[Condition], generation: int, now: str
) -> list[Body]:
    """Return conditions as they are written: a transition is one only if the status changed.

    Those of types that are not ours stay.
    """
    before = {each.get("type"): each for each in existing or ()}
    found: list[Body] = []
    for each in said:
        status = "True" if each.status else "False"
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


def _address(canonical: str) -> Body:
    try:
        return {"type": "IPAddress", "value": str(ipaddress.ip_address(canonical))}
    except ValueError:
        return {"type": "Hostname", "value": canonical}


def usable(asked: Iterable[tuple[str, str]], canonical: str) -> bool:
    """Return whether the addresses (type, value) a gateway asks for are the router's, or any will do."""
    ours = _address(canonical) if canonical else {}
    return all(not value or {"type": kind, "value": value} == ours for kind, value in asked)
