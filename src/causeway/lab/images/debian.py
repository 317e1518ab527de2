"""Root file systems of Debian packages, cached by what they consist of.

The mirror is the machine's own when it is a Debian machine, see ``causeway.lab.mirror``.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from causeway.host.command import CommandFailed, run
from causeway.kit.errors import Problem
from causeway.lab import mirror, packages

# Nobody reads documentation or translations in a container; licences stay.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# Bump when the way trees are made changes.
RECIPE = 1


def digest(*facts: object) -> str:
    """Return a short name for ``facts`` (JSON values): equal facts, equal name."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def tree(cache: Path, name: str, included: Sequence[str], *, log: Path, variant: str = "extract") -> Path:
    """Return a directory with the packages ``included`` and all they depend on, making it unless it is
    cached.

    ``variant`` is mmdebstrap's: with ``extract`` packages are only unpacked, no script of theirs runs.
    Raises ``Problem`` when the mirror does not answer.
    """
    target = (
        cache
        / "images"
        / f"tree-{name}-{digest(RECIPE, packages.SUITE, variant, sorted(included), EXCLUDED)}"
    )
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    discard(partial)
    words = [
        "--mode=root",
        "--format=directory",
        f"--variant={variant}",
        f"--include={','.join(included)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=force-unsafe-io",
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=Acquire::Retries "3"',
    ]
    try:
        run(
            "mmdebstrap",
            *words,
            packages.SUITE,
            partial,
            *mirror.lines(mirror.of_machine(), packages.SUITE),
            log=log,
        )
    except CommandFailed as failure:
        raise Problem.of(
            f"root file system {name}",
            failure.findings[0].remedy,
            f"Check the network and the machine's package sources, then run the command again. Log: {log}",
        ) from failure
    # What looks at the machine's files meanwhile keeps /proc busy there, and mmdebstrap then leaves it.
    _unmount(partial)
    partial.rename(target)
    return target


def discard(directory: Path) -> None:
    """Remove what an interrupted build left, its mounts first (configuring packages mounts /proc)."""
    _unmount(directory)
    if directory.exists():
        shutil.rmtree(directory)


def _unmount(directory: Path) -> None:
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        where = line.split()[1]
        if where.startswith(f"{directory}/"):
            run("umount", "--lazy", where)
