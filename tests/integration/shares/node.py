"""The programs of a node that mounts shares."""

import os
from pathlib import Path

from causeway.lab import tree
from causeway.lab.settings import Settings

_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/ceph")


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
