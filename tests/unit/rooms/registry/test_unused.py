"""What is deleted: nothing an image needs, and everything else; tests/integration/registry compares with the
registry's own program."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.kit.errors import Problem
from causeway.rooms.registry import layout, unused
from causeway.rooms.registry.layout import Named
from causeway.rooms.registry.store import Directory
from causeway.rooms.registry.unused import Repository

AT_ONCE = timedelta(0)
A = f"{layout.REPOSITORIES}/shop/a"


def number(each: int) -> str:
    return f"{each:064x}"


def digest(each: int) -> str:
    return f"sha256:{number(each)}"


def test_keys_are_told_apart_by_where_they_are() -> None:
    blob = f"{layout.BLOBS}/sha256/00/{number(1)}"
    revision, layer = f"{A}/_manifests/revisions/sha256/{number(1)}", f"{A}/b/_layers/sha256/{number(1)}"
    former = f"{A}/_manifests/tags/1/index/sha256/{number(1)}"
    assert layout.place_of(f"{blob}/data") == layout.Place("blob", "", digest(1), blob)
    assert layout.place_of(f"{revision}/link") == layout.Place("revision", A, digest(1), revision)
    assert layout.place_of(f"{layer}/link") == layout.Place("layer", f"{A}/b", digest(1), layer)
    assert layout.place_of(f"{former}/link") == layout.Place("former", A, digest(1), former)
    assert layout.place_of(f"{A}/_manifests/tags/1/current/link") == layout.Place("tag", A)
    others = (
        f"{A}/_uploads/1/data",
        f"{layout.BLOBS}/_causeway",
        f"{layout.BLOBS}/sha512/00/{'0' * 128}/data",
    )
    assert [layout.place_of(each) for each in others] == [None] * 3


async def store_of(directory: Path, *more: int) -> Directory:
    """Return one with an image 1 of layer 2, an index 3 of image 1 with the tag, and some blobs besides."""
    store = Directory(directory)
    kinds: dict[int, dict[str, Any]] = {
        1: {"layers": [{"digest": digest(2)}]},
        3: {"manifests": [{"digest": digest(1)}]},
    }
    for each in (1, 2, 3, *more):
        await store.write(layout.blob(digest(each)), json.dumps(kinds.get(each, {})).encode())
    for each in (1, 3):
        await store.write(f"{A}/_manifests/revisions/sha256/{number(each)}/link", digest(each).encode())
    await store.write(f"{A}/_manifests/tags/1/current/link", digest(3).encode())
    await store.write(f"{A}/_manifests/tags/1/index/sha256/{number(3)}/link", digest(3).encode())
    await store.write(f"{A}/_layers/sha256/{number(2)}/link", digest(2).encode())
    return store


@pytest.mark.parametrize("untagged", [False, True])
async def test_blobs_that_no_image_names_go_and_their_links(tmp_path: Path, *, untagged: bool) -> None:
    store = await store_of(tmp_path, 7)
    await store.write(f"{A}/_layers/sha256/{number(7)}/link", digest(7).encode())
    found = await unused.find(store, untagged=untagged, age=AT_ONCE)
    link, blob = f"{A}/_layers/sha256/{number(7)}", f"{layout.BLOBS}/sha256/00/{number(7)}"
    assert (found.images, found.folders) == ([], [link, blob])


async def test_an_image_no_tag_leads_to_goes_when_that_is_asked_for(tmp_path: Path) -> None:
    store = await store_of(tmp_path)
    await store.remove(f"{A}/_manifests/tags/1/current")
    assert (await unused.find(store, untagged=False, age=AT_ONCE)).folders == []
    found = await unused.find(store, untagged=True, age=AT_ONCE)
    assert (len(found.layers), len(found.blobs)) == (1, 3)
    assert sorted(found.images) == [
        *(f"{A}/_manifests/revisions/sha256/{number(each)}" for each in (1, 3)),
        f"{A}/_manifests/tags/1/index/sha256/{number(3)}",
    ]


async def test_where_an_image_cannot_be_read_nothing_is_found(tmp_path: Path) -> None:
    store = await store_of(tmp_path)
    await store.write(layout.blob(digest(1)), b"{")
    with pytest.raises(Problem, match=rf"image shop/a@{digest(1)}.*Delete that image"):
        await unused.find(store, untagged=False, age=AT_ONCE)


async def test_an_image_whose_manifest_is_not_there_ends_the_collection(tmp_path: Path) -> None:
    """It may be one that a replica lacks."""
    store = await store_of(tmp_path)
    await store.remove(layout.blob(digest(1)))
    with pytest.raises(Problem, match=rf"image shop/a@{digest(1)}.*not there.*Push it again"):
        await unused.find(store, untagged=False, age=AT_ONCE)


class Late(Directory):
    """A store that still lists what was deleted."""

    async def written(self, folder: str) -> dict[str, datetime]:
        gone = (
            f"{A}/_manifests/revisions/sha256/{number(8)}/link",
            f"{A}/_manifests/tags/2/current/link",
        )
        return await super().written(folder) | {
            key: datetime.fromtimestamp(0, UTC) for key in gone if key.startswith(folder)
        }


async def test_an_image_that_is_only_listed_needs_nothing_and_a_tag_ends_the_collection(
    tmp_path: Path,
) -> None:
    await store_of(tmp_path, 7)
    found = await unused.find(Late(tmp_path), untagged=False, age=AT_ONCE)
    assert found.blobs == [f"{layout.BLOBS}/sha256/00/{number(7)}"]
    with pytest.raises(Problem, match=r"tags/2/current/link.*not there"):
        await unused.find(Late(tmp_path), untagged=True, age=AT_ONCE)


def age(directory: Path) -> None:
    """Make all files of a store two days old."""
    ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    for each in directory.rglob("*"):
        if each.is_file():
            os.utime(each, (ago, ago))


class Behind(Directory):
    """One whose listing does not know of an image yet."""

    hidden = ""

    async def written(self, folder: str) -> dict[str, datetime]:
        return {
            key: at for key, at in (await super().written(folder)).items() if not key.startswith(self.hidden)
        }


@pytest.mark.parametrize("untagged", [True, False])
async def test_an_image_that_a_tag_leads_to_and_is_not_listed_ends_the_collection(
    tmp_path: Path, *, untagged: bool
) -> None:
    await store_of(tmp_path)
    store = Behind(tmp_path)
    store.hidden = f"{A}/_manifests/revisions/sha256/{number(3)}"
    await store.write(f"{A}/_manifests/tags/1/index/sha256/{number(3)}/link", digest(3).encode())
    with pytest.raises(Problem, match="not listed"):
        await unused.find(store, untagged=untagged, age=AT_ONCE)


async def test_what_is_young_stays_and_what_is_linked_lately(tmp_path: Path) -> None:
    """Its image may not be listed yet."""
    store, day = await store_of(tmp_path, 6, 7, 8), timedelta(days=1)
    for each in (6, 7, 8):
        await store.write(f"{A}/_layers/sha256/{number(each)}/link", digest(each).encode())
    age(tmp_path)
    os.utime(tmp_path / layout.blob(digest(6)))
    os.utime(tmp_path / f"{A}/_layers/sha256/{number(7)}/link")
    found = await unused.find(store, untagged=False, age=day)
    link, blob = f"{A}/_layers/sha256/{number(8)}", f"{layout.BLOBS}/sha256/00/{number(8)}"
    assert found.folders == [link, blob]


async def test_an_image_pushed_lately_stays_with_what_it_names_though_no_tag_leads_to_it(
    tmp_path: Path,
) -> None:
    store = await store_of(tmp_path)
    await store.remove(f"{A}/_manifests/tags/1/current")
    age(tmp_path)
    os.utime(tmp_path / layout.revision(A, digest(3)))
    assert (await unused.find(store, untagged=True, age=timedelta(days=1))).folders == []


async def test_in_an_empty_store_nothing_is_found(tmp_path: Path) -> None:
    assert (await unused.find(Directory(tmp_path), untagged=True, age=AT_ONCE)).folders == []


DIGESTS = st.sets(st.integers(0, 9).map(digest))
NAMED = st.builds(Named, DIGESTS.map(tuple), DIGESTS.map(tuple))


@given(
    st.dictionaries(st.sampled_from("abc"), st.tuples(DIGESTS, DIGESTS), max_size=3),
    DIGESTS,
    st.dictionaries(st.integers(0, 9).map(digest), NAMED),
    st.none() | DIGESTS,
)
def test_what_a_kept_image_needs_stays_and_after_that_nothing_is_left_to_delete(
    repositories: dict[str, tuple[set[str], set[str]]],
    blobs: set[str],
    manifests: dict[str, Named],
    tags: set[str] | None,
) -> None:
    def look(images: set[str], layers: set[str], there: set[str]) -> unused.Unused:
        made = {
            name: Repository(
                {each: [f"i {name} {each}"] for each in revisions if f"i {name} {each}" not in images},
                {each: [f"l {name} {each}"] for each in links if f"l {name} {each}" not in layers},
            )
            for name, (revisions, links) in repositories.items()
        }
        tagged = None if tags is None else dict.fromkeys(made, tags)
        return unused.unused(made, {each: [each] for each in there}, manifests, tagged)

    found = look(set(), set(), blobs)
    gone = set(found.images)
    for name, (revisions, _) in repositories.items():
        kept = [each for each in revisions if f"i {name} {each}" not in gone]
        assert tags is not None or len(kept) == len(revisions)
        assert tags is None or tags & revisions <= set(kept)
        needed = {
            part
            for each in kept
            for part in (
                each,
                *manifests.get(each, Named(())).parts,
                *manifests.get(each, Named(())).manifests,
            )
        }
        assert not needed & set(found.blobs)
        assert not {f"l {name} {each}" for each in needed} & set(found.layers)
    assert look(gone, set(found.layers), blobs - set(found.blobs)).folders == []
