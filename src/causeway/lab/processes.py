"""How one process of the lab is started, signalled and read: what the supervisor needs of the machine."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from causeway.lab.model import Command

LOG_LIMIT = 16 << 20
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONWARNINGS": "ignore",
}


async def start(
    argv: Command, log: Path, environment: Mapping[str, str], *, stdin: bool
) -> asyncio.subprocess.Process:
    """Start ``argv`` in a session of its own, both outputs appended to ``log``."""
    with log.open("ab") as sink:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=environment,
            start_new_session=True,
        )


def send(process: asyncio.subprocess.Process, number: signal.Signals, *, group: bool) -> None:
    """Send a signal to the process, or with ``group`` to all of its session."""
    try:
        if group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        pass  # it ended by itself in this moment


def last_line(log: Path) -> str:
    """Return the last line that says something, "" when there is none."""
    if not log.exists():
        return ""
    lines = [line.strip() for line in log.read_bytes()[-4000:].decode(errors="replace").splitlines()]
    return next((line[:300] for line in reversed(lines) if line), "")


def rotate(logs: Path) -> None:
    """Put logs aside that have become large; the supervisor's own is open already."""
    for log in logs.glob("*.log"):
        if log.stat().st_size > LOG_LIMIT and log.name != "supervisor.log":
            log.replace(log.with_suffix(".log.1"))
