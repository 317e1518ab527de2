"""Who belongs to nobody, and why. Pure.

A cluster that can be asked is asked: an object without its Kubernetes object is an orphan. A cluster that has
a stack but was not asked is not judged. A cluster without a stack is gone, and so is all that was its. What
another volume driver made is judged only by the cluster that is asked and whose mark it carries.
"""

import re
from collections import Counter

from causeway.cloud.ownership import VOLUME
from causeway.rooms.platforms.orphans.model import Inhabitants, Landscape, Orphan, Thing, Verdict

STACKS_OWN = frozenset({"platform", "network", "node", "master", "infra", "compute"})
"""Kinds of what the platform's stack makes."""

_TAKEN = ("snapshot", "backup", "share snapshot")
"""What Kubernetes knows as a VolumeSnapshot."""
_UNMARKED = "it carries no tags of its own: look at it, then delete it by hand"
_UNNOTED = "somebody may have taken it over: look at it, then delete it by hand"
_NO_SNAPSHOTS = "snapshot.storage.k8s.io is not installed there: look at it, then delete it by hand"
_UNNAMED = "its cluster has to be named by --cluster: it may be run without a stack"
_UUID_AT_END = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def judge(seen: Landscape, asked: Inhabitants | None, only: str | None = None) -> Verdict:
    """Return the verdict on everything seen, or on what belongs to the cluster ``only``.

    A cluster without a stack whose servers still exist is judged only when it is named by ``only``: its stack
    may be in another project.
    """
    orphans: list[Orphan] = []
    unjudged: dict[str, str] = {}
    belonging = 0
    servers = Counter(each.owner.cluster for each in seen.things if each.type == "server")
    adopted = [each for each in seen.strangers if asked is not None and each.owner.cluster == asked.cluster]
    for thing in (*seen.things, *adopted):
        cluster = thing.owner.cluster
        if only not in (None, cluster):
            continue
        if asked is not None and cluster == asked.cluster:
            proof = _alone(thing, asked)
            if proof:
                orphans.append(Orphan(thing, proof, _held(thing, asked)))
            belonging += not proof
        elif cluster in seen.stacks:
            unjudged[cluster] = (
                f"stack {seen.stacks[cluster]} exists, and the platform was not asked: name it by --platform"
            )
        elif servers[cluster] and only is None:
            unjudged[cluster] = (
                f"has no stack in this project, but {servers[cluster]} servers: name it by --cluster"
            )
        else:
            proof = f"cluster {cluster} is gone: no stack of this project is its"
            orphans.append(Orphan(thing, proof, _used(thing) if only else _UNNAMED))
    clusters = sorted({each.owner.cluster for each in seen.things} | seen.stacks.keys())
    return Verdict(tuple(orphans), belonging, unjudged, seen.unseen, tuple(clusters))


def twice(first: Verdict, second: Verdict) -> tuple[Orphan, ...]:
    """Return the orphans on which two verdicts agree."""
    before = {(each.thing.type, each.thing.id) for each in first.orphans}
    return tuple(each for each in second.orphans if (each.thing.type, each.thing.id) in before)


def _alone(thing: Thing, asked: Inhabitants) -> str:
    """Return the proof that nobody in the platform has the thing, "" if somebody has or may have."""
    owner = thing.owner
    if not thing.described:
        return "its load balancer is gone"
    if owner.kind == VOLUME:
        return _unclaimed(thing, asked)
    if thing.type == "application credential" or thing.id in asked.ports:
        return ""
    if owner.kind in STACKS_OWN:
        left = asked.resources is not None and thing.id not in asked.resources
        return "the platform's stack does not have it" if left else ""
    if owner.uid:
        uid = owner.uid.partition(".")[0]  # a policy has several groups, told apart behind a dot
        left = owner.kind in asked.kinds and uid not in asked.uids
        return f"no {owner.kind} has the UID {uid} any more" if left else ""
    return _unnamed(thing, asked)


def _unnamed(thing: Thing, asked: Inhabitants) -> str:
    """Return the same of what carries no UID."""
    if thing.id in asked.unnoted:
        return "no TXT in its zone says whose it is"
    left = thing.type == "port" and thing.owner.kind == "pod"
    return "no node has been given it: no PortPool names it" if left else ""


def _unclaimed(thing: Thing, asked: Inhabitants) -> str:
    """Return the proof that nobody asked for what is stored; its name ends with the UID of who did."""
    if thing.type in _TAKEN and asked.snapshots is None:
        return "the platform knows no snapshots"
    known = asked.snapshots or frozenset() if thing.type in _TAKEN else asked.volumes
    uid = _UUID_AT_END.search(thing.name)
    if not known.isdisjoint({thing.id, thing.name, uid[0] if uid else thing.id}):
        return ""
    if thing.type in _TAKEN:
        return "no VolumeSnapshotContent names it"
    return "no PersistentVolume names it, and no claim waits for it"


def _held(thing: Thing, asked: Inhabitants) -> str:
    if not thing.described:
        return _UNMARKED
    if thing.id in asked.unnoted:
        return _UNNOTED
    if thing.type in _TAKEN and asked.snapshots is None:
        return _NO_SNAPSHOTS
    return _used(thing)


def _used(thing: Thing) -> str:
    return f"it is attached to {', '.join(thing.users)}" if thing.users else ""
