"""Images: a Glance image that is a root file system archive, unpacked once and shared by its servers.

Unpacked beside its final name and renamed when complete, so a directory with the image's id is always whole.
"""

import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from causeway.host.command import CommandFailed, run
from causeway.kit.errors import Finding, Problem
from causeway.lab.servers.boot import INIT_CANDIDATES
from causeway.lab.servers.layout import Layout

_ARCHIVES = (
    (0, b"\x28\xb5\x2f\xfd"),  # zstd
    (0, b"\x1f\x8b"),  # gzip
    (0, b"\xfd7zXZ\x00"),
    (257, b"ustar"),
)


class NotBootable(Problem):
    """The image is no root file system with an init."""


def path_of(layout: Layout, image_id: str) -> Path:
    """Return where the image's root file system lies (or will lie); refuses what is no UUID."""
    try:
        return layout.unpacked / str(uuid.UUID(image_id))
    except ValueError:
        raise Problem.of("image", f"{image_id!r} is no UUID", "Use the image's id.") from None


def unpack(layout: Layout, image_id: str) -> Path:
    """Unpack the image, straight from Glance's store, unless that is done; return its root file system.

    Raises ``NotBootable`` for anything but a tar archive (plain, zstd, gzip or xz) that holds an init.
    """
    target = path_of(layout, image_id)
    layout.unpacked.mkdir(parents=True, exist_ok=True)
    archive = layout.lab.images / target.name
    with _locked(target):
        if target.is_dir():
            os.utime(target)  # used now: ``prune`` counts from here
            return target
        if not archive.is_file():
            raise _refused(image_id, "its bytes are not in the image store")
        if not is_archive(archive):
            raise _refused(image_id, "it is no tar archive (plain, zstd, gzip or xz)")
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            run("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", partial, "-xf", archive)
            if not any(_exists_inside(partial, name) for name in INIT_CANDIDATES):
                raise _refused(
                    image_id, f"it has none of {', '.join('/' + each for each in INIT_CANDIDATES)}"
                )
            partial.rename(target)
            os.utime(target)
        except CommandFailed as failure:
            raise _refused(image_id, f"it cannot be unpacked: {failure.output.strip()[-200:]}") from failure
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def prune(layout: Layout, used: Collection[str], minimum_age: float) -> list[str]:
    """Remove the images not in ``used`` that were last used ``minimum_age`` seconds ago or earlier."""
    if not layout.unpacked.is_dir():
        return []
    now, removed = time.time(), []
    for directory in layout.unpacked.iterdir():
        old = now - directory.stat().st_mtime > minimum_age
        if directory.is_dir() and directory.name not in used and old:
            with _locked(directory):
                shutil.rmtree(directory)
            removed.append(directory.name)
    return removed


def is_archive(path: Path) -> bool:
    """Return whether the file begins like an archive we can unpack."""
    with path.open("rb") as file:
        head = file.read(512)
    return any(head[offset:].startswith(magic) for offset, magic in _ARCHIVES)


def _exists_inside(root: Path, name: str) -> bool:
    """Look for ``name`` below ``root``, where an absolute link means the image's own root."""
    path = root / name
    if path.is_symlink():
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
    return path.is_symlink() or path.exists()


def _refused(image_id: str, cause: str) -> NotBootable:
    remedy = "Boot from an archive of a root file system with systemd, like the lab's node image."
    return NotBootable(Finding(f"image {image_id}", cause, remedy))


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Keep a second server of the same image waiting until the first has unpacked it."""
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(target.with_name(target.name + ".lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
