"""Classes that name what the cloud does not have."""

from typing import Any

import pytest
from tests.models.volumes import ModelCinder
from tests.unit.rooms.volumes.examples import wish
from tests.unit.rooms.volumes.test_apply import Driver, In, here, refusal

from causeway.cloud import errors
from causeway.cloud.cinder_objects import Hints, Volume, VolumeRequest
from causeway.rooms.volumes.creation import zone_refusal
from causeway.rooms.volumes.model import Reason


def test_a_class_with_a_type_that_is_not_there_is_told_what_to_name_where(in_virtual_time: In) -> None:
    world = here()
    told = refusal(in_virtual_time, Driver(world).volumes.create(wish(volume_type="gold")))
    assert told.reason is Reason.INVALID
    assert "no volume type gold" in str(told)
    assert "plain, fast by parameter type of its StorageClass" in str(told)
    assert "delete the class" in str(told)
    in_virtual_time(Driver(world).volumes.create(wish(volume_type="fast")))
    assert world.calls.count("list types") == 1  # nothing is asked on the good path


@pytest.mark.parametrize(
    ("place", "remedy"),
    [({"zone": "mars"}, "parameter availability"), ({"zones": ("mars",)}, "CAUSEWAY_CSI_ZONES=apart")],
)
def test_a_zone_that_is_not_there_is_told_with_who_named_it(
    in_virtual_time: In, place: dict[str, Any], remedy: str
) -> None:
    class Zoned(ModelCinder):
        async def create_volume(self, request: VolumeRequest, hints: Hints | None = None) -> Volume:
            cause = f"Availability zone '{request.availability_zone}' is invalid."
            raise errors.BadRequest("block-storage", cause, status=400)

    told = refusal(in_virtual_time, Driver(here(), cinder=Zoned).volumes.create(wish(**place)))
    assert told.reason is Reason.INVALID
    assert "'mars' is invalid. " in str(told)
    assert remedy in str(told)


@pytest.mark.parametrize(
    "told",
    [
        "Volume must be in the same availability zone as the snapshot",
        "Volume type is only supported in these availability zones: one",
    ],
)
def test_other_words_about_zones_are_not_taken_for_a_zone_that_is_not_there(told: str) -> None:
    assert zone_refusal(wish(zone="mars"), told) is None
