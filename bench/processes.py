"""Processes of a run: started so that they end with it, and what they take of the machine."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_END = 20.0  # seconds a process may take to end before it is killed


def _ends_with_us() -> None:
    """Have the kernel end this child when the run ends, however it does."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextlib.contextmanager
def running(
    argv: Sequence[str | Path], log: Path, environment: Mapping[str, str]
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a process for as long as the block takes, its output in ``log``."""
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdout=sink,
            stderr=sink,
            env=dict(environment),
            start_new_session=True,  # what the kernel shares the processor out between
            preexec_fn=_ends_with_us,  # noqa: PLW1509  # nothing but one system call happens in it
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Usage:
    """What a process and its children took: resident memory in MiB, processor time in seconds."""

    rss: float
    cpu: float


def usage(pid: int) -> Usage:
    """Return what ``pid`` and its descendants hold now and have used so far."""
    memory = processor = 0.0
    for each in [pid, *_descendants(pid)]:
        with contextlib.suppress(OSError):
            memory += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * _PAGE / _MIB
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            processor += (int(fields[11]) + int(fields[12])) / _TICKS
    return Usage(round(memory, 1), processor)


def prefer(pid: int, priority: int) -> None:
    """Give all threads of a process, and those they start, a priority (nice value).

    Where the kernel shares the processor out between sessions first, the session is given the same.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(priority))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(thread.name), priority)


async def share(pid: int, seconds: float) -> float:
    """Return how much of one core, in percent, ``pid`` takes over the next ``seconds``."""
    before, started = usage(pid).cpu, time.monotonic()
    await asyncio.sleep(seconds)
    return round(100 * (usage(pid).cpu - before) / (time.monotonic() - started), 1)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found
