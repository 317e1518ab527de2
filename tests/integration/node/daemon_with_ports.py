"""The node daemon with its ports told on standard input, one JSON line each, instead of by a Kubernetes API.

{"synced": true} | {"port": <PodPort>} | {"gone": "namespace/name"}
"""

import asyncio
import os
import sys
from typing import Any

import msgspec

from causeway.kit import logging
from causeway.kube.client import Listing, WatchEvent
from causeway.kube.objects import PodPort
from causeway.serve.node import ports
from causeway.serve.node.config import NodeConfig
from causeway.serve.node.daemon import serve


class FromInput:
    """A source of PodPorts for the daemon's own reflector: the seam is where the API would be."""

    def __init__(self) -> None:
        self._known: dict[str, PodPort] = {}
        self._events: asyncio.Queue[WatchEvent[PodPort]] = asyncio.Queue()
        self._synced = asyncio.Event()

    def __str__(self) -> str:
        return "podports"

    async def list(self) -> Listing[PodPort]:
        await self._synced.wait()
        return Listing([], "0")

    async def watch(self, resource_version: str) -> Any:
        while True:
            yield await self._events.get()

    async def read(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            told = msgspec.json.decode(line)
            if told.get("synced"):
                self._synced.set()
            elif "port" in told:
                port = msgspec.convert(told["port"], PodPort)
                self._known[f"{port.metadata.namespace}/{port.metadata.name}"] = port
                self._events.put_nowait(WatchEvent("MODIFIED", port, port.metadata.resource_version))
            else:
                port = self._known.pop(told["gone"])
                self._events.put_nowait(WatchEvent("DELETED", port, port.metadata.resource_version))


async def main() -> None:
    logging.configure()
    source = FromInput()
    reading = asyncio.create_task(source.read())
    config = NodeConfig.from_environment(os.environ)
    await serve(config, ports.WatchedPorts(source, config.node))
    reading.cancel()


asyncio.run(main())
