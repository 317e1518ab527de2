"""Which process is the one that minds HAProxy's workers, and what it shares with us."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from causeway.host.haproxy import Haproxy, reopened


@pytest.fixture
def running(tmp_path: Path) -> Iterator[int]:
    """A process that was started with HAProxy's configuration."""
    argv = [sys.executable, "-c", "input()", str(tmp_path / "haproxy.cfg")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


async def test_without_a_note_or_with_another_processes_number_none_runs(tmp_path: Path) -> None:
    assert await Haproxy(tmp_path).master() is None
    (tmp_path / "haproxy.pid").write_text(f"{os.getpid()}\n")
    assert await Haproxy(tmp_path).master() is None


async def test_a_number_that_is_being_written_anew_is_waited_for(tmp_path: Path, running: int) -> None:
    note = tmp_path / "haproxy.pid"
    note.write_text("")
    asking = asyncio.create_task(Haproxy(tmp_path).master())
    await asyncio.sleep(0)
    note.write_text(f"{running}"[:1])
    await asyncio.sleep(0)
    assert not asking.done()
    note.write_text(f"{running}\n")
    assert await asking == running


async def test_one_that_has_ended_and_waits_to_be_buried_does_not_run(tmp_path: Path, running: int) -> None:
    (tmp_path / "haproxy.pid").write_text(f"{running}\n")
    os.kill(running, 9)
    await asyncio.to_thread(os.waitid, os.P_PID, running, os.WEXITED | os.WNOWAIT)
    assert await Haproxy(tmp_path).master() is None


def test_what_haproxy_makes_of_its_output_is_not_made_of_ours() -> None:
    reading, writing = os.pipe()
    try:
        with reopened(writing) as its:
            os.set_blocking(its, False)
            os.write(its, b"word")
        assert os.get_blocking(writing)
        assert os.read(reading, 9) == b"word"
    finally:
        os.close(reading)
        os.close(writing)


def test_output_that_is_a_socket_is_shared() -> None:
    ours, others = socket.socketpair()
    with ours, others:
        with reopened(ours.fileno()) as its:
            os.write(its, b"word")
        assert others.recv(9) == b"word"
