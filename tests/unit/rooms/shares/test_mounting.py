import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.shares.examples import share

from causeway.engine.storage.model import Reason, Refused
from causeway.host.mounts import MountPoint
from causeway.rooms.shares.model import CEPHFS, NFS, Entry
from causeway.rooms.shares.mounting import Options, filesystem, is_staged, keyring, mounting, others

CEPH = Entry(CEPHFS, "10.0.0.1:6789,[fd00::2]:6789:/volumes/_nogroup/a", "causeway-a", "c2VjcmV0")
APART = Entry(CEPHFS, CEPH.location, CEPH.user, CEPH.key, "slow")


def mounted(path: str, **more: object) -> MountPoint:
    facts = {"device": 7, "root": "/", "options": frozenset({"rw"}), "filesystem": "nfs4", "source": "x:/a"}
    return MountPoint(path=path, **(facts | more))  # type: ignore[arg-type]  # facts by their names


def test_nfs_is_mounted_with_the_options_of_class_and_pod() -> None:
    entry = Entry(NFS, "10.0.0.1:/a")
    plain = mounting(entry, "/s", Options(), by_kernel=True, place="")
    assert plain.words == ("mount", "-t", "nfs", "10.0.0.1:/a", "/s")
    how = mounting(entry, "/s", Options(flags=("nfsvers=4.1",), read_only=True), by_kernel=False, place="")
    assert how.words == ("mount", "-t", "nfs", "-o", "nfsvers=4.1,ro", "10.0.0.1:/a", "/s")
    assert not how.stays


@pytest.mark.parametrize(
    ("mounter", "by_kernel", "program"),
    [("", True, "mount"), ("", False, "ceph-fuse"), ("kernel", False, "mount"), ("fuse", True, "ceph-fuse")],
)
def test_cephfs_is_mounted_by_the_kernel_where_it_can(mounter: str, by_kernel: bool, program: str) -> None:
    how = mounting(CEPH, "/s", Options(mounter, ("k",), ("f",)), by_kernel=by_kernel, place="")
    words = how.with_keyfile("/run/key")
    assert words[0] == program
    assert how.stays == (program == "ceph-fuse")
    assert not [each for each in words if CEPH.key in each], "an argument is seen by everybody"
    if how.stays:
        assert words[words.index("--mon-host") + 1] == "10.0.0.1:6789,[fd00::2]:6789"
        assert words[words.index("--client-mountpoint") + 1] == "/volumes/_nogroup/a"
        assert words[words.index("--keyring") + 1] == "/run/key"
        assert words[words.index("-o") + 1] == "f"
    else:
        assert "name=causeway-a,secretfile=/run/key,k" in words
        assert CEPH.location in words
    assert CEPH.key in keyring(CEPH, by_program=how.stays)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (Options("kernel", ("noatime",)), "name=causeway-a,secretfile=KEYFILE,mds_namespace=slow,noatime"),
        (Options("kernel", ("fs=other",)), "name=causeway-a,secretfile=KEYFILE,fs=other"),
        (Options("kernel", flags=("mds_namespace=b",)), "name=causeway-a,secretfile=KEYFILE,mds_namespace=b"),
    ],
)
def test_one_in_a_file_system_of_its_own_is_mounted_from_there(options: Options, asked: str) -> None:
    assert asked in mounting(APART, "/s", options, by_kernel=True, place="").words
    words = mounting(APART, "/s", Options("fuse"), by_kernel=True, place="").words
    assert words[words.index("--client-mds-namespace") + 1] == "slow"
    for mounter in ("kernel", "fuse"):
        assert "mds" not in " ".join(mounting(CEPH, "/s", Options(mounter), by_kernel=True, place="").words)


def told(options: str, protocol: str = CEPHFS) -> str:
    return filesystem(share(share_proto=protocol, metadata={"__mount_options": options}))


def test_manila_says_in_which_file_system_a_share_is() -> None:
    assert told("fs=my-fs_2.0") == told("noatime, fs=my-fs_2.0 ,fs=b") == "my-fs_2.0"
    assert told("") == told("fs=") == told("noatime,offs=a") == told("fs=a", NFS) == ""
    assert filesystem(share(share_proto=CEPHFS, metadata={})) == ""


@pytest.mark.parametrize("name", ["a b", "a\nb", "a\tb", "-a", "--conf", "a=b", '"a', "a\0", "\u00e4", "a;b"])
def test_what_no_file_system_can_be_called_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        told(f"fs={name},ro")
    assert refused.value.reason is Reason.PRECONDITION
    assert repr(name) in str(refused.value)


def test_no_comma_gets_into_the_options() -> None:
    assert told("fs=a,rw,secret=b") == "a"


@pytest.mark.parametrize(
    ("entry", "mounter"),
    [(CEPH, "ganesha"), (Entry(CEPHFS, CEPH.location), ""), (Entry(CEPHFS, "nothing", "u", "k"), "fuse")],
)
def test_what_cannot_be_mounted_is_refused(entry: Entry, mounter: str) -> None:
    with pytest.raises(Refused):
        mounting(entry, "/s", Options(mounter), by_kernel=False, place="share a")


def test_what_is_staged_is_known_and_nothing_else_is_taken_for_it() -> None:
    table = [mounted("/s"), mounted("/f", filesystem="fuse.ceph-fuse"), mounted("/x", filesystem="ext4")]
    assert is_staged(table, "/s", "")
    assert is_staged(table, "/f", "")
    assert not is_staged(table, "/other", "")
    with pytest.raises(Refused) as refused:
        is_staged(table, "/x", "")
    assert refused.value.reason is Reason.PRECONDITION


@given(st.lists(st.sampled_from(["/pod-a", "/pod-b", "/pod-c"]), unique=True))
def test_all_other_places_are_found_and_no_other_share(pods: list[str]) -> None:
    table = [mounted("/s", root="/a"), *(mounted(each, root="/a") for each in pods), mounted("/t", root="/b")]
    assert others(table, "/s", "/pod-a") == sorted(set(pods) - {"/pod-a"})
    assert others([], "/s", "/pod-a") == []
