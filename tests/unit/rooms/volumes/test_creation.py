from typing import Any

import pytest
from tests.unit.rooms.volumes.examples import BLOCKS, CLUSTER, attached, snapshot, snapshot_wish, volume, wish

from causeway.cloud.ownership import owner_in_metadata
from causeway.engine.storage.steps import Discard, Done, Wait
from causeway.rooms.volumes.creation import (
    Origin,
    judge,
    judge_snapshot,
    request_for,
    snapshot_request_for,
)
from causeway.rooms.volumes.model import CLUSTER_KEY, GIB, Capacity, Reason, Refused, Source, is_ours


def test_a_name_proves_nothing_and_volumes_of_cloud_provider_openstack_are_ours() -> None:
    assert not is_ours({}, CLUSTER)
    assert not is_ours({CLUSTER_KEY: "other"}, CLUSTER)
    assert is_ours({CLUSTER_KEY: CLUSTER}, CLUSTER)


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("available", Done),
        ("in-use", Done),
        ("extending", Done),
        ("creating", Wait),
        ("downloading", Wait),
        ("deleting", Wait),
        ("error", Discard),
    ],
)
def test_what_is_found_is_judged_by_its_status(status: str, step: type) -> None:
    assert isinstance(judge(wish(), volume(status=status)), step)
    assert isinstance(judge_snapshot(snapshot_wish(volume().id), snapshot(status=status)), step)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (wish(gib=2), volume()),
        (wish(capacity=Capacity(GIB, GIB)), volume(size=2)),
        (wish(volume_type="fast"), volume()),
        (wish(source=Source(snapshot_id=snapshot().id)), volume()),
        (wish(), volume(source_volid="x")),
    ],
)
def test_something_else_of_the_same_name_is_refused(asked: Any, found: Any) -> None:
    with pytest.raises(Refused) as refused:
        judge(asked, found)
    assert refused.value.reason is Reason.EXISTS
    assert isinstance(judge(asked, volume(status="error")), Discard)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (wish(zone="a"), volume()),
        (wish(zones=("a", "b")), volume()),
        (wish(volume_type="PLAIN"), volume()),
        (wish(volume_type="plain "), volume()),
    ],
)
def test_what_cinder_made_of_a_wish_in_its_own_way_is_what_was_wished(asked: Any, found: Any) -> None:
    assert judge(asked, found) == Done(found)


SHARED = wish(capabilities=(BLOCKS,))


def test_a_volume_for_one_server_made_for_several_is_taken_away() -> None:
    step = judge(SHARED, volume())
    assert isinstance(step, Discard)
    assert step.refusal is not None
    assert step.refusal.reason is Reason.INVALID


@pytest.mark.parametrize(
    "found",
    [
        volume(multiattach=True),
        attached("s"),
        volume(metadata={CLUSTER_KEY: CLUSTER}),  # by cloud-provider-openstack's driver, which gives it away
    ],
)
def test_what_somebody_may_have_is_not_taken_away(found: Any) -> None:
    assert judge(SHARED, found) == Done(found)


def test_a_volume_whose_restore_failed_is_not_there() -> None:
    asked = wish(source=Source(snapshot_id=snapshot().id))
    assert isinstance(judge(asked, volume(status="error_restoring")), Discard)


def test_a_snapshot_of_another_volume_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        judge_snapshot(snapshot_wish("another"), snapshot())
    assert refused.value.reason is Reason.EXISTS


def test_what_cannot_be_deleted_is_told() -> None:
    with pytest.raises(Refused) as refused:
        judge(wish(), volume(status="error_deleting"))
    assert refused.value.reason is Reason.FAILED


def test_a_request_carries_its_owner_and_its_claim() -> None:
    asked = wish(metadata={"csi.storage.k8s.io/pvc/name": "data", CLUSTER_KEY: "forged"}, zones=("b", "a"))
    request = request_for(asked, CLUSTER, None)
    owner = owner_in_metadata(request.metadata)
    assert owner is not None
    assert (owner.cluster, owner.kind, owner.uid) == (CLUSTER, "volume", "pvc-a")
    assert request.metadata["csi.storage.k8s.io/pvc/name"] == "data"
    assert request.metadata[CLUSTER_KEY] == CLUSTER
    assert request.availability_zone == "b"


def test_a_copy_is_as_large_as_its_source_and_beside_it() -> None:
    request = request_for(wish(zones=("b", "a"), source=Source(volume_id="v")), CLUSTER, Origin(3, "a"))
    assert (request.size, request.availability_zone, request.source_volid) == (3, "a", "v")
    assert request_for(wish(gib=5), CLUSTER, Origin(3)).size == 5
    assert request_for(wish(zone="c"), CLUSTER, Origin(3, "a")).availability_zone == "c"


@pytest.mark.parametrize(
    ("asked", "origin", "reason"),
    [
        (wish(capacity=Capacity(GIB, GIB)), Origin(3), Reason.OUT_OF_RANGE),
        (wish(zones=("b",)), Origin(1, "a"), Reason.EXHAUSTED),
    ],
)
def test_a_copy_that_cannot_be_is_refused(asked: Any, origin: Origin, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        request_for(asked, CLUSTER, origin)
    assert refused.value.reason is reason


def test_a_snapshot_of_a_volume_in_use_needs_leave() -> None:
    used = attached("s")
    with pytest.raises(Refused, match="force-create"):
        snapshot_request_for(snapshot_wish(used.id), CLUSTER, used)
    assert snapshot_request_for(snapshot_wish(used.id, force=True), CLUSTER, used).force
    assert not snapshot_request_for(snapshot_wish(volume().id), CLUSTER, volume()).force
