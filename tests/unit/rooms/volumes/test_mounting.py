import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.volumes.examples import ONE

from causeway.host.command import CommandFailed
from causeway.host.mounts import MountPoint, at
from causeway.rooms.volumes.access import FILE_SYSTEMS
from causeway.rooms.volumes.model import Capability, Mode, Reason, Refused
from causeway.rooms.volumes.mounting import MAKING, MOUNTING, blamed, claimed, is_staged, others, staging

DISK, ANOTHER = os.makedev(254, 16), os.makedev(254, 32)
STAGED = "/var/lib/kubelet/plugins/staged"
POD = "/var/lib/kubelet/pods/a/mount"
READERS = Capability(Mode.MANY_READERS, reads_only=True)


def mounted(path: str, device: int = DISK, **more: Any) -> MountPoint:
    facts: dict[str, Any] = {
        "root": "/",
        "options": frozenset({"rw"}),
        "filesystem": "ext4",
        "source": "/dev/x",
    }
    return MountPoint(device=device, path=path, **(facts | more))


def test_what_is_seen_is_what_was_mounted_last() -> None:
    table = [mounted(POD, ANOTHER), mounted(POD), mounted("/")]
    assert at(table, POD) == table[1]
    assert at(table, STAGED) is None


def test_a_disk_is_mounted_once() -> None:
    assert not is_staged([mounted("/", ANOTHER)], DISK, STAGED, "v")
    assert is_staged([mounted(STAGED), mounted(POD)], DISK, STAGED, "v")
    for table in ([mounted("/elsewhere")], [mounted(STAGED, ANOTHER)]):
        with pytest.raises(Refused) as refused:
            is_staged(table, DISK, STAGED, "v")
        assert refused.value.reason is Reason.PRECONDITION


found_on_disks = st.sampled_from(
    ["", *FILE_SYSTEMS, "LVM2_member", "crypto_LUKS", "dos", "something unknown"]
)
capabilities = st.builds(
    Capability,
    st.sampled_from([Mode.ONE_NODE, Mode.MANY_READERS]),
    filesystem=st.sampled_from(["", *FILE_SYSTEMS]),
    reads_only=st.booleans(),
)


@given(capabilities, found_on_disks, st.lists(st.sampled_from(["noatime", "ro"]), unique=True))
def test_only_an_empty_disk_gets_a_file_system(capability: Capability, found: str, flags: list[str]) -> None:
    try:
        how = staging(capability, found, flags, "v")
    except Refused as refused:
        assert refused.reason is Reason.PRECONDITION
        return
    assert how.make is (found == "")
    assert how.filesystem in FILE_SYSTEMS
    assert found in ("", how.filesystem)
    assert capability.filesystem in ("", how.filesystem)
    assert how.read_only is (capability.reads_only or "ro" in flags)
    assert not (how.make and how.read_only)
    assert set(flags) <= set(how.options)


def test_what_is_found_is_mounted_when_nothing_is_asked_for() -> None:
    assert staging(ONE, "xfs", [], "v").filesystem == "xfs"
    assert staging(ONE, "", [], "v").filesystem == "ext4"


def test_a_copy_of_xfs_may_be_beside_its_source_and_readers_leave_the_journal() -> None:
    assert "nouuid" in staging(ONE, "xfs", [], "v").options
    assert set(staging(READERS, "ext4", [], "v").options) == {"ro", "norecovery"}


def test_who_else_has_it() -> None:
    table = [mounted(STAGED), mounted(POD), mounted("/other"), mounted("/", ANOTHER)]
    assert others(table, {"/block": DISK, "/b2": ANOTHER}, DISK, (STAGED, POD)) == ["/block", "/other"]
    assert others(table[:2], {}, DISK, (STAGED, POD)) == []


def test_what_the_kubelet_asked_for_is_a_claims_and_nothing_else() -> None:
    csi = "/var/lib/kubelet/plugins/kubernetes.io/csi"
    files, device, containers, root = (os.makedev(254, each) for each in (16, 32, 48, 0))
    table = [
        mounted("/var/lib/kubelet", root, root="/var/lib/kubelet"),
        mounted(f"{csi}/cinder.csi.openstack.org/ab12/globalmount", files),
        mounted(f"{csi}/of.another.driver/cd34/globalmount", root, root="/its/directory"),
        mounted("/var/lib/containerd", containers),
    ]
    blocks = {f"{csi}/volumeDevices/publish/pvc-1/pod": device, "/srv/device": containers}
    assert claimed(table, blocks) == {files, device}


FAILED = CommandFailed(
    ["mkfs.ext4", "-Z", "nonsense", "/dev/vdb"], 1, "mkfs.ext4: invalid option -- 'Z'\nUsage\n"
)


@pytest.mark.parametrize(("remedy", "place"), [(MAKING, "mkfs-options"), (MOUNTING, "mountOptions")])
def test_who_gave_options_is_told_where_to_correct_them(remedy: str, place: str) -> None:
    told = str(blamed(FAILED, ["-Z", "nonsense"], remedy))
    assert told.startswith(
        "mkfs.ext4 -Z nonsense /dev/vdb: ended with status 1: mkfs.ext4: invalid option -- 'Z'"
    )
    assert told.endswith(remedy)
    assert place in told


def test_a_failure_without_options_is_nobodys_options() -> None:
    assert blamed(FAILED, [], MAKING) is FAILED
