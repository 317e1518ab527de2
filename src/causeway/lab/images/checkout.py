"""The source tree this program runs from: container images of our own code are made of it."""

import hashlib
import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, requires
from itertools import pairwise
from pathlib import Path

import causeway
from causeway.kit.errors import Problem

_BLOCK = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==", flags=re.MULTILINE)


def root() -> Path:
    """Return the top of the source tree; raises ``Problem`` when the program was installed without one."""
    top = Path(causeway.__file__).resolve().parents[2]
    if not (top / "requirements.lock").is_file():
        raise Problem.of(
            "node image",
            f"it contains this program itself, and {top} is no source tree of it",
            "Run `causeway lab image` from a checkout whose environment `make setup` has made.",
        )
    return top


def fingerprint(paths: Iterable[Path]) -> str:
    """Return a digest of names and contents of all files at and below ``paths``, without compiled ones."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(path.parent)}\0{file.stat().st_mode & 0o111}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def locked_runtime(lock: str, needed: Iterable[str]) -> str:
    """Return the part of a lock file that concerns the projects ``needed``, with their hashes."""
    wanted = {_normal(name) for name in needed}
    starts = [match.start() for match in _BLOCK.finditer(lock)] + [len(lock)]
    blocks = [lock[start:end] for start, end in pairwise(starts)]
    return "".join(block for block in blocks if _normal(block.split("==")[0]) in wanted)


def runtime_projects(project: str) -> set[str]:
    """Return the names of all projects Causeway needs at run time, directly or not, as installed here.

    ``project`` is the text of its ``pyproject.toml``: what is installed may be of an older one.
    """
    found: set[str] = set()
    requirements = list(tomllib.loads(project)["project"]["dependencies"])
    while requirements:
        requirement = requirements.pop()
        name = _normal(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
        if "extra ==" not in requirement and name not in found and _installed(name):
            found.add(name)
            requirements += requires(name) or []
    return found


def _installed(name: str) -> bool:
    """Return whether the project is there: what only other platforms or versions need is not."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
