"""What is asked for in a storm is there once, and what is taken away is gone: on the real Cinder and Nova."""

import asyncio
import dataclasses
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.faults.doors import cloud_doors
from tests.faults.weather import Kind, Weather
from tests.integration.projects import Project, until
from tests.integration.volumes.place import driver_of
from tests.integration.volumes.storm import Storm

SERVICES = ("block-storage", "compute")
# None is delayed: an order that is under way when the driver is killed is waited for instead.
STORMY = {Kind.REFUSE: 0.08, Kind.CUT_BEFORE: 0.04, Kind.CUT_AFTER: 0.06, Kind.HALF: 0.04}
SEED = 3  # the first with which a defect was found
LIVES = 4
KILLED_EVERY = 4.0  # seconds


@pytest.fixture
def swept(roomy: Project) -> Iterator[Project]:
    """The project for the storm; its volumes go afterwards, and the server stays."""
    yield roomy
    storage, compute = roomy.cloud.block_storage, roomy.cloud.compute
    for snapshot in storage.snapshots():
        storage.delete_snapshot(snapshot)
    until(lambda: not list(storage.snapshots()))
    for volume in storage.volumes():
        for each in volume.attachments:
            compute.delete_volume_attachment(each["server_id"], volume.id)
    until(lambda: not any(each.attachments for each in storage.volumes()))
    for volume in storage.volumes():
        storage.delete_volume(volume)
    until(lambda: not list(storage.volumes()))


async def test_nothing_is_lost_doubled_or_left(
    other_type: str, swept: Project, server: Any, root: Path, tmp_path: Path
) -> None:
    weather = Weather(SEED, STORMY)
    async with cloud_doors(tmp_path, clouds=swept.clouds, services=SERVICES, weather=weather) as (
        proxies,
        clouds,
    ):
        driver = driver_of(dataclasses.replace(swept, clouds=clouds), root, tmp_path)
        storm = Storm(driver, server.id, other_type, random.Random(SEED))
        try:
            await storm.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(storm.kill(list(proxies.values()), KILLED_EVERY))
                await asyncio.gather(*(storm.live(f"storm-{number}") for number in range(LIVES)))
                storm.over.set()
        finally:
            await storm.close()
            await asyncio.to_thread(driver.stop)
    assert storm.killed, "the storm was over before the driver was killed"
    assert sum(weather.met.values()) > 10, weather.met
    await asyncio.to_thread(_all_is_as_it_was_left, swept, server.id, storm)


def _all_is_as_it_was_left(made: Project, server: str, storm: Storm) -> None:
    storage = made.cloud.block_storage
    kept = storm.kept
    volumes = [each for each in storage.volumes() if each.name.startswith("storm-")]
    assert Counter(each.name for each in volumes) == Counter(kept.volumes.keys())
    there = {
        each.name: (each.id, *([at["server_id"] for at in each.attachments] or [""]), each.size)
        for each in volumes
    }
    assert there == kept.volumes
    assert {each.status for each in volumes} <= {"available", "in-use"}
    assert {each.name for each in volumes if each.volume_type == storm.other_type} == kept.changed
    taken = list(storage.snapshots())
    assert Counter(each.name for each in taken) == Counter(kept.snapshots.keys())
    assert {each.name: (each.id, each.volume_id) for each in taken} == kept.snapshots
    wanted = {identifier for identifier, at, _ in kept.volumes.values() if at}
    attached = {each.volume_id for each in made.cloud.compute.volume_attachments(server)}
    assert attached == wanted
    # Also those on their way, of which a volume does not tell.
    of_cinder = {each.volume_id for each in storage.attachments()}
    assert of_cinder == wanted
