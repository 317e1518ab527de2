import os
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from causeway.host.places import Disk, attached, room

ROOT = Disk(1, scsi=False, volume=False, used=True)
VIRTIO, SCSI = 26, 255

disks = st.lists(
    st.builds(Disk, st.integers(0, 400), scsi=st.just(False), volume=st.booleans(), used=st.booleans()),
    max_size=40,
    unique_by=lambda each: each.number,
)


def test_the_bus_of_the_disks_says_how_many_there_may_be() -> None:
    assert room([ROOT]) == VIRTIO - 1
    assert room([Disk(1, scsi=True, volume=False, used=True)]) == SCSI - 1


@given(disks, st.integers(1, 20))
def test_a_claims_volume_takes_no_place(there: list[Disk], more: int) -> None:
    """Else the limit would be less after each start of the driver, and Kubernetes count volumes twice."""
    claims = [Disk(1000 + each, scsi=False, volume=True, used=False) for each in range(more)]
    assert room([*there, *claims]) == room(there)


@given(disks)
def test_every_other_disk_takes_one_and_one_place_is_always_left(there: list[Disk]) -> None:
    for strange in (
        Disk(1000, scsi=False, volume=False, used=False),  # empty, or with a configuration on it
        Disk(1000, scsi=False, volume=True, used=True),  # container storage, or a root that is a volume
    ):
        assert room([*there, strange]) == max(1, room(there) - 1)


def test_disks_of_the_machine_are_told_from_what_else_has_blocks(tmp_path: Path) -> None:
    machine(tmp_path, ["vda 254:0", "vdb 254:16", "loop0 7:0", "sr0 11:0", "zram0 252:0"])
    (tmp_path / "sys/block/vdc").mkdir()  # just unplugged
    (tmp_path / "sys/block/vdc/serial").mkdir()  # or of a kind that tells no serial number: reading it fails
    assert [(each.number, each.scsi, each.volume) for each in attached((), tmp_path)] == [
        (os.makedev(254, 0), False, False),
        (os.makedev(254, 16), False, False),
    ]
    machine(tmp_path, ["sda 8:0"])
    assert [each.scsi for each in attached((), tmp_path)] == [True, False, False]


def machine(root: Path, blocks: Sequence[str]) -> None:
    for name, number in map(str.split, blocks):
        (root / "sys/block" / name).mkdir(parents=True)
        (root / "sys/block" / name / "dev").write_text(f"{number}\n")
