"""Parameters of classes as people who come from cloud-provider-openstack have written them."""

import pytest
from tests.unit.rooms.volumes.examples import OTHER
from tests.unit.rooms.volumes.examples import volume as made

from causeway.rooms.volumes.model import BackupWish, Refused, SnapshotWish
from causeway.serve.csi.convert import snapshot_wish, volume
from causeway.serve.csi.settings import Common
from causeway.serve.csi.spec import csi_pb2 as csi


def asked(**parameters: str) -> SnapshotWish | BackupWish:
    named = {key.replace("_", "-"): value for key, value in parameters.items()}
    return snapshot_wish(csi.CreateSnapshotRequest(name="a", source_volume_id=OTHER, parameters=named))


@pytest.mark.parametrize("parameters", [{}, {"type": ""}, {"type": "snapshot"}])
def test_a_class_that_says_no_kind_is_of_snapshots(parameters: dict[str, str]) -> None:
    assert isinstance(asked(**parameters), SnapshotWish)


@pytest.mark.parametrize(
    ("word", "forced"),
    [
        *((each, True) for each in ("1", "t", "T", "true", "True", "TRUE")),
        *((each, False) for each in ("", "0", "f", "F", "false", "False", "FALSE", "yes")),
    ],
)
def test_yes_and_no_are_as_go_writes_them(word: str, forced: bool) -> None:
    wish = asked(force_create=word)
    assert isinstance(wish, SnapshotWish)
    assert wish.force is forced


def test_a_number_of_seconds_may_have_its_sign() -> None:
    wish = asked(type="backup", backup_max_duration_seconds_per_gb="+20")
    assert isinstance(wish, BackupWish)
    assert wish.seconds_per_gib == 20
    for wrong in ("++20", "+", "1h"):
        with pytest.raises(Refused):
            asked(type="backup", backup_max_duration_seconds_per_gb=wrong)


@pytest.mark.parametrize(("zones", "told"), [(True, ["nova"]), (False, [])])
def test_the_zone_that_is_told_is_the_one_cinder_gave_it(zones: bool, told: list[str]) -> None:
    settings = Common(zones=zones)
    shown = volume(made(availability_zone="nova"), settings).accessible_topology
    assert [each.segments[settings.topology_key] for each in shown] == told
