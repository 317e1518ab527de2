from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.lab.servers import cgroups
from causeway.lab.servers.cgroups import Cgroups, Tree

FIRST = """\
tmpfs /sys/fs/cgroup tmpfs ro,nosuid 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,release_agent=/lib/systemd/agent,name=systemd 0 0
"""
UNIFIED = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n"


def test_every_tree_of_version_1_is_found_with_its_controllers() -> None:
    found = cgroups.parse_mounts(FIRST)
    assert found.version == 1
    assert [tree.controllers for tree in found.trees] == [("cpu", "cpuacct"), ("memory",), ("name=systemd",)]


def test_a_unified_tree_beside_version_1_is_one_of_its_trees() -> None:
    found = cgroups.parse_mounts(FIRST + UNIFIED)
    assert found.version == 1
    assert found.trees[-1] == Tree(Path("/sys/fs/cgroup/unified"), unified=True)


def test_the_unified_tree_alone_is_version_2() -> None:
    found = cgroups.parse_mounts("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
    assert found == Cgroups(2, (Tree(Path("/sys/fs/cgroup"), unified=True),))


def test_a_machine_without_cgroups_is_refused() -> None:
    with pytest.raises(Problem, match="no cgroup tree"):
        cgroups.parse_mounts("proc /proc proc rw 0 0\n")


def test_limits_are_the_flavors_in_the_words_of_each_version() -> None:
    first = {each.file: each.value for each in cgroups.limits(1, memory_mb=2048, vcpus=2)}
    assert first == {"memory.limit_in_bytes": str(2 << 30), "cpu.cfs_quota_us": "200000"}
    second = {each.file: each.value for each in cgroups.limits(2, memory_mb=2048, vcpus=2)}
    assert second == {"memory.max": str(2 << 30), "cpu.max": "200000 100000"}


def test_a_cgroup_is_made_in_every_tree_and_goes_with_all_below(tmp_path: Path) -> None:
    trees = tuple(Tree(tmp_path / name, (name,)) for name in ("cpu", "memory"))
    for tree in trees:
        tree.path.mkdir()
    machine = Cgroups(1, trees)
    cgroups.create(machine, "lab/server", [])
    for tree in trees:
        (tree.path / "lab/server/kubepods/pod").mkdir(parents=True)
    cgroups.remove(machine, "lab/server")
    assert [list(tree.path.iterdir()) for tree in trees] == [[], []]


def test_the_cgroup_above_stays_while_another_server_has_it(tmp_path: Path) -> None:
    machine = Cgroups(1, (Tree(tmp_path, ("pids",)),))
    for name in ("lab/one", "lab/two"):
        cgroups.create(machine, name, [])
    cgroups.remove(machine, "lab/one")
    assert (tmp_path / "lab/two").is_dir()


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    cgroups.remove(Cgroups(1, (Tree(tmp_path, ("pids",)),)), "lab/none")


def test_version_1_gives_new_cgroups_processors_and_memory_nodes(tmp_path: Path) -> None:
    (tmp_path / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset.mems").write_text("0\n")
    above = tmp_path / "lab"
    for directory in (above, above / "server"):
        directory.mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):
            (directory / name).write_text("\n")  # as the kernel makes them
    cgroups.create(Cgroups(1, (Tree(tmp_path, ("cpuset",)),)), "lab/server", [])
    assert (above / "server/cpuset.cpus").read_text() == "0-1\n"
    assert (above / "server/cgroup.clone_children").read_text() == "1"


def test_version_2_delegates_the_controllers_the_machine_has(tmp_path: Path) -> None:
    above = tmp_path / "lab"
    above.mkdir()
    for directory in (tmp_path, above):
        (directory / "cgroup.controllers").write_text("cpu memory pids hugetlb\n")
    limits = cgroups.limits(2, memory_mb=512, vcpus=1)
    server = above / "server"
    server.mkdir()
    (server / "memory.max").write_text("max\n")
    (server / "cpu.max").write_text("max 100000\n")
    cgroups.create(Cgroups(2, (Tree(tmp_path, unified=True),)), "lab/server", limits)
    assert (above / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert (server / "memory.max").read_text() == str(512 << 20)
    assert (server / "cpu.max").read_text() == "100000 100000"
