"""Whether a service is ready, asked from inside the lab's network without blocking the supervisor."""

import asyncio
from pathlib import Path

from causeway.lab.model import Command, Exists, Http, Logged, Ready, Succeeds, Tcp

TIMEOUT = 10.0


async def is_ready(check: Ready, root: Path, log: Path, log_start: int) -> bool:
    """Return whether ``check`` holds now.

    ``root`` is the services' root file system; ``log_start`` is where in ``log`` the process began to write.
    """
    match check:
        case Tcp(port):
            return await _answers(port, None)
        case Http(port, path):
            return await _answers(port, path)
        case Exists(path):
            return (root / path.lstrip("/")).exists()
        case Succeeds(command):
            return await _succeeds(root, command)
        case Logged(text):
            with log.open("rb") as file:
                file.seek(log_start)
                return text.encode() in file.read()


async def _answers(port: int, path: str | None) -> bool:
    """Return whether the port accepts and, when ``path`` is given, answers it with a status below 500."""
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                if path is None:
                    return True
                request = f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n"
                writer.write(request.encode())
                await writer.drain()
                words = (await reader.readline()).split()
                return len(words) > 1 and words[1].isdigit() and int(words[1]) < 500
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def _succeeds(root: Path, command: Command) -> bool:
    process = await asyncio.create_subprocess_exec(
        "chroot",
        str(root),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            return await process.wait() == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
