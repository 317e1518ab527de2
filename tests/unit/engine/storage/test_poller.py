import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.volumes import ModelCinder, World
from tests.unit.rooms.volumes.examples import volume

from causeway.cloud.errors import ServerError
from causeway.engine.storage.poller import FIRST, LAST, NotYet, Poller, pause

In = Callable[[Any], Any]


def is_there(found: Any) -> bool:
    return found is not None and found.status == "available"


def several(world: World, count: int) -> list[str]:
    """Make volumes that become available after three seconds."""
    ids = [f"{each:08d}-0000-4000-8000-000000000000" for each in range(count)]

    def come() -> None:
        for each in ids:
            world.set(world.volumes[each], status="available")

    world.volumes.update({each: volume(id=each, status="creating") for each in ids})
    asyncio.get_running_loop().call_later(3, come)
    return ids


@given(st.lists(st.floats(0, 1e4), min_size=1))
def test_pauses_are_short_for_the_young_and_bounded(ages: list[float]) -> None:
    assert FIRST <= pause(ages) <= LAST
    assert pause([0.0, *ages]) == FIRST


@pytest.mark.parametrize(("count", "call"), [(1, "get volume"), (50, "list volumes")])
def test_however_many_wait_one_call_looks(in_virtual_time: In, count: int, call: str) -> None:
    async def wait() -> list[str]:
        world = World()
        cinder = ModelCinder(world)
        poller = Poller(cinder.get_volume, cinder.list_volumes)
        ids = several(world, count)
        await asyncio.gather(*(poller.until(each, is_there, 60) for each in ids))
        return world.calls

    calls = in_virtual_time(wait())
    assert set(calls) == {call}
    assert len(calls) < 12


def test_what_the_list_lacks_is_asked_for_and_then_gone(in_virtual_time: In) -> None:
    async def wait() -> list[Any]:
        world = World()
        cinder = ModelCinder(world)
        poller = Poller(cinder.get_volume, cinder.list_volumes)
        here = several(world, 1)[0]
        waits = (poller.until(here, is_there, 60), poller.until("x", lambda it: it is None, 60))
        return list(await asyncio.gather(*waits))

    there, gone = in_virtual_time(wait())
    assert is_there(there)
    assert gone is None


def test_a_cloud_that_cannot_be_asked_ends_no_wait(in_virtual_time: In) -> None:
    async def wait() -> Any:
        world = World()
        asked = 0

        async def broken(_call: str, _done: bool) -> None:
            nonlocal asked
            asked += 1
            if asked < 5:
                raise ServerError("block-storage", "broken")

        world.gate = broken
        cinder = ModelCinder(world)
        return await Poller(cinder.get_volume, cinder.list_volumes).until(several(world, 1)[0], is_there, 60)

    assert is_there(in_virtual_time(wait()))


def test_the_end_of_patience_tells_what_kept_it_from_looking(in_virtual_time: In) -> None:
    async def wait() -> None:
        world = World()

        async def broken(_call: str, _done: bool) -> None:
            raise ServerError("block-storage", "broken")

        world.gate = broken
        cinder = ModelCinder(world)
        with pytest.raises(NotYet, match="broken"):
            await Poller(cinder.get_volume, cinder.list_volumes).until("x", is_there, 10)

    in_virtual_time(wait())
