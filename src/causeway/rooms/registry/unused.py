"""What no image needs any more, and what of it is deleted in which order.

Marked is what manifests name; all other blobs go, with the links by which repositories have them. Links go
before blobs: who is killed in between leaves blobs that nobody names, which the next one finds.

A store may list what is gone, and not yet what is new (Swift's listings and replicas follow later). So what
was written or linked lately stays, and where a listed image cannot be read nothing is deleted.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from causeway.kit.errors import Problem
from causeway.rooms.registry import layout
from causeway.rooms.registry.layout import Named
from causeway.rooms.registry.store import Store

T = TypeVar("T")

_BATCH = 1000  # images that are read at once

Folders = Mapping[str, Collection[str]]
"""By digest, what is deleted with it."""


@dataclass
class Repository:
    """What a repository has by digest: images, layers, and what its tags led to before.

    ``tags`` are the keys of what they lead to now.
    """

    revisions: dict[str, list[str]] = field(default_factory=dict)
    layers: dict[str, list[str]] = field(default_factory=dict)
    former: dict[str, list[str]] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Unused:
    """The folders of images without a tag, and of layers and blobs no image needs."""

    images: Sequence[str]
    layers: Sequence[str]
    blobs: Sequence[str]

    @property
    def folders(self) -> list[str]:
        """Return all, in the order in which they are deleted."""
        return [*self.images, *self.layers, *self.blobs]


async def find(store: Store, *, untagged: bool, age: timedelta) -> Unused:
    """Return what no image needs; with ``untagged``, images no tag leads to are none.

    What is younger than ``age`` counts as needed. Raises ``Problem``, also naming an image that cannot be
    read: what it needs nobody knows. What takes the processor is done beside the loop: that renews the Lease.
    """
    since = datetime.now(UTC) - age
    links, files = await store.written(layout.REPOSITORIES), await store.written(layout.BLOBS)
    repositories = await asyncio.to_thread(sorted_out, links)
    blobs = await asyncio.to_thread(_by_digest, files)
    young = await asyncio.to_thread(written_since, since, links, files)
    images = {digest: name for name, each in repositories.items() for digest in each.revisions}
    manifests = await _named(store, images)
    tagged = {name: await _tagged(store, each) for name, each in repositories.items()} if untagged else None
    for name, each in repositories.items():
        led_to = {*each.former, *(tagged[name] if tagged else ())}
        await _require_listed(store, name, led_to - each.revisions.keys())
    return await asyncio.to_thread(unused, repositories, blobs, manifests, tagged, young)


def written_since(since: datetime, *listings: Mapping[str, datetime]) -> set[str]:
    """Return the digests of which a blob, or a link to it, was written after a moment. Pure."""
    recent = (key for each in listings for key, written in each.items() if written > since)
    return {place.digest for key in recent if (place := layout.place_of(key)) and place.digest}


def sorted_out(keys: Iterable[str]) -> dict[str, Repository]:
    """Return the repositories of a store by their folder, from the keys in them. Pure."""
    found: dict[str, Repository] = {}
    for key in keys:
        place = layout.place_of(key)
        if place is None or not place.repository:
            continue
        repository = found.setdefault(place.repository, Repository())
        if place.kind == "tag":
            repository.tags.append(key)
            continue
        part = {
            "revision": repository.revisions,
            "layer": repository.layers,
            "former": repository.former,
        }[place.kind]
        part.setdefault(place.digest, []).append(place.folder)
    return found


def unused(
    repositories: Mapping[str, Repository],
    blobs: Folders,
    manifests: Mapping[str, Named],
    tagged: Mapping[str, Collection[str]] | None,
    young: AbstractSet[str] = frozenset(),
) -> Unused:
    """Return what no image needs. Pure.

    ``tagged`` are the digests that tags of a repository lead to; None: images without a tag stay. What is
    ``young`` stays, and what it names.
    """
    needed: set[str] = set(young)
    images: list[str] = []
    for name, each in repositories.items():
        kept = (
            each.revisions.keys()
            if tagged is None
            else _reached(each, {*tagged[name], *(young & each.revisions.keys())}, manifests)
        )
        for digest in each.revisions.keys() - kept:
            images += [*each.former.get(digest, []), *each.revisions[digest]]
        for digest in kept:
            names = manifests.get(digest, Named(()))
            needed |= {digest, *names.parts, *names.manifests}
    links = [each.layers for each in repositories.values()]
    return Unused(
        images, [folder for each in links for folder in _without(each, needed)], _without(blobs, needed)
    )


def _without(folders: Folders, needed: Collection[str]) -> list[str]:
    return [folder for digest, some in folders.items() if digest not in needed for folder in some]


def _reached(
    repository: Repository, tagged: Collection[str], manifests: Mapping[str, Named]
) -> Collection[str]:
    """Return the images of a repository that tags lead to, also by an index."""
    found: set[str] = set()
    left = list(tagged)
    while left:
        digest = left.pop()
        if digest in repository.revisions and digest not in found:
            found.add(digest)
            left += manifests.get(digest, Named(())).manifests
    return found


def _by_digest(keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in keys:
        place = layout.place_of(key)
        if place is not None and place.kind == "blob":
            found.setdefault(place.digest, []).append(place.folder)
    return found


async def _named(store: Store, images: Mapping[str, str]) -> dict[str, Named]:
    """Return what manifests name, by digest; ``images`` gives a repository of each, for what is said."""

    async def one(digest: str, repository: str) -> tuple[str, Named | None]:
        content, link = await store.read(layout.blob(digest)), layout.revision(repository, digest)
        place = f"image {repository.removeprefix(f'{layout.REPOSITORIES}/')}@{digest}"
        if content is None and await store.read(link) is not None:
            remedy = f"Push it again, or delete {link} where images are; if it can be pulled, wait."
            raise Problem.of(place, "its manifest is not there", remedy)
        try:
            return digest, layout.named(content) if content is not None else None
        except ValueError as error:
            cause = f"what is stored is no manifest: {error}"
            raise Problem.of(place, cause, "Delete that image, and push it again.") from error

    found: dict[str, Named] = {}
    for some in _batches(list(images.items())):
        read = await asyncio.gather(*(one(*each) for each in some))
        found |= {digest: names for digest, names in read if names is not None}
    return found


async def _tagged(store: Store, repository: Repository) -> set[str]:
    found: set[str] = set()
    for some in _batches(repository.tags):
        for key, link in zip(some, await asyncio.gather(*map(store.read, some)), strict=True):
            if link is None:
                cause = "it is listed and not there: the store's listing is not of now"
                raise Problem.of(f"tag {key}", cause, "The next collection looks again.")
            found.add(link.decode().strip())
    return found


async def _require_listed(store: Store, repository: str, digests: Iterable[str]) -> None:
    """Raise ``Problem`` where an image that a tag leads or led to is there and was not listed."""
    for some in _batches(list(digests)):
        links = [layout.revision(repository, digest) for digest in some]
        for link, found in zip(links, await asyncio.gather(*map(store.read, links)), strict=True):
            if found is not None:
                cause = "it is there and not listed: the store's listing is not of now"
                raise Problem.of(f"image {link}", cause, "The next collection looks again.")


def _batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[begin : begin + _BATCH] for begin in range(0, len(items), _BATCH))
