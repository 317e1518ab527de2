"""Which folders are made; tests/integration/registry try it with the registry's own program."""

from pathlib import Path

from causeway.rooms.registry import layout, walks
from causeway.rooms.registry.store import Directory


async def test_what_a_collection_goes_through_is_there_and_nothing_else_is_added(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    root = layout.REPOSITORIES
    await store.write(f"{root}/shop/a/_manifests/revisions/sha256/1/link", b"1")
    await store.write(f"{root}/shop/a/b/_manifests/revisions/sha256/1/link", b"1")
    await store.write(f"{root}/shop/a/b/_layers/sha256/1/link", b"1")
    (tmp_path / root / "shops/c/_manifests").mkdir(parents=True)  # its images were deleted
    await store.write(f"{root}/begun/a/_uploads/1/data", b"1")
    before = set(await store.keys("docker"))
    for _ in range(2):
        await walks.complete(store)
        found = set(await store.keys("docker")) - before
        assert {each.rpartition("/")[0] for each in found} == {
            *(layout.REPOSITORIES, layout.BLOBS),
            *(f"{root}/{each}/_layers" for each in ("shop/a", "shops/c")),
        }
    assert await store.folders(root) == ["begun", "shop", "shops"]
