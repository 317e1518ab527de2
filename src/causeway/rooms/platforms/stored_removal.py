"""Deleting what claims had stored, many at once: a snapshot before what it is of, one list a kind to wait."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.ownership import node_let_in
from causeway.rooms.platforms.stored import KINDS, MANILA, SHARE, SHARE_SNAPSHOT, Stored

_SETTLE = 60.0
"""Seconds without any of them going, after which one that a server has, or that something is done with, is
given up."""
_DELETING = 600.0
"""The same for what the service is at deleting: some back ends write over all of a volume first."""
_LEAVING = ("queued_to_deny", "denying", "deleted")  # states of an access rule
_PARALLEL = 4
_PAUSE = 1.0


def to_ask(seen: Sequence[Stored], asked: Mapping[str, int]) -> list[Stored]:
    """Return what the deletion is to be asked for now. Pure.

    ``asked`` says how many there were when it was last asked for, by id. What fell back is asked for again
    when others have gone since: on some back ends a snapshot cannot go before the volumes made of it.
    """
    snapshotted = {each.of for each in seen if each.type != "backup"}
    return [
        each
        for each in seen
        if each.idle and each.id not in snapshotted and len(seen) < asked.get(each.id, len(seen) + 1)
    ]


def in_motion(seen: Sequence[Stored], waited: float) -> bool:
    """Return whether one of them may still change by itself, ``waited`` seconds after the last one went."""
    return any(
        not each.idle and waited < (_DELETING if each.status == "deleting" else _SETTLE) for each in seen
    )


def delete(
    cloud: Connection,
    kinds: Iterable[str],
    look: Callable[[frozenset[str]], list[Stored]],
    waiting_for: Callable[[str], None],
    *,
    pause: float = _PAUSE,
) -> list[tuple[Stored, str]]:
    """Delete all that ``look`` returns and wait until it is gone; return what is not, with the cause.

    ``look`` is asked for the kinds that are still there, ``kinds`` at first, and for all of them before it
    ends: something may have come meanwhile. There are ``pause`` seconds between two looks.
    """
    asked: dict[str, int] = {}
    refused: dict[str, str] = {}
    known: set[str] = set()
    fewest, since = 0, time.monotonic()
    looked = frozenset(kinds)
    while True:
        seen = look(looked)
        come = {each.id for each in seen} - known
        if come:  # how many there were before tells nothing any more
            asked.clear()
            known |= come
        if come or len(seen) < fewest:
            fewest, since = len(seen), time.monotonic()
        ask = to_ask(seen, asked)
        if not ask and not in_motion(seen, time.monotonic() - since):
            if looked == KINDS:
                break
            looked = KINDS
            continue
        waiting_for(told(seen))
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            for each, words in zip(ask, pool.map(lambda each: _ask(cloud, each), ask), strict=True):
                asked[each.id] = len(seen)
                refused[each.id] = words
        time.sleep(pause)
        looked = frozenset(each.type for each in seen)
    return [(each, why_left(each, refused.get(each.id, ""), seen)) for each in seen]


def told(found: Sequence[Stored]) -> str:
    """Return in one line how many there are, as ``1 snapshot, 2 volumes``."""
    counts = sorted(Counter(each.type for each in found).items())
    return ", ".join(f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in counts)


def why_left(each: Stored, refused: str, seen: Sequence[Stored]) -> str:
    """Return why one is still there; ``refused`` are the service's words, "" if it took the order. Pure."""
    if each.servers:
        return f"is attached to {', '.join(each.servers)}"
    snapshots = [it.id for it in seen if "snapshot" in it.type and it.of == each.id]
    if snapshots:
        return f"has snapshots that could not be deleted: {', '.join(snapshots)}"
    return f"is not deleted: {refused}" if refused else f"could not be deleted: its status is {each.status}"


def held_elsewhere(rules: Iterable[Mapping[str, Any]], share: Stored) -> str:
    """Return which nodes of other platforms have a share, by its access rules, "" if none has. Pure.

    Manila says of no share that it is mounted, and deletes it under whoever has it.
    """
    found = [
        f"node {owner.uid} of platform {owner.cluster} has it: if that platform is gone, take the rule away "
        f"by openstack share access delete {share.id} {each['id']}"
        for each in rules
        if each["state"] not in _LEAVING
        and (owner := node_let_in(each.get("metadata") or {}))
        and owner.cluster != share.cluster
    ]
    return "; ".join(sorted(found))


def _rules(cloud: Connection, share: Stored) -> list[dict[str, Any]]:
    query = {"share_id": share.id}
    response = cloud.shared_file_system.get("/share-access-rules", params=query, **MANILA)
    try:
        sdk.raise_from_response(response)
    except sdk.BadRequestException as error:
        if "not found" not in str(error.details):
            raise
        return []  # the share has just gone
    found: list[dict[str, Any]] = response.json()["access_list"]
    return found


def _ask(cloud: Connection, each: Stored) -> str:
    """Ask for the deletion of one; return why it is not asked for, or the service's words if it refuses.

    A share whose access rules cannot be read is not deleted: a node may have it.
    """
    try:
        if each.type == SHARE and (held := held_elsewhere(_rules(cloud, each), each)):
            return held
        sdk.raise_from_response(_deletion(cloud, each))
    except sdk.SDKException as error:
        return " ".join(str(getattr(error, "details", None) or error).split())
    return ""


def _deletion(cloud: Connection, each: Stored) -> Any:
    """Return the service's answer to the order."""
    if each.type in (SHARE, SHARE_SNAPSHOT):
        path = f"/{each.type.removeprefix('share ')}s/{each.id}"
        query = {"share_group_id": each.group} if each.group else {}
        return cloud.shared_file_system.delete(path, params=query, **MANILA)
    return cloud.block_storage.delete(f"/{each.type}s/{each.id}")
