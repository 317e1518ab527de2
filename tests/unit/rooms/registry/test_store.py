"""A store in a directory; that in a bucket is tried against a real one (tests/integration/registry)."""

from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.rooms.registry.store import Directory


async def test_what_is_written_is_listed_read_and_goes_whole(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    assert await store.keys("a") == []
    assert await store.folders("a") == []
    assert await store.read("a/b/one") is None
    for key in ("a/b/one", "a/b/c/two", "a/d/three", "ab/four"):
        await store.write(key, key.encode())
    await store.write("a/b/one", b"again")
    assert await store.read("a/b/one") == b"again"
    assert [await store.size(each) for each in ("a/b/one", "a/b/none")] == [5, None]
    assert sorted(await store.keys("a")) == ["a/b/c/two", "a/b/one", "a/d/three"]
    assert await store.folders("a") == ["b", "d"]
    for _ in range(2):
        await store.remove("a/b")
        await store.remove("a/d/three")
    assert await store.keys("a") == []
    assert await store.keys("ab") == ["ab/four"]


async def test_what_the_file_system_refuses_is_told_with_what_to_do(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    await store.write("a", b"")
    (tmp_path / "b/.c.new").mkdir(parents=True)
    for call in (store.read("a/b"), store.size("a/b"), store.write("a/b", b""), store.write("b/c", b"")):
        with pytest.raises(Problem, match=r"images in .*registry\.size"):
            await call
