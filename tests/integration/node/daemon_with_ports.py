"""The node daemon with what the Kubernetes API would say told on standard input, one JSON line each.

{"synced": true} | {"pool": <PortPool>} | {"pod": <Pod>} | {"policy": <NetworkPolicy>}; what the daemon says
of its pool comes out as a line of the log: {"event": "status", "claims": [...], "generation": ...}.
"""

import asyncio
import os
import sys
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from causeway.kit import logging
from causeway.kube.client import Listing, WatchEvent
from causeway.kube.objects import Cached, Meta, Namespace, NetworkPolicy, Pod, PortPool, PortPoolStatus
from causeway.serve.node.config import NodeConfig
from causeway.serve.node.daemon import serve
from causeway.serve.node.ports import NodePorts, Sources

T = TypeVar("T", bound=Cached)
log = structlog.get_logger()


class Told(Generic[T]):
    """A source for the daemon's own reflectors: the seam is where the API would be."""

    def __init__(self, *first: T) -> None:
        self._first = list(first)
        self.events: asyncio.Queue[WatchEvent[T]] = asyncio.Queue()
        self.synced = asyncio.Event()

    async def list(self) -> Listing[T]:
        await self.synced.wait()
        return Listing(self._first, "0")

    async def watch(self, resource_version: str) -> Any:
        while True:
            yield await self.events.get()

    def tell(self, thing: T) -> None:
        self.events.put_nowait(WatchEvent("MODIFIED", thing, thing.metadata.resource_version))


class Writer:
    """Logs what the daemon writes of its pool, and shows it as the API would."""

    def __init__(self, pools: Told[PortPool]) -> None:
        self._pools = pools
        self._pool = PortPool(Meta())

    def tell(self, pool: PortPool) -> None:
        """Show a pool as it is written by others, with the status it has."""
        self._pool = msgspec.structs.replace(pool, status=self._pool.status)
        self._pools.tell(self._pool)

    async def patch(self, resource: Any, name: str, body: Any, namespace: Any = None, **_: Any) -> Any:
        status = body["status"]
        uids = sorted(claim["podUID"] for claim in status["claims"])
        log.info("status", claims=uids, generation=status["observedGeneration"])
        meta = self._pool.metadata
        meta = msgspec.structs.replace(meta, resource_version=meta.resource_version + ".1")
        told = msgspec.convert(status, PortPoolStatus)
        self._pool = msgspec.structs.replace(self._pool, metadata=meta, status=told)
        self._pools.tell(self._pool)
        return {}


async def main() -> None:
    logging.configure()
    pools, pods, policies = Told[PortPool](), Told[Pod](), Told[NetworkPolicy]()
    writer = Writer(pools)
    namespaces = Told(Namespace(Meta("default", uid="ns", resource_version="1")))

    async def read() -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            told = msgspec.json.decode(line)
            if told.get("synced"):
                for source in (pools, pods, policies, namespaces):
                    source.synced.set()
            elif "pool" in told:
                writer.tell(msgspec.convert(told["pool"], PortPool))
            elif "policy" in told:
                policies.tell(msgspec.convert(told["policy"], NetworkPolicy))
            else:
                pods.tell(msgspec.convert(told["pod"], Pod))

    reading = asyncio.create_task(read())
    config = NodeConfig.from_environment(os.environ)
    ports = NodePorts(Sources(pools, pods, namespaces, policies), writer, config.node)
    await serve(config, ports)
    reading.cancel()


asyncio.run(main())
