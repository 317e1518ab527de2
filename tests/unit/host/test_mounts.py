import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from causeway.host.mounts import MountPoint, block_devices, parse

LINES = r"""
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
29 22 0:25 / /run rw,nosuid master:2 propagate_from:1 - tmpfs tmpfs rw,size=10%
40 22 254:16 /a\040b /mnt/with\040space ro,noatime - xfs /dev/vdb rw
41 22 0:5 /vdc /pods/block rw - devtmpfs udev rw
"""


def test_a_table_of_mounts_is_read() -> None:
    root, run, space, block = parse(LINES.strip())
    assert root.device == os.makedev(254, 1)
    assert (run.path, run.filesystem, run.source) == ("/run", "tmpfs", "tmpfs")
    assert (space.path, space.root) == ("/mnt/with space", "/a b")
    assert space.options == {"ro", "noatime"}
    assert space.held == {"rw"}
    assert (block.root, block.filesystem) == ("/vdc", "devtmpfs")


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    parse(text.replace(" - ", " "))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda it: "/" + it))
def test_every_path_is_read_as_the_kernel_writes_it(path: str) -> None:
    written = "".join(f"\\{ord(each):03o}" if each in " \t\n\\#" else each for each in path)
    lines = f"40 22 254:16 / {written} rw - ext4 /dev/vdb rw"
    if len(lines.splitlines()) == 1:
        assert [each.path for each in parse(lines)] == [path]


def test_only_block_devices_are_block_devices(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    mounts = [
        MountPoint(5, "/vdb", str(plain), frozenset(), "devtmpfs", "udev"),
        MountPoint(5, "/vdb", str(tmp_path / "gone"), frozenset(), "devtmpfs", "udev"),
    ]
    assert block_devices(mounts) == {}
