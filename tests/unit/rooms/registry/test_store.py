"""A store in a directory; that in a bucket is tried against a real one (tests/integration/registry)."""

import asyncio
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.rooms.registry import store as store_module
from causeway.rooms.registry.store import Directory, together


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


async def test_when_a_file_was_written_is_known(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    await store.write("a/one", b"")
    os.utime(tmp_path / "a/one", (1000, 1000))
    assert await store.written("a") == {"a/one": datetime.fromtimestamp(1000, UTC)}


async def test_who_breaks_a_deletion_off_finds_the_rest_there_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, begun, goes_on, ended = Directory(tmp_path), *(threading.Event() for _ in range(3))
    for each in range(3):
        await store.write(f"a/b/{each}", b"")
    unlink, remove = Path.unlink, store_module._remove

    def slow(path: Path, missing_ok: bool = False) -> None:
        begun.set()
        assert goes_on.wait(30)
        unlink(path, missing_ok=missing_ok)

    def watched(path: Path, flag: threading.Event) -> None:
        try:
            remove(path, flag)
        finally:
            ended.set()

    monkeypatch.setattr(Path, "unlink", slow)
    monkeypatch.setattr(store_module, "_remove", watched)
    task = asyncio.create_task(store.remove("a"))
    assert await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    goes_on.set()
    assert await asyncio.to_thread(ended.wait, 30)
    assert len(await store.keys("a")) == 2


async def test_where_one_of_several_fails_all_have_ended_when_that_is_told() -> None:
    ended = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def failing() -> None:
        raise Problem.of("a", "it answers 403", "Look.")

    with pytest.raises(Problem, match="answers 403"):
        await together([endless(), failing(), endless()])
    assert ended == [True, True]


async def test_what_the_file_system_refuses_is_told_with_what_to_do(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    await store.write("a", b"")
    (tmp_path / "b/.c.new").mkdir(parents=True)
    for call in (store.read("a/b"), store.size("a/b"), store.write("a/b", b""), store.write("b/c", b"")):
        with pytest.raises(Problem, match=r"images in .*registry\.size"):
            await call
