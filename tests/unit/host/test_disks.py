import os
from collections.abc import Sequence
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


IN_PROGRESS, NO_INODES = (126, b"\1"), (128, bytes(8))  # in the superblock of an xfs
NO_GROUP = (1024, bytes(512))  # the header of its first allocation group


def xfs(disk: Path, *changes: tuple[int, bytes], checksum: bool = True) -> Path:
    """Make an xfs and change it, its superblock's checksum too."""
    with disk.open("wb") as file:
        file.truncate(512 << 20)
    disks.make(disk, "xfs")
    with disk.open("r+b") as file:
        for at, data in changes:
            file.seek(at)
            file.write(data)
        if checksum:
            file.seek(0)
            sector = file.read(512)
            file.seek(224)
            file.write(crc32c(sector[:224] + bytes(4) + sector[228:]).to_bytes(4, "little"))
    return disk


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def head(disk: Path) -> bytes:
    with disk.open("rb") as file:
        return file.read(4096)


def test_the_checksum_here_is_the_one_that_mkfs_writes(tmp_path: Path) -> None:
    made = head(xfs(tmp_path / "disk", checksum=False))
    assert crc32c(made[:224] + bytes(4) + made[228:512]) == int.from_bytes(made[224:228], "little")


def test_an_xfs_whose_making_was_interrupted_is_nothing_and_made_again(tmp_path: Path) -> None:
    disk = xfs(tmp_path / "disk", IN_PROGRESS, NO_INODES, NO_GROUP)
    assert disks.holds(disk) == ""
    disks.make(disk, "xfs")
    assert disks.holds(disk) == "xfs"
    with pytest.raises(CommandFailed):  # it is not empty, whatever its caller thinks
        disks.make(disk, "xfs")


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        (IN_PROGRESS,),  # a bit that turned, or a copy
        (IN_PROGRESS, NO_INODES),  # its superblock is one of the spare ones
        (IN_PROGRESS, NO_GROUP),
        (NO_INODES, NO_GROUP),
    ],
)
def test_an_xfs_that_may_have_been_whole_is_never_made_again(
    tmp_path: Path, changes: Sequence[tuple[int, bytes]], checksum: bool
) -> None:
    disk = xfs(tmp_path / "disk", *changes, checksum=checksum)
    assert disks.holds(disk).endswith("xfs")
    before = head(disk)
    with pytest.raises(CommandFailed):
        disks.make(disk, "xfs")
    assert head(disk) == before


def test_what_has_a_wrong_checksum_is_not_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    label = bytearray(16 << 20)
    label[512:520] = b"LABELONE"
    label[520] = 1  # the sector it is in
    label[532:536] = (32).to_bytes(4, "little")
    label[536:544] = b"LVM2 001"
    disk.write_bytes(label)
    assert disks.holds(disk) == "damaged LVM2_member"


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
