"""A store that fails while it deletes; collections that end well are tried with a real registry."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from causeway.kit.errors import Problem
from causeway.kube.client import Client
from causeway.rooms.registry import gate
from causeway.rooms.registry.store import Directory
from causeway.serve.registry import collector


class Api:
    """The Lease in memory."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] = {"metadata": {"name": gate.NAME}, "spec": {}}

    async def get(self, *_: object) -> dict[str, Any]:
        return self.lease

    async def replace(self, _: object, body: dict[str, Any]) -> dict[str, Any]:
        self.lease = body
        return body


class Failing(Directory):
    """A store that refuses one folder, and answers for no other."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []
        self.underway = 0

    async def remove(self, folder: str) -> None:
        self.asked.append(folder)
        if folder == "refused":
            raise Problem.of("the store", "it answers 503", "Look.")
        self.underway += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.underway -= 1


async def test_where_a_store_refuses_one_no_other_is_asked_for_later_and_nobody_is_let_in_at_once(
    tmp_path: Path,
) -> None:
    api, store = Api(), Failing(tmp_path)
    with pytest.raises(Problem, match="answers 503"):
        async with gate.closed(cast(Client, api), "pod") as hold:
            await collector.remove(store, ["a", "refused", "b", *map(str, range(16))], hold)
    assert len(store.asked) == 16
    assert store.underway == 0
    assert api.lease["spec"]["holderIdentity"] == "pod"
