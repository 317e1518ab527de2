"""Kinds that need not be defined."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from causeway.kube.client import Listing, WatchEvent
from causeway.kube.defined import WhereDefined
from causeway.kube.errors import Forbidden, Gone, NotFound
from causeway.kube.objects import Meta, Namespace
from causeway.kube.reflector import Reflector
from causeway.kube.store import Change, Store


class Kind:
    """A kind that may be defined; a watch ends when it no longer is."""

    def __init__(self) -> None:
        self.defined = False
        self.asked = 0
        self.asked_often = asyncio.Event()

    def __str__(self) -> str:
        return "things"

    async def list(self) -> Listing[Namespace]:
        self.asked += 1
        if self.asked > 3:
            self.asked_often.set()
        if not self.defined:
            raise NotFound("things", "not defined")
        return Listing([Namespace(Meta(name="one", resource_version="1"))], "1")

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[Namespace]]:
        assert resource_version == "1"
        while self.defined:
            await asyncio.sleep(0.001)
            yield WatchEvent("BOOKMARK", None, "1")
        raise NotFound("things", "not defined")


async def test_it_has_nothing_until_it_is_defined_and_nothing_after() -> None:
    kind = Kind()
    source = WhereDefined(kind, look=0.001)
    assert str(source) == "things"
    reflector: Reflector[Namespace] = Reflector(source, Store())
    changes: asyncio.Queue[Change[Namespace]] = asyncio.Queue()
    reflector.follow(changes.put_nowait)
    running = asyncio.create_task(reflector.run())
    try:
        async with asyncio.timeout(60):
            await reflector.synced.wait()
            await kind.asked_often.wait()
            assert changes.empty()
            kind.defined = True
            assert (await changes.get()).new is not None
            kind.defined = False
            assert (await changes.get()).new is None
    finally:
        running.cancel()


async def test_it_is_said_to_be_defined_only_while_all_its_objects_are_there() -> None:
    kind = Kind()
    reflector: Reflector[Namespace] = Reflector(WhereDefined(kind, look=0.001), Store())
    told: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
    reflector.follow(lambda each: told.put_nowait(("came" if each.new else "went", reflector.defined)))
    reflector.when_defined(lambda: told.put_nowait(("all", reflector.defined)))
    running = asyncio.create_task(reflector.run())
    try:
        async with asyncio.timeout(60):
            for _ in range(2):
                await kind.asked_often.wait()
                assert told.empty()
                kind.defined = True
                assert [await told.get(), await told.get()] == [("came", False), ("all", True)]
                kind.defined = False
                assert await told.get() == ("went", False)
                kind.asked = 0
                kind.asked_often.clear()
    finally:
        running.cancel()


async def test_its_end_is_a_version_that_is_no_longer_kept() -> None:
    with pytest.raises(Gone):
        async for _ in WhereDefined(Kind()).watch("1"):
            pass


async def test_what_may_not_be_listed_keeps_nobody_waiting() -> None:
    class Hidden(Kind):
        async def list(self) -> Listing[Namespace]:
            raise Forbidden("things", "may not be listed")

    assert (await WhereDefined(Hidden()).list()).items == []
