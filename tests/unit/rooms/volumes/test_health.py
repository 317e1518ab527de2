import pytest
from tests.unit.rooms.volumes.examples import volume

from causeway.host.mounts import MountPoint
from causeway.rooms.volumes.attachment import PASSING
from causeway.rooms.volumes.health import Harm, in_cloud, on_node

DISK = 5
STAGED, POD = "/staged", "/pod"


def mounted(path: str, options: str = "rw", held: str = "rw") -> MountPoint:
    return MountPoint(
        DISK, "/", path, frozenset(options.split(",")), "ext4", "/dev/vdb", frozenset(held.split(","))
    )


@pytest.mark.parametrize("status", ["available", "in-use", *sorted(PASSING)])
def test_a_volume_that_works_or_is_being_worked_on_is_well(status: str) -> None:
    assert in_cloud(volume(status=status)) == ()


@pytest.mark.parametrize(
    ("status", "harm"),
    [
        ("error", Harm.INACCESSIBLE),
        ("error_extending", Harm.DEGRADED),
        ("error_restoring", Harm.DATA_LOSS),
        ("error_of_tomorrow", Harm.INACCESSIBLE),
        ("maintenance", Harm.INACCESSIBLE),
    ],
)
def test_what_cinder_says_is_weighed(status: str, harm: Harm) -> None:
    (ill,) = in_cloud(volume(status=status))
    assert ill.harm is harm
    assert ill.reason.isidentifier()


def reasons(
    *mounts: MountPoint, device: int | None = DISK, blocks: tuple[str, ...] = (), errors: int = 0
) -> list[str]:
    return [each.reason for each in on_node(device, mounts, [STAGED, POD], blocks, errors)]


def test_what_the_node_sees_is_weighed() -> None:
    assert reasons(mounted(STAGED), mounted(POD)) == []
    assert reasons(device=None) == ["DeviceGone"]
    assert reasons(mounted(STAGED)) == ["NotMounted"]
    assert reasons(mounted(STAGED, held="ro"), mounted(POD, held="ro")) == ["ReadOnlyFileSystem"]
    assert reasons(mounted(STAGED), mounted(POD), errors=3) == ["FileSystemErrors"]


def test_what_is_meant_to_be_read_only_or_a_device_is_well() -> None:
    assert reasons(mounted(STAGED), mounted(POD, options="ro")) == []
    assert reasons(mounted(STAGED, "ro", "ro"), mounted(POD, "ro", "ro")) == []
    assert reasons(mounted(STAGED), blocks=(POD,)) == []
