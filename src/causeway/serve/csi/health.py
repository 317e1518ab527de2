"""Whether the driver answers at its socket, told to the kubelet by HTTP: ``/healthz`` on this machine alone.

A web server is not worth its memory on every node for one answer, so the few bytes are written here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog

from causeway.kit.errors import Problem
from causeway.serve.csi.spec import csi_pb2 as csi

log = structlog.get_logger()

PORT = "CAUSEWAY_CSI_HEALTH_PORT"
"""The variable that says where to listen on 127.0.0.1; without it nobody listens."""

_SECONDS = 5.0  # the driver may take to answer, and who asks may take to ask


@asynccontextmanager
async def watched(endpoint: str, port: int) -> AsyncIterator[None]:
    """Answer at ``port`` of 127.0.0.1 whether the driver at ``endpoint`` does; raises ``Problem``."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await reader.readuntil(b"\r\n\r\n")
            status = "200 OK" if await answers(endpoint) else "503 Service Unavailable"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            log.debug("a probe ended early", cause=repr(error))
        finally:
            writer.close()

    try:
        serving = await asyncio.start_server(answer, "127.0.0.1", port)
    except OSError as error:
        raise Problem.of(f"127.0.0.1:{port}", str(error), f"Set {PORT} to a port that is free.") from error
    async with serving:
        yield


async def answers(endpoint: str) -> bool:
    """Return whether the driver says that it is ready."""
    async with grpc.aio.insecure_channel(endpoint) as channel:
        probe = channel.unary_unary(
            "/csi.v1.Identity/Probe",
            request_serializer=csi.ProbeRequest.SerializeToString,
            response_deserializer=csi.ProbeResponse.FromString,
        )
        try:
            answer = await probe(csi.ProbeRequest(), timeout=_SECONDS)
        except grpc.RpcError as error:
            log.warning("the driver does not answer", cause=str(error))
            return False
        return bool(answer.ready.value)
