"""What apply would do: which resources of the stack it creates, changes, replaces and deletes.

Pure: the stack as it is and the stack as it should be go in, a plan comes out. A change to one resource can
replace others: whatever refers to a replaced resource by a property that cannot be changed is replaced as
well, and so on. This is computed here, so that nobody learns it from the cloud.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from causeway.kit.errors import Finding
from causeway.rooms.platforms.groups import Group, LiveGroup, node_name
from causeway.rooms.platforms.hot import Path, Resource, references

SERVER = "OS::Nova::Server"
FAILED_BEFORE = "failed before"


class Action(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"


@dataclass(frozen=True)
class Change:
    """What happens to one resource, and why; ``node`` is the node it is a part of, "" for none."""

    action: Action
    path: Path
    type: str
    reason: str = ""
    node: str = ""

    @property
    def name(self) -> str:
        """Return the resource's name for people: its path with the node instead of the index."""
        return "/".join([self.path[0], self.node, *self.path[2:]]) if self.node else "/".join(self.path)


@dataclass(frozen=True)
class Plan:
    """Every resource with what happens to it, nodes that join, and nodes that are drained and removed.

    ``notices`` tell what people might not expect of a change that is no resource's.
    """

    changes: tuple[Change, ...]
    joining: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    notices: tuple[Finding, ...] = ()

    @property
    def empty(self) -> bool:
        """Return whether the stack is as it should be."""
        return all(change.action is Action.KEEP for change in self.changes)

    def counts(self) -> dict[Action, int]:
        """Return how many resources there are of each action, in the order of ``Action``."""
        found = Counter(change.action for change in self.changes)
        return {action: found[action] for action in Action}

    def of(self, action: Action) -> list[Change]:
        """Return the changes of one action."""
        return [change for change in self.changes if change.action is action]

    def replaced_servers(self) -> list[Change]:
        """Return the servers that would be replaced: nodes that lose everything on them."""
        return [change for change in self.of(Action.REPLACE) if change.type == SERVER]


@dataclass(frozen=True)
class Status:
    """How a resource of the living stack does: whether it exists, and why it failed, if it did."""

    exists: bool
    failure: str = ""
    type: str = ""


def diff(
    before: Mapping[Path, Resource],
    after: Mapping[Path, Resource],
    *,
    updatable: Mapping[str, frozenset[str]],
    status: Mapping[Path, Status] | None = None,
) -> list[Change]:
    """Return what happens to each resource of two stacks.

    ``updatable`` are the properties of each type that can be changed in place; ``status`` tells what an
    earlier run left unfinished. A resource ``status`` does not know is taken to exist.
    """
    known = status or {}
    # What an interrupted deletion left is in neither stack, but there.
    left = {path for path, state in known.items() if state.exists}
    changes = {
        path: _one(path, before.get(path), after.get(path), updatable, known)
        for path in {*after, *before, *left}
    }
    while True:
        renewed = {
            path for path, change in changes.items() if change.action in (Action.REPLACE, Action.CREATE)
        }
        further = {
            path: caused
            for path, change in changes.items()
            if change.action in (Action.KEEP, Action.CHANGE)
            and (caused := _caused(path, change, after[path], renewed, updatable)) != change
        }
        if not further:
            return [changes[path] for path in sorted(changes)]
        changes |= further


def make(
    changes: Iterable[Change], platform: str, groups: Sequence[Group], live: Mapping[str, LiveGroup]
) -> Plan:
    """Return the plan with nodes named as people know them."""
    pools = {name: group.pool for name, group in live.items()} | {
        group.name: group.pool.name for group in groups
    }
    should = {node for group in groups for node in group.nodes(platform)}
    named = tuple(_with_node(change, platform, pools) for change in changes)
    joining = {change.node for change in named if change.type == SERVER and change.action is Action.CREATE}
    leaving = {
        node_name(platform, group.pool, index) for group in live.values() for index in group.indexes()
    } - should
    return Plan(named, tuple(sorted(joining)), tuple(sorted(leaving)))


def _one(
    path: Path,
    before: Resource | None,
    after: Resource | None,
    updatable: Mapping[str, frozenset[str]],
    status: Mapping[Path, Status],
) -> Change:
    state = status.get(path, Status(exists=before is not None))
    if after is None:
        return Change(Action.DELETE, path, before.type if before else state.type)
    if before is None or not state.exists:
        return Change(Action.CREATE, path, after.type)
    if state.failure:
        return Change(Action.REPLACE, path, after.type, f"{FAILED_BEFORE}: {state.failure}")
    if before.type != after.type:
        return Change(Action.REPLACE, path, after.type, f"was a {before.type}")
    differing = sorted(
        key
        for key in {**before.properties, **after.properties}
        if before.properties.get(key) != after.properties.get(key) and not _irrelevant(key, after)
    )
    if not differing:
        return Change(Action.KEEP, path, after.type)
    action = _action(after, differing, updatable)
    return Change(action, path, after.type, "; ".join(_told(key, before, after) for key in differing))


def _caused(
    path: Path,
    change: Change,
    after: Resource,
    renewed: set[Path],
    updatable: Mapping[str, frozenset[str]],
) -> Change:
    """Return the change a resource undergoes because others it refers to become new ones."""
    touched = {
        key: reference
        for key, value in after.properties.items()
        for reference in references(value)
        if reference.path in renewed and not _irrelevant(key, after)
    }
    if not touched:
        return change
    action = _action(after, touched, updatable)
    if change.action is action:
        return change
    why = "; ".join(
        f"{key}: {'/'.join(reference.path)} is a new one" for key, reference in sorted(touched.items())
    )
    return Change(action, path, change.type, "; ".join(filter(None, [change.reason, why])))


def _action(resource: Resource, properties: Iterable[str], updatable: Mapping[str, frozenset[str]]) -> Action:
    in_place = updatable.get(resource.type, frozenset())
    for key in properties:
        if key not in in_place or resource.properties.get(f"{key}_update_policy") == "REPLACE":
            return Action.REPLACE
    return Action.CHANGE


def _irrelevant(key: str, resource: Resource) -> bool:
    """Return whether a difference in a property has no effect: policies, and what a policy says to ignore."""
    return key.endswith("_update_policy") or resource.properties.get(f"{key}_update_policy") == "IGNORE"


def _told(key: str, before: Resource, after: Resource) -> str:
    old, new = before.properties.get(key), after.properties.get(key)
    if all(isinstance(value, str | int | float | None) and len(str(value)) < 60 for value in (old, new)):
        return f"{key}: {old} -> {new}"
    return f"{key} differs"


def _with_node(change: Change, platform: str, pools: Mapping[str, str]) -> Change:
    pool = pools.get(change.path[0])
    if pool is None or len(change.path) < 3 or not change.path[1].isdigit():
        return change
    node = node_name(platform, pool, int(change.path[1]))
    return Change(change.action, change.path, change.type, change.reason, node)


def as_data(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data for machines."""
    return {
        "empty": plan.empty,
        "counts": {action.value: number for action, number in plan.counts().items()},
        "joining": list(plan.joining),
        "leaving": list(plan.leaving),
        "changes": [
            {
                "action": change.action.value,
                "resource": change.name,
                "type": change.type,
                "reason": change.reason,
            }
            for change in plan.changes
            if change.action is not Action.KEEP
        ],
        "notices": [str(each) for each in plan.notices],
    }
