"""Doubts about what was listed, and the lists that settle them."""

import asyncio

import pytest

from causeway.engine.listing import Listed


class View(Listed):
    """Counts its lists, each of which waits for ``go`` and fails while there is an ``error``."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = 0
        self.go = asyncio.Event()
        self.go.set()
        self.error: Exception | None = None

    async def _list(self) -> None:
        self.lists += 1
        await self.go.wait()
        if self.error:
            raise self.error


async def test_the_first_list_comes_without_a_doubt_and_no_second_one() -> None:
    view = View()
    await view.settle()
    await view.settle()
    assert view.lists == 1


async def test_many_doubts_are_settled_by_one_list() -> None:
    view = View()
    await view.refresh()
    view.doubt()
    view.doubt()
    await asyncio.gather(view.settle(), view.settle(), view.settle())
    assert view.lists == 2


async def test_a_doubt_that_comes_during_a_list_is_settled_by_the_next() -> None:
    view = View()
    view.go.clear()
    under_way = asyncio.create_task(view.refresh())
    await asyncio.sleep(0)
    view.doubt()  # the list that is under way may have begun before what is doubted happened
    view.go.set()
    await under_way
    await view.settle()
    assert view.lists == 2


async def test_a_doubt_remains_when_the_list_fails() -> None:
    view = View()
    view.error = ConnectionError()
    with pytest.raises(ConnectionError):
        await view.settle()
    view.error = None
    await view.settle()
    assert view.lists == 2
