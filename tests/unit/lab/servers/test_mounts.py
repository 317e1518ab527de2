import stat
from pathlib import Path

import pytest

from causeway.lab.servers import mounts
from causeway.lab.servers.cgroups import Cgroups, Tree
from causeway.lab.servers.layout import ServerFiles
from causeway.lab.servers.mounts import Device, Disk, Link, Mount, Step

FILES = ServerFiles(Path("/lab/servers/s"), "above")
ROOT = FILES.mountpoint
FIRST = Cgroups(
    1,
    (
        Tree(Path("/sys/fs/cgroup/cpu,cpuacct"), ("cpu", "cpuacct")),
        Tree(Path("/sys/fs/cgroup/systemd"), ("name=systemd",)),
        Tree(Path("/sys/fs/cgroup/unified"), unified=True),
    ),
)
SECOND = Cgroups(2, (Tree(Path("/sys/fs/cgroup"), unified=True),))


def planned(cgroups: Cgroups = FIRST, disks: tuple[Disk, ...] = ()) -> list[Step]:
    return mounts.plan(
        FILES,
        Path("/lab/unpacked/i"),
        cgroups=cgroups,
        console="/dev/pts/7",
        disks=disks,
        data=["var/lib/etcd"],
        shadows=["meminfo"],
    )


def mounted(steps: list[Step]) -> dict[Path, Mount]:
    return {step.target: step for step in steps if isinstance(step, Mount)}


def test_the_root_is_the_image_below_what_the_server_wrote() -> None:
    first = planned()[0]
    assert first == Mount(
        "overlay",
        ROOT,
        "overlay",
        0,
        "lowerdir=/lab/unpacked/i,upperdir=/lab/servers/s/upper,workdir=/lab/servers/s/work",
    )


def test_directories_that_make_overlays_are_the_machines_file_system() -> None:
    found = mounted(planned())[ROOT / "var/lib/etcd"]
    assert (found.source, found.flags) == ("/lab/servers/s/data/var/lib/etcd", mounts.MS_BIND)


def test_the_config_drive_cannot_be_written() -> None:
    both = [
        step
        for step in planned()
        if isinstance(step, Mount) and step.target == ROOT / "var/lib/cloud/seed/config_drive"
    ]
    assert both[0].flags == mounts.MS_BIND
    assert both[1].flags == mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY


def test_parts_of_proc_are_covered_after_proc_is_there() -> None:
    order = list(mounted(planned()))
    assert order.index(ROOT / "proc") < order.index(ROOT / "proc/meminfo")


def test_version_1_shows_each_tree_under_its_own_name() -> None:
    found = mounted(planned())
    top = ROOT / "sys/fs/cgroup"
    assert found[top].kind == "tmpfs"
    assert found[top / "cpu,cpuacct"].options == "cpu,cpuacct"
    assert found[top / "systemd"].options == "none,name=systemd"
    assert found[top / "unified"].kind == "cgroup2"


def test_version_2_is_one_tree() -> None:
    below = {path: step for path, step in mounted(planned(SECOND)).items() if "cgroup" in path.parts}
    assert {path: step.kind for path, step in below.items()} == {ROOT / "sys/fs/cgroup": "cgroup2"}


def test_the_console_is_the_monitors_terminal() -> None:
    assert mounted(planned())[ROOT / "dev/console"].source == "/dev/pts/7"


def test_a_volume_looks_like_a_virtio_disk() -> None:
    disk = Disk("vdb", "31b520f1-8d2f-42e8-8a11-000000000000", 7, 3)
    steps = mounts.disk_nodes(Path("/dev"), disk)
    assert Device(Path("/dev/vdb"), stat.S_IFBLK | 0o660, 7, 3) in steps
    assert Link(Path("/dev/disk/by-id/virtio-31b520f1-8d2f-42e8-8"), "../../vdb") in steps
    of_server = [*planned(disks=(disk,))]
    assert Device(ROOT / "dev/vdb", stat.S_IFBLK | 0o660, 7, 3) in of_server


def test_meminfo_shows_the_flavors_memory_and_no_swap() -> None:
    text = "MemTotal: 24684096 kB\nMemFree: 1 kB\nMemAvailable: 2 kB\nCached: 17 kB\nSwapTotal: 9 kB\n"
    lines = mounts.meminfo(text, 512).splitlines()
    assert lines[0].split() == ["MemTotal:", "524288", "kB"]
    assert "Cached: 17 kB" in lines
    assert lines[-2].split() == ["SwapTotal:", "0", "kB"]


@pytest.mark.parametrize("name", sorted(mounts.SHADOWED))
def test_what_is_covered_is_named_below_proc(name: str) -> None:
    assert not name.startswith(("/", "proc"))
