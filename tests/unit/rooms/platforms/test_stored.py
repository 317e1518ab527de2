"""Whose volumes, shares and snapshots are, and how they are told."""

from types import SimpleNamespace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from openstack.exceptions import SDKException

from causeway.cloud.ownership import DRIVER_CLUSTER, SHARE, SHARE_CLUSTER, VOLUME, Owner, claimed_for
from causeway.kit.errors import Problem
from causeway.rooms.platforms.stored import COLLECTIONS, listed, read, undecided

CLUSTER, OTHER = "3d9195d1-6bc1-423b-82eb-f2c605ddc198", "kubernetes"
OURS = {DRIVER_CLUSTER: CLUSTER, **Owner(CLUSTER, VOLUME, "pvc-a").metadata()}
CLAIM = {"csi.storage.k8s.io/pvc/name": "data", "csi.storage.k8s.io/pvc/namespace": "shop"}


def volume(metadata: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"id": "v", "name": "pvc-a", "size": 10, "status": "available", "metadata": metadata, **more}


def test_a_volume_is_a_claims_by_either_mark() -> None:
    assert claimed_for(OURS) == claimed_for({DRIVER_CLUSTER: CLUSTER}) == CLUSTER
    assert claimed_for(Owner(CLUSTER, VOLUME, "pvc-a").metadata()) == CLUSTER
    assert claimed_for({**OURS, DRIVER_CLUSTER: OTHER}) == OTHER  # given away
    assert claimed_for({"causeway-cluster": CLUSTER}) == ""  # a node's
    assert claimed_for(Owner(CLUSTER, "node", "x").metadata()) == ""


def test_a_nodes_volume_is_its_clusters_and_no_claims() -> None:
    nodes = read("volume", volume({"causeway-cluster": CLUSTER}))
    assert (nodes.cluster, nodes.claimed, nodes.marked) == (CLUSTER, False, False)
    theirs = read("volume", volume({DRIVER_CLUSTER: OTHER}))
    assert (theirs.cluster, theirs.claimed, theirs.marked) == (OTHER, True, False)
    ours = read("volume", volume(OURS))
    assert (ours.cluster, ours.claimed, ours.marked) == (CLUSTER, True, True)
    assert read("volume", volume({})).cluster == ""


def test_a_volume_whose_status_cinder_has_lost_is_not_idle() -> None:
    assert not read("volume", volume(OURS, status=None)).idle


def test_a_volume_that_is_being_made_of_a_backup_is_nobodys_while_it_has_anothers_marks() -> None:
    made_of = {"src_backup_id": "b"}
    passing = read("volume", volume(OURS | made_of, name="pvc-b"))
    assert (passing.cluster, passing.claimed, passing.marked) == ("", False, False)
    marked = read("volume", volume(OURS | made_of))
    assert (marked.cluster, marked.claimed, marked.marked) == (CLUSTER, True, True)
    assert read("volume", volume({DRIVER_CLUSTER: OTHER} | made_of)).cluster == OTHER


def test_they_are_told_with_size_claim_and_who_has_them() -> None:
    at = [{"server_id": "s1"}, {"server_id": None, "host_name": "rack-3"}]
    found = read("volume", volume(OURS | CLAIM, attachments=at))
    assert str(found) == "volume pvc-a (v)"
    assert found.about({"s1": "w1"}) == "10 GiB, claim shop/data, attached to w1, rack-3"
    names = {
        "csi.storage.k8s.io/volumesnapshot/name": "n",
        "csi.storage.k8s.io/volumesnapshot/namespace": "s",
    }
    taken = read("snapshot", {"id": "z", "size": 10, "volume_id": "v", "metadata": OURS | names})
    assert str(taken) == "snapshot z"
    assert taken.about() == "10 GiB, VolumeSnapshot s/n, of volume v"


def test_shares_and_their_snapshots_are_known_by_the_marks_of_their_driver() -> None:
    marks = {SHARE_CLUSTER: CLUSTER, **Owner(CLUSTER, SHARE, "pvc-a").metadata()}
    ours = read("share", volume(marks | CLAIM, share_group_id="g"))
    assert (ours.cluster, ours.claimed, ours.marked, ours.group) == (CLUSTER, True, True, "g")
    assert (str(ours), ours.about()) == ("share pvc-a (v)", "10 GiB, claim shop/data")
    theirs = read("share", volume({SHARE_CLUSTER: OTHER}))
    assert (theirs.cluster, theirs.claimed, theirs.marked) == (OTHER, True, False)
    assert read("share", volume({})).cluster == ""

    snapshot = {"id": "z", "name": "snapshot-a", "size": 10, "share_id": "v"}
    taken = read("share snapshot", {**snapshot, "description": Owner(CLUSTER, SHARE, "a").description()})
    assert (taken.cluster, taken.claimed, taken.marked) == (CLUSTER, True, True)
    assert (str(taken), taken.about()) == ("share snapshot snapshot-a (z)", "10 GiB, of share v")
    assert read("share snapshot", {**snapshot, "description": "by hand"}).cluster == ""


def answering(status: int) -> Any:
    """Return a cloud whose services of storage answer with a status."""
    answer = requests.Response()
    answer.status_code = status
    service = SimpleNamespace(get=lambda *_, **__: answer)
    return SimpleNamespace(
        endpoint_for=lambda _: "https://x", block_storage=service, shared_file_system=service
    )


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_is_forbidden_is_told(collection: str) -> None:
    with pytest.raises(Problem, match=rf"^{collection} of the project.*:get_all"):
        listed(answering(403), collection)


@pytest.mark.parametrize("status", [404, 406])
def test_what_a_service_need_not_have_is_nothing(status: int) -> None:
    assert [listed(answering(status), each) for each in ("backups", "shares", "share snapshots")] == [[]] * 3
    for each in ("volumes", "snapshots"):
        with pytest.raises(SDKException):
            listed(answering(status), each)


def test_the_problem_names_every_one_and_what_to_say() -> None:
    found = [read("volume", volume(OURS | CLAIM, id=each)) for each in ("a", "b")]
    problem = undecided(found, {})
    assert [each.place for each in problem.findings] == ["volume pvc-a (a)", "volume pvc-a (b)"]
    assert all("claim shop/data" in each.cause for each in problem.findings)
    assert all(
        "--delete-volumes" in each.remedy and "--keep-volumes" in each.remedy for each in problem.findings
    )


@given(
    st.dictionaries(
        st.sampled_from([*OURS, *CLAIM, "other"]), st.sampled_from([CLUSTER, OTHER, "true", VOLUME, ""])
    )
)
def test_whatever_the_metadata_nothing_is_anybodys_without_his_name_in_it(metadata: dict[str, str]) -> None:
    found = read("volume", volume(metadata))
    assert not found.cluster or found.cluster in metadata.values()
    assert found.claimed or not found.marked
    assert found.cluster or not found.claimed
