"""Whose the images of a namespace's name are: of the namespace they were pushed in, and of no later one.

A record beside the images says so, by the UIDs of the platform (that of ``PLATFORM``) and of the namespace.
What another platform left in a bucket goes over to the namespace of that name: nobody else is there for it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from causeway.kit.errors import Problem
from causeway.rooms.registry import layout
from causeway.rooms.registry.store import Store

PLATFORM = "kube-system"
"""The namespace whose UID stands for the platform."""

_RECORDS = "causeway/namespaces"
_HOLDER = "causeway/platform"


@dataclass(frozen=True)
class Owner:
    """A namespace of a platform, by their UIDs."""

    platform: str
    namespace: str


async def hold(store: Store, platform: str) -> None:
    """Take a store for a platform (the UID of its ``PLATFORM``); raises ``Problem`` where it is another's.

    Two would delete what the other's images are made of. Of two that come at the same moment the collector
    tells one, before it deletes anything.
    """
    if not store.shared:
        return
    found = await store.read(_HOLDER)
    if found is None:
        await store.write(_HOLDER, platform.encode())
        found = await store.read(_HOLDER)
    if found != platform.encode():
        other = (found or b"nobody").decode(errors="replace")[:80]
        raise Problem.of(
            "the bucket of spec.registry",
            f"it holds images of another platform, that whose namespace {PLATFORM} has the UID {other}",
            f"Name another bucket. If that platform is gone, delete the key {_HOLDER} in the bucket: "
            "its images go over to the namespaces of their name.",
        )


class Claim(Enum):
    """What images of a name are to a namespace."""

    OURS = auto()
    UNCLAIMED = auto()
    FORMER = auto()  # of a namespace that is gone


def claim(recorded: Owner | None, owner: Owner) -> Claim:
    """Return what the images are to a namespace, by what is recorded of them. Pure."""
    if recorded == owner:
        return Claim.OURS
    if recorded is None or recorded.platform != owner.platform:
        return Claim.UNCLAIMED
    return Claim.FORMER


async def recorded(store: Store, namespace: str) -> Owner | None:
    """Return whose the images of a name are, None where nothing says so; raises ``Problem``."""
    content = await store.read(f"{_RECORDS}/{namespace}")
    if content is None:
        return None
    document = json.loads(content)
    return Owner(document["platform"], document["namespace"])


async def record(store: Store, namespace: str, owner: Owner) -> None:
    """Write down whose the images of a name are from now on."""
    content = {"platform": owner.platform, "namespace": owner.namespace}
    await store.write(f"{_RECORDS}/{namespace}", json.dumps(content).encode())


async def remove(store: Store, namespace: str) -> None:
    """Delete the repositories of a name, then the record: who is killed in between is followed by another."""
    await store.remove(layout.folder_of(namespace))
    await store.remove(f"{_RECORDS}/{namespace}")


async def all_recorded(store: Store) -> dict[str, Owner]:
    """Return whose the images are, by name; what nothing is recorded of is left out. Raises ``Problem``."""
    found = {}
    for name in await store.folders(layout.REPOSITORIES):
        if owner := await recorded(store, name):
            found[name] = owner
    return found


def gone(records: Mapping[str, Owner], platform: str, living: Mapping[str, str]) -> list[str]:
    """Return the names whose images are those of a namespace that is gone. Pure.

    ``living`` are UIDs by name, listed after the records were read: whose record is there was there before.
    """
    return [
        name
        for name, owner in records.items()
        if owner.platform == platform and living.get(name) != owner.namespace
    ]
