"""What probes and people are told about the controller."""

from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from tests.figures import figure
from tests.ports import free_port

from causeway.serve.controller.health import Health


@pytest.mark.parametrize(
    ("leading", "reached", "status", "words"),
    [
        (False, False, 200, "standing by"),
        (True, False, 503, "has not been reached"),
        (True, True, 200, "leading"),
    ],
)
async def test_ready_is_who_stands_by_or_leads_with_a_cloud(
    leading: bool, reached: bool, status: int, words: str
) -> None:
    rooms = SimpleNamespace(controllers=["pods"] if reached else [])
    port = free_port()
    election = SimpleNamespace(leading=leading)
    async with (
        Health(port, cast(Any, election), cast(Any, rooms)),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        assert (await http.get("/healthz")).status == 200
        answer = await http.get("/readyz")
        assert answer.status == status
        assert words in await answer.text()
        shown = await (await http.get("/metrics")).text()
        assert figure("causeway_leading", shown) == int(leading)
        assert figure("process_resident_memory_bytes", shown) > 1e6
