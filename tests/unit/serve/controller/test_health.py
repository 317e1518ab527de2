"""What probes and people are told about the controller."""

import socket
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from causeway.engine.controller import Figures
from causeway.serve.controller.health import Health


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    room = SimpleNamespace(name="pods", figures=Figures(3, 1, 0.5), queue=[1, 2])
    cloud = SimpleNamespace(calls=Counter({("network", "POST /v2.0/ports"): 4}))
    rooms = SimpleNamespace(controllers=[room] if reached else [], cloud=cloud if reached else None)
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
        lines = (await (await http.get("/metrics")).text()).splitlines()
        assert f"causeway_leading {int(leading)}" in lines
        if reached:
            assert 'causeway_cloud_calls_total{service="network",call="POST /v2.0/ports"} 4' in lines
            assert 'causeway_reconciled_total{room="pods"} 3' in lines
            assert 'causeway_queue_length{room="pods"} 2' in lines
