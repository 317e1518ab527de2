import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.models.volumes import ModelCinder, World
from tests.unit.rooms.volumes.examples import volume

from causeway.cloud.cinder_objects import Volume
from causeway.cloud.errors import ServerError
from causeway.engine.storage.naming import Named

In = Callable[[Any], Any]


class Slow:
    """A cloud of volumes whose answers take a second, and which counts its calls."""

    def __init__(self, *names: str) -> None:
        self.volumes = [volume(id=f"id-{number}", name=name) for number, name in enumerate(names)]
        self.calls: list[str] = []
        self.failing = 0
        self.named = Named[Volume](self._of, self._all)

    async def _of(self, name: str) -> list[Volume]:
        return [each for each in await self._answer(f"named {name}") if each.name == name]

    async def _all(self) -> list[Volume]:
        return await self._answer("list")

    async def _answer(self, call: str) -> list[Volume]:
        self.calls.append(call)
        now = [*self.volumes]
        await asyncio.sleep(1)
        if self.failing:
            self.failing -= 1
            raise ServerError("volume", "it is not its day", status=500)
        return now

    async def ids(self, name: str) -> list[str]:
        return [each.id for each in await self.named.of(name)]


def test_one_is_asked_for_by_its_name(in_virtual_time: In) -> None:
    slow = Slow("a", "b", "a")
    assert in_virtual_time(slow.ids("a")) == ["id-0", "id-2"]
    assert in_virtual_time(slow.ids("c")) == []
    assert slow.calls == ["named a", "named c"]


def test_however_many_ask_one_list_answers(in_virtual_time: In) -> None:
    async def ask() -> list[list[str]]:
        return await asyncio.gather(*(slow.ids(f"pvc-{number}") for number in range(50)))

    slow = Slow(*(f"pvc-{number}" for number in range(49)))
    assert in_virtual_time(ask()) == [*([f"id-{number}"] for number in range(49)), []]
    assert slow.calls == ["list"]


def test_an_answer_is_of_after_the_question(in_virtual_time: In) -> None:
    async def ask() -> list[str]:
        first = asyncio.create_task(slow.ids("a"))
        await asyncio.sleep(0.5)
        slow.volumes.append(volume(id="late", name="b"))
        found = await slow.ids("b")
        await first
        return found

    slow = Slow("a")
    assert in_virtual_time(ask()) == ["late"]


def test_what_a_list_may_lack_is_asked_for_by_itself(in_virtual_time: In) -> None:
    async def by_id(identifier: str) -> list[Volume]:
        return [volume(id=identifier)] if identifier == "theirs" else []

    async def ask() -> list[list[Volume]]:
        slow = Slow("a")
        known = Named[Volume](by_id, slow._all, lambda it: it.id, complete=False)
        return await asyncio.gather(*(known.of(each) for each in ("id-0", "theirs", "nobodys")))

    assert [[each.id for each in found] for found in in_virtual_time(ask())] == [["id-0"], ["theirs"], []]


def test_a_failure_is_everybodys_who_asked_and_nobodys_after(in_virtual_time: In) -> None:
    async def ask() -> list[str]:
        asked = [asyncio.create_task(slow.ids(name)) for name in ("a", "b")]
        given_up = asyncio.create_task(slow.ids("b"))
        await asyncio.sleep(0.5)
        given_up.cancel()
        for each in asked:
            with pytest.raises(ServerError):
                await each
        return await slow.ids("a")

    slow = Slow("a")
    slow.failing = 1
    assert in_virtual_time(ask()) == ["id-0"]


def test_a_failure_nobody_thought_of_is_told_to_who_asked(in_virtual_time: In) -> None:
    async def ask() -> list[str]:
        slow.volumes = None  # type: ignore[assignment]  # what no cloud answers
        with pytest.raises(TypeError):
            await slow.ids("a")
        slow.volumes = [volume(id="one", name="a")]
        return await slow.ids("a")

    slow = Slow()
    assert in_virtual_time(ask()) == ["one"]


def test_the_model_of_cinder_answers_both_alike(in_virtual_time: In) -> None:
    async def ask() -> bool:
        world = World()
        cinder = ModelCinder(world)
        world.volumes["one"] = volume(id="one", name="pvc-1")
        named = Named[Volume](cinder.volumes_named, cinder.list_volumes)
        alone = await named.of("pvc-1")
        together, _ = await asyncio.gather(named.of("pvc-1"), named.of("pvc-2"))
        return alone == together

    assert in_virtual_time(ask())
