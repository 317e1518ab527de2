"""The unix socket the CNI shim calls: one request and one answer a connection.

A request is what ``shim.encode`` makes; an answer is one byte, the exit status, then what the shim prints.
When the caller goes away (the runtime gave up) the work for it is cancelled.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog

from causeway.kit import metrics, trace
from causeway.serve.node import cni
from causeway.serve.node.attachments import Attachments
from causeway.serve.node.cni import CniError, Code, Request

_REQUEST = 10.0  # seconds a caller may take to send its request
_LARGEST = 4 << 20  # bytes of a request: GC names every attachment of the node

log = structlog.get_logger()


class Server:
    """Answers the shim's requests."""

    def __init__(self, attachments: Attachments, path: Path) -> None:
        self._attachments = attachments
        self._path = path
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = await asyncio.start_unix_server(self._connected, self._path)
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening and break off what waits; changes of links under way are finished."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await self._attachments.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            async with asyncio.timeout(_REQUEST):
                size = int.from_bytes(await reader.readexactly(4), "big")
                if size > _LARGEST:
                    return
                payload = await reader.readexactly(size)
            answer = await _unless_gone(reader, self._answer(payload))
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            log.warning("request broken off", cause=str(error))
        finally:
            writer.close()

    async def _answer(self, payload: bytes) -> bytes:
        environment, config = cni.decode(payload)
        named = environment.get("CNI_COMMAND", "")
        command, started = named if named in cni.COMMANDS else "none", time.perf_counter()
        code = "gone"  # unless there is an answer
        try:
            number, answer = await self._attempt(environment, config)
            code = str(int(number))
            return answer
        finally:
            metrics.CNI_CALLS.labels(command, code).inc()
            metrics.CNI_SECONDS.labels(command).observe(time.perf_counter() - started)

    async def _attempt(self, environment: dict[str, str], config: bytes) -> tuple[int, bytes]:
        """Return (CNI error code or 0, what the shim is answered)."""
        try:
            request = cni.parse(environment, config)
        except CniError as error:
            return _refused(error, environment.get("CNI_COMMAND", ""), config)
        pod = "/".join(request.args.get(f"K8S_POD_{part}", "") for part in ("NAMESPACE", "NAME"))
        facts = {"command": request.command, "kind": "Pod", "key": pod, "container": request.container_id}
        with trace.work(f"CNI {request.command}", facts, of=f"Pod {pod}", kind="incoming") as span:
            try:
                result = await self._serve(request)
            except CniError as error:
                code, answer = _refused(error, request.command, config)
            except Exception as error:
                log.exception("failed")
                failure = CniError(Code.INTERNAL, "the node daemon failed", repr(error))
                code, answer = failure.code, _failure(failure, config)
            else:
                code, answer = 0, b"\0" + (msgspec.json.encode(result) if result is not None else b"")
            span.set({"cni.code": int(code)})
            return code, answer

    async def _serve(self, request: Request) -> dict[str, Any] | None:
        match request.command:
            case "ADD":
                return await self._attachments.add(request)
            case "DEL":
                await self._attachments.delete(request)
            case "CHECK":
                await self._attachments.check(request)
            case "STATUS":
                await self._attachments.status()
            case "GC":
                await self._attachments.collect(request)
        return None


def _refused(error: CniError, command: str, config: bytes) -> tuple[int, bytes]:
    if error.code is not Code.UNAVAILABLE:
        log.warning("refused", command=command, code=int(error.code), cause=str(error))
    return error.code, _failure(error, config)


def _failure(error: CniError, config: bytes) -> bytes:
    return b"\1" + msgspec.json.encode(error.result(cni.version_of(config)))


async def _unless_gone(reader: asyncio.StreamReader, work: Any) -> bytes | None:
    """Return what ``work`` returns, or None, with ``work`` cancelled, when the caller went away first."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        for waiting in (task, gone):
            waiting.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)
