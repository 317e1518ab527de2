"""The interface's own test suite, built from its published module into the cache."""

import fcntl
import re
import xml.etree.ElementTree as Tree
from pathlib import Path

from causeway.host.command import run
from causeway.lab.images.golang import Module, Toolchain

VERSION = "v5.6.0"
MODULE = "github.com/kubernetes-csi/csi-test/v5"
PROGRAM = "csi-sanity"


def obtain(cache: Path, log: Path) -> Path:
    """Return the program, built unless the cache has it; test runs at the same time build it once."""
    home = cache / "csi-test"
    home.mkdir(parents=True, exist_ok=True)
    program = home / VERSION / PROGRAM
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            partial = home / f"{VERSION}.partial"
            partial.mkdir(exist_ok=True)
            toolchain = Toolchain(cache, log)
            toolchain.build(_module(toolchain), partial)
            partial.rename(program.parent)
    stated = run(program, "-version")
    assert VERSION in stated, stated
    return program


def skipped(report: Path) -> dict[str, str]:
    """Return the specs that were begun and not gone through with, and the suite's reason for each.

    Those that were not chosen for the run have none, and are left out.
    """
    found = {}
    for case in Tree.parse(report).iter("testcase"):
        for mark in case.iter("skipped"):
            _, told, reason = (mark.get("message") or "").partition(" - ")
            if told:
                found[re.sub(r"^\[\w+\] ", "", case.get("name", ""))] = reason
    return found


def _module(toolchain: Toolchain) -> Module:
    return Module(
        name="csi-test",
        language=toolchain.published(MODULE, VERSION).language,
        requires={MODULE: VERSION},
        programs={PROGRAM: f"{MODULE}/cmd/{PROGRAM}"},
        variables={"main.VERSION": VERSION},
    )
