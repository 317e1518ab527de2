"""The difference between what HAProxy runs and what is wanted, as steps in an order that loses no request.

A way leads to a backend only once all it needs is there, and what it needed goes only after the last way. A
server first takes no new requests, and is dropped when it has rested and its last connection has ended, which
may take several plans; authorities go only when no server is left that may trust them. Pure.
"""

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from causeway.rooms.routes.model import (
    RETIRING,
    ROUTING,
    AuthorityKey,
    CertificateKey,
    Item,
    MapKey,
    ServerKey,
    Value,
    Wish,
)


class Step(NamedTuple):
    """One change. ``retire`` lets a server end its work, ``drop`` removes it, ``revive`` takes it back."""

    verb: Literal["add", "set", "remove", "revive", "retire", "drop"]
    item: Item
    value: Value = 0
    detail: str = ""


def plan(
    actual: Mapping[Item, Value], wanted: Mapping[Item, Wish], rested: Collection[Item] = ()
) -> list[Step]:
    """Return the steps from ``actual`` to ``wanted``, in order.

    ``rested`` are retiring servers that no request waits to ask again. After a connection that failed HAProxy
    waits a second with the request, does not count it as its server's meanwhile, lets that be deleted, and
    crashes (2.6.12, not 3.0.11).
    """
    steps: list[Step] = []
    remains = any(
        isinstance(item, ServerKey) and item not in wanted and item not in rested for item in actual
    )
    for item, wish in wanted.items():
        have = actual.get(item)
        if have is None:
            steps.append(Step("add", item, wish.value, wish.detail))
        elif have == RETIRING:
            steps.append(Step("revive", item, wish.value))
        elif have != wish.value:
            steps.append(Step("set", item, wish.value))
    for item, have in actual.items():
        if item in wanted:
            continue
        if not isinstance(item, ServerKey):
            if not (remains and isinstance(item, AuthorityKey)):
                steps.append(Step("remove", item))
        elif have != RETIRING:
            steps.append(Step("retire", item))
        elif item in rested:
            steps.append(Step("drop", item))
    return sorted(steps, key=_turn)


def apply_to(state: dict[Item, Value], step: Step) -> None:
    """Change ``state`` as a step changes HAProxy's."""
    if step.verb in ("remove", "drop"):
        state.pop(step.item, None)
    else:
        state[step.item] = RETIRING if step.verb == "retire" else step.value


_OF_MAPS = {"restricted": (3, 8), "place": (3, 9)}  # whom one lets in, and all of a backend, is known before


def _turn(step: Step) -> int:  # a table
    """Return the place of a step in the order."""
    item, ends = step.item, step.verb in ("remove", "retire", "drop")
    match item:
        case AuthorityKey():
            return 12 if ends else 0
        case ServerKey():
            return {"retire": 10, "drop": 11}.get(step.verb, 1)
        case CertificateKey():
            return 7 if ends else 4
        case MapKey(name, _) if name in ROUTING:
            return 6 if ends else 5
        case MapKey(name, _):
            return _OF_MAPS.get(name, (2, 9))[ends]
