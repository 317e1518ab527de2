import pytest
from tests.unit.rooms.volumes.examples import volume

from causeway.rooms.volumes import growth
from causeway.rooms.volumes.model import Reason


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
