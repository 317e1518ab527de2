"""The calls of the room of pods, where others have to know of one under way."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from causeway.cloud import errors
from causeway.rooms.pods.apply import Applier
from causeway.rooms.pods.model import SetGroups


@pytest.mark.parametrize("error", [None, errors.ServerError("network", "broke")])
async def test_a_group_is_left_from_the_call_until_its_answer(error: errors.CloudError | None) -> None:
    called, answer = asyncio.Event(), asyncio.Event()
    port = SimpleNamespace(security_groups=["old", "open"])
    changed: list[Any] = []

    async def update_port(_port_id: str, **_change: Any) -> Any:
        called.set()
        await answer.wait()
        if error is not None:
            raise error
        return "changed"

    neutron = SimpleNamespace(update_port=update_port)
    view = SimpleNamespace(ports={"p": port}, port_changed=changed.append)
    applier = Applier(neutron, None, view)  # type: ignore[arg-type]  # as much of each as is needed
    work = asyncio.create_task(applier.set_groups(SetGroups("p", ("open",))))
    await called.wait()
    assert [applier.is_left(each) for each in ("old", "open")] == [True, False]
    answer.set()
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    assert outcome is error
    assert changed == ([] if error else ["changed"])
    assert not applier.is_left("old")
