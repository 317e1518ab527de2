"""Probes are answered by what the driver says at its socket."""

import asyncio
import socket
from pathlib import Path

import pytest
from tests.ports import free_port

from causeway.kit.errors import Problem
from causeway.serve.csi import health, server
from causeway.serve.csi.settings import Common


async def status(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer.split(b"\r\n")[0].decode()


async def test_a_driver_that_answers_is_well_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    settings, port = Common(f"unix://{tmp_path}/csi.sock"), free_port()
    async with health.watched(settings.endpoint, port):
        assert await status(port) == "HTTP/1.1 503 Service Unavailable"
        serving = server.server(settings)
        await serving.start()
        async with asyncio.timeout(60):  # the channel that found nobody may be used once more
            while await status(port) != "HTTP/1.1 200 OK":  # noqa: ASYNC110  # deadline above
                await asyncio.sleep(0.1)
        await serving.stop(None)


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Problem, match=health.PORT):
            async with health.watched(f"unix://{tmp_path}/csi.sock", port):
                pass
