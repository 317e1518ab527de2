"""A node of its own on this machine: what is mounted on it nobody else sees, and it outlives its services."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.integration.projects import until

from causeway.lab import tree
from causeway.lab.settings import Settings

_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/ceph")


@contextlib.contextmanager
def holding() -> Iterator[tuple[str, ...]]:
    """Keep a mount namespace; yields the words that bring a command into it."""
    words = ("unshare", "--mount", "sleep", "infinity")
    with subprocess.Popen(words) as holder:
        ours = Path("/proc/self/ns/mnt").readlink()
        until(lambda: Path(f"/proc/{holder.pid}/ns/mnt").readlink() != ours)
        try:
            yield ("nsenter", f"--target={holder.pid}", "--mount", "--")
        finally:
            holder.kill()


def programs(lab: Settings, directory: Path) -> str:
    """Return a PATH with the lab's ``ceph-fuse``, run by the lab's own loader: this machine may have none."""
    running = tree.running(lab)
    assert running is not None
    root = Path(f"/proc/{running.first}/root{lab.root}")
    libraries = ":".join(str(root / each) for each in _LIBRARIES)
    folder = directory / "bin"
    folder.mkdir()
    program = folder / "ceph-fuse"
    loader = f"{root}/lib64/ld-linux-x86-64.so.2 --library-path {libraries}"
    program.write_text(f'#!/bin/sh\nexec {loader} {root}/usr/bin/ceph-fuse "$@"\n')
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"
