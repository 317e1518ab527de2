"""Where a registry's files are, for what looks after them: keys with bytes, in a directory or a bucket.

The registry's own API has no way to list what is in one namespace with images that lost their tag, nor to
take a repository away. A key is a path below the registry's root, such as ``docker/registry/v2/blobs/…``.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from causeway.kit.errors import Problem

P = ParamSpec("P")
T = TypeVar("T")


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do some things at once. Where one fails all others have ended when its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in works:
                group.create_task(each)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors


class Store(Protocol):
    """Files by key. Raises ``Problem`` where the store does not answer as it should.

    ``shared`` says whether another platform may come to have the same.
    """

    shared: bool

    async def keys(self, folder: str) -> list[str]:
        """Return the keys of all files at any depth below a folder; none where it is not there."""
        ...

    async def written(self, folder: str) -> dict[str, datetime]:
        """Return these keys, and when each file was written last, by the store's clock."""
        ...

    async def folders(self, folder: str) -> list[str]:
        """Return the names of the folders right below a folder."""
        ...

    async def read(self, key: str) -> bytes | None:
        """Return the bytes of a file, None where it is not there."""
        ...

    async def size(self, key: str) -> int | None:
        """Return the bytes a file has, None where it is not there."""
        ...

    async def write(self, key: str, content: bytes) -> None:
        """Write a file whole: who is killed meanwhile leaves the former one."""
        ...

    async def remove(self, folder: str) -> None:
        """Delete a folder, or a file, with all below; none there is no error."""
        ...


class Directory:
    """A store on a file system."""

    shared = False

    def __init__(self, root: Path) -> None:
        self._root = root

    async def keys(self, folder: str) -> list[str]:
        """Return the keys of all files below a folder."""
        return await self._done(self._keys, folder)

    def _keys(self, folder: str) -> list[str]:
        found = []
        for place, _, names in os.walk(self._root / folder, onerror=_unless_gone):
            relative = Path(place).relative_to(self._root)
            found += [str(relative / name) for name in names]
        return found

    async def written(self, folder: str) -> dict[str, datetime]:
        """Return the keys of all files below a folder, and when each was written last."""
        return await self._done(self._written, folder)

    def _written(self, folder: str) -> dict[str, datetime]:
        found = {}
        for key in self._keys(folder):
            with contextlib.suppress(FileNotFoundError):  # an upload that ended
                found[key] = datetime.fromtimestamp((self._root / key).stat().st_mtime, UTC)
        return found

    async def folders(self, folder: str) -> list[str]:
        """Return the names of the folders right below a folder."""
        return await self._done(self._folders, self._root / folder)

    @staticmethod
    def _folders(place: Path) -> list[str]:
        if not place.is_dir():
            return []
        return sorted(each.name for each in place.iterdir() if each.is_dir())

    async def read(self, key: str) -> bytes | None:
        """Return the bytes of a file, None where it is not there."""
        return await self._done(self._read, self._root / key)

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    async def size(self, key: str) -> int | None:
        """Return the bytes a file has, None where it is not there."""
        return await self._done(self._size, self._root / key)

    @staticmethod
    def _size(path: Path) -> int | None:
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None

    async def write(self, key: str, content: bytes) -> None:
        """Write a file whole."""
        await self._done(self._write, self._root / key, content)

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        with beside.open("wb") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        beside.replace(path)

    async def remove(self, folder: str) -> None:
        """Delete a folder, or a file, with all below. Broken off, it deletes one more at most."""
        ended = threading.Event()
        try:
            await self._done(_remove, self._root / folder, ended)
        finally:
            ended.set()  # a thread goes on without who waits for it

    async def _done(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except OSError as error:
            remedy = "If the registry's volume is full, enlarge registry.size, or delete images and collect."
            raise Problem.of(f"images in {self._root}", str(error), remedy) from error


def _remove(path: Path, ended: threading.Event) -> None:
    """Delete what is there one by one, until it is ended."""
    if not path.is_dir():
        if not ended.is_set():
            path.unlink(missing_ok=True)
        return
    for place, folders, names in os.walk(path, topdown=False, onerror=_raised):
        for name in names:
            if ended.is_set():
                return
            (Path(place) / name).unlink(missing_ok=True)
        for name in folders:
            if ended.is_set():
                return
            (Path(place) / name).rmdir()
    if not ended.is_set():
        path.rmdir()


def _raised(error: OSError) -> None:
    raise error


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
