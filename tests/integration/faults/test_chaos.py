"""Whatever fails, in whatever order: when it is quiet again, the cloud equals what Kubernetes says.

``CHAOS_SEEDS`` is how many seeds are tried (5), ``CHAOS_SEED`` the one that is to be tried again.
"""

import os
import time
from collections.abc import Callable

import pytest
from tests.faults.weather import STORMY, Weather
from tests.integration.faults.conftest import Stage
from tests.integration.faults.storm import OPERATIONS, Storm

_SEEDS = (
    [int(os.environ["CHAOS_SEED"])]
    if "CHAOS_SEED" in os.environ
    else [*range(1, int(os.environ.get("CHAOS_SEEDS", "5")) + 1)]
)


@pytest.mark.parametrize("seed", _SEEDS)
async def test_after_a_storm_the_cloud_equals_what_kubernetes_says(
    stage: Stage, seed: int, say: Callable[[str], None]
) -> None:
    world, weather = stage.world, Weather(seed)
    before = await world.inventory()
    instances = {}
    for name in ("first", "second"):
        through = await stage.doors(name, weather)
        instances[stage.instance(name, through)] = through
    storm = Storm(stage, weather, seed, instances)
    for one in instances:
        one.start()
    await stage.leading(*instances)
    weather.rates = STORMY
    began = time.monotonic()
    try:
        async with storm.around():
            await storm.rage()
            weather.calm()
            raged = time.monotonic()
            await world.like()
            liked = time.monotonic()
            await storm.clear()
            await world.like()
        await world.restored(before)
    except BaseException:
        say(f"seed {seed}: `make chaos SEED={seed}` repeats it; what was done:\n" + "\n".join(storm.journal))
        say(stage.logs())
        raise
    faults = sum(weather.met.values())
    starts = sum(one.starts for one in instances)
    say(
        f"seed {seed}: {OPERATIONS} operations in {raged - began:.0f} s, {faults} faults in"
        f" {len(weather.history)} requests, {starts} starts; alike {liked - raged:.0f} s later,"
        f" all gone after another {time.monotonic() - liked:.0f} s"
    )
