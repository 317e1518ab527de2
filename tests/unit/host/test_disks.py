import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.host import disks
from causeway.host.command import CommandFailed, run
from causeway.kit.errors import Problem

ID = "44444444-4444-4444-8444-444444444444"


def test_names_a_volume_may_have() -> None:
    assert disks.links(ID)[:2] == [f"virtio-{ID[:20]}", f"scsi-0QEMU_QEMU_HARDDISK_{ID[:20]}"]
    assert disks.links(ID)[-1] == f"wwn-0x{ID.replace('-', '')}"


@given(st.uuids(version=4).map(str))
def test_every_name_of_a_volume_is_known_as_one(volume: str) -> None:
    assert all(disks.is_link(each) for each in disks.links(volume))


@pytest.mark.parametrize(
    "name",
    [f"virtio-{ID[:20]}-part1", "virtio-config-2", "scsi-0QEMU_QEMU_HARDDISK_drive-scsi0", "wwn-0x5000c5"],
)
def test_a_partition_or_a_disk_of_another_serial_is_no_volume(name: str) -> None:
    assert not disks.is_link(name)


def test_what_is_no_block_device_is_no_disk(tmp_path: Path) -> None:
    by_id = tmp_path / "dev/disk/by-id"
    by_id.mkdir(parents=True)
    (by_id / f"virtio-{ID[:20]}").touch()
    assert disks.find(ID, tmp_path) is None


def test_what_is_on_a_disk_is_told(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(16 << 20)
    assert disks.holds(disk) == ""
    assert disks.size(disk) == 16 << 20
    disks.make(disk, "ext4")
    assert disks.holds(disk) == "ext4"
    with disk.open("ab") as file:
        file.truncate(32 << 20)
    for _ in range(2):
        disks.repair(disk, "ext4")
        assert disks.held(run("dumpe2fs", "-h", disk)) == 32 << 20


def test_an_xfs_whose_making_was_interrupted_is_nothing_and_made_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(512 << 20)
    disks.make(disk, "xfs")
    with disk.open("r+b") as file:
        file.seek(126)  # sb_inprogress
        file.write(b"\1")
    assert disks.holds(disk) == ""
    disks.make(disk, "xfs")
    assert disks.holds(disk) == "xfs"
    with pytest.raises(CommandFailed):  # it is not empty, whatever its caller thinks
        disks.make(disk, "xfs")


def test_a_partition_table_is_not_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    table = bytearray(1 << 20)
    table[446:462] = bytes([0, 0, 2, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0, 0])  # one Linux partition
    table[510:512] = b"\x55\xaa"
    disk.write_bytes(table)
    assert disks.holds(disk) == "dos"


def test_what_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    with pytest.raises(Problem):
        disks.holds(tmp_path / "gone")


def test_errors_of_a_file_system_are_read_by_its_devices_number(tmp_path: Path) -> None:
    (tmp_path / "devices/virtual/vdb").mkdir(parents=True)
    (tmp_path / "dev/block").mkdir(parents=True)
    (tmp_path / "dev/block/254:16").symlink_to("../../devices/virtual/vdb")
    (tmp_path / "fs/ext4/vdb").mkdir(parents=True)
    (tmp_path / "fs/ext4/vdb/errors_count").write_text("3\n")
    assert disks.errors(os.makedev(254, 16), tmp_path) == 3
    assert disks.errors(os.makedev(254, 32), tmp_path) == 0
