"""The cgroup of a server: its limits, and the tree it may divide further itself.

The machine has either the unified tree (version 2) or one tree per controller (version 1); a server gets a
directory in each tree there is, and a cgroup namespace that makes this directory its root. Everything is
looked up from the machine's mounts, as distributions differ in which controllers share a tree.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from causeway.kit.errors import Problem

DELEGATED = ("cpu", "cpuset", "io", "memory", "pids")
REMOVE_DEADLINE = 5.0


@dataclass(frozen=True)
class Tree:
    """A mounted cgroup tree: where, its controllers by mount option, and whether it is the unified one."""

    path: Path
    controllers: tuple[str, ...] = ()
    unified: bool = False


@dataclass(frozen=True)
class Cgroups:
    """The trees of this machine; ``version`` is 1 or 2."""

    version: int
    trees: tuple[Tree, ...]

    def directories(self, name: str) -> Iterator[Path]:
        """Return the directory of the cgroup ``name`` in every tree."""
        return (tree.path / name for tree in self.trees)


@dataclass(frozen=True)
class Setting:
    """A value for a file of a cgroup; ``controller`` says in which tree of version 1."""

    controller: str
    file: str
    value: str


def of_machine() -> Cgroups:
    """Return the trees mounted on this machine."""
    return parse_mounts(Path("/proc/self/mounts").read_text())


def parse_mounts(text: str) -> Cgroups:
    """Return the trees named in the text of /proc/mounts.

    A machine with both kinds counts as version 1, where its controllers are; the unified tree beside them is
    still one of its trees, or a server's systemd would use the machine's part of it. Refuses one with none.
    """
    first, unified = [], []
    for line in text.splitlines():
        _, path, kind, options, *_ = line.split()
        if kind == "cgroup":
            first.append(Tree(Path(path), tuple(each for each in options.split(",") if _is_controller(each))))
        elif kind == "cgroup2":
            unified.append(Tree(Path(path), unified=True))
    if first:
        return Cgroups(1, (*first, *unified[:1]))
    if unified:
        return Cgroups(2, tuple(unified[:1]))
    raise Problem.of(
        "machine", "no cgroup tree is mounted", "Mount /sys/fs/cgroup, as every init system does."
    )


def limits(version: int, *, memory_mb: int, vcpus: int) -> list[Setting]:
    """Return the settings that hold a server to its flavor's memory and cores."""
    period = 100_000  # microseconds, the kernel's own default
    if version == 2:
        return [
            Setting("memory", "memory.max", str(memory_mb << 20)),
            Setting("cpu", "cpu.max", f"{vcpus * period} {period}"),
        ]
    return [
        Setting("memory", "memory.limit_in_bytes", str(memory_mb << 20)),
        Setting("cpu", "cpu.cfs_quota_us", str(vcpus * period)),
    ]


def create(cgroups: Cgroups, name: str, settings: list[Setting]) -> None:
    """Create the cgroup ``parent/name`` in every tree and apply ``settings`` where their controller is."""
    for tree in cgroups.trees:
        above = tree.path
        for part in Path(name).parts:
            _delegate(cgroups.version, above)
            above /= part
            above.mkdir(exist_ok=True)
            _seed_cpuset(tree, above)
        for setting in settings:
            if cgroups.version == 2 or setting.controller in tree.controllers:
                target = above / setting.file
                if target.exists():  # version 2: only the controllers that could be delegated
                    target.write_text(setting.value)


def enter(cgroups: Cgroups, name: str) -> None:
    """Move the calling process into the cgroup."""
    for directory in cgroups.directories(name):
        (directory / "cgroup.procs").write_text("0")


def processes(cgroups: Cgroups, name: str) -> set[int]:
    """Return the numbers of all processes in the cgroup and below it, as this process sees them."""
    found: set[int] = set()
    for top in cgroups.directories(name):
        for directory, _, _ in os.walk(top):
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in (Path(directory) / "cgroup.procs").read_text().split()}
    return found - {0}


def remove(cgroups: Cgroups, name: str) -> None:
    """End what still runs in the cgroup ``parent/name`` and remove it with all below; quiet without one."""
    deadline = time.monotonic() + REMOVE_DEADLINE
    while left := [top for top in cgroups.directories(name) if not _removed(top)]:
        if time.monotonic() > deadline:
            raise Problem.of(
                str(left[0]), "processes in it do not end", "See what they wait for: cat cgroup.procs."
            )
        for pid in processes(cgroups, name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    for top in cgroups.directories(name):  # the one above too, with the last in it
        with contextlib.suppress(OSError):
            top.parent.rmdir()


def _is_controller(option: str) -> bool:
    flags = ("rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr", "clone_children")
    return option not in flags and not option.startswith("release_agent=")


def _removed(top: Path) -> bool:
    for directory, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            Path(directory).rmdir()
    return not top.exists()


def _delegate(version: int, above: Path) -> None:
    """Let the children of ``above`` have the controllers a server needs (version 2)."""
    if version != 2:
        return
    available = (above / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{each}" for each in DELEGATED if each in available)
    if wanted:
        (above / "cgroup.subtree_control").write_text(wanted)


def _seed_cpuset(tree: Tree, directory: Path) -> None:
    """Fill in processors and memory nodes, without which version 1 lets no process in; children inherit."""
    if "cpuset" not in tree.controllers:
        return
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not (directory / name).read_text().strip():
            (directory / name).write_text((directory.parent / name).read_text())
    (directory / "cgroup.clone_children").write_text("1")
