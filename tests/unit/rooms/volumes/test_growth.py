import pytest
from tests.unit.rooms.volumes.examples import attached, volume

from causeway.cloud.cinder_objects import Volume
from causeway.rooms.volumes import growth
from causeway.rooms.volumes.model import Reason, Refused


@pytest.mark.parametrize(
    ("status", "told", "reason"),
    [
        ("in-use", "extend volume:Could not find any available weighted backend.", Reason.EXHAUSTED),
        ("available", "extend volume:No storage could be allocated for this request.", Reason.EXHAUSTED),
        ("error_extending", "extend volume:Driver failed to extend the volume.", Reason.FAILED),
        ("available", "", Reason.FAILED),
    ],
)
def test_no_room_is_told_from_what_failed(status: str, told: str, reason: Reason) -> None:
    refused = growth.failure(volume(status=status), told)
    assert refused.reason is reason
    assert (told.rstrip(".") or "no reason") in str(refused)
    assert ".." not in str(refused)


@pytest.mark.parametrize(
    ("found", "ready"),
    [(volume(shown_status=None), "available"), (attached("a-server", status="error"), "in-use")],
)
def test_a_volume_without_a_status_is_for_the_administrator(found: Volume, ready: str) -> None:
    with pytest.raises(Refused, match=f"--state {ready} {found.id}") as refused:
        growth.require_ready(found)
    assert refused.value.reason is Reason.FAILED  # a failed precondition is a volume in use to csi-resizer
    assert f"its status is {found.status}" in str(refused.value)
    assert "stop the pod" not in str(refused.value)
    growth.require_ready(attached("a-server"))


@pytest.mark.parametrize(("found", "stop"), [(volume(), False), (attached("a-server"), True)])
def test_only_of_a_volume_in_use_is_the_pod_to_be_stopped(found: Volume, stop: bool) -> None:
    refused = growth.not_taken(found, "Invalid volume: it cannot be extended.")
    assert "extended. " in str(refused)
    assert ("stop the pod" in str(refused)) is stop
