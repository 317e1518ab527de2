"""The supervisor with units that are small programs of the machine, outside of any root file system."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from causeway.lab import state
from causeway.lab.model import Exists, Logged, Service, Step, Unit
from causeway.lab.settings import Settings
from causeway.lab.supervisor import Supervisor

LIMIT = 20.0


@pytest.fixture
def lab(tmp_path: Path) -> Settings:
    made = Settings(tmp_path / "lab", tmp_path / "cache")
    for directory in (made.logs, made.done, made.root):
        directory.mkdir(parents=True)
    return made


def service(name: str, script: str = "sleep 600", **more: object) -> Service:
    return Service(name, ("sh", "-c", f"exec {script}"), chroot=False, **more)  # type: ignore[arg-type]  # keywords


def step(name: str, script: str, **more: object) -> Step:
    return Step(name, ("sh", "-c", script), chroot=False, **more)  # type: ignore[arg-type]  # keywords


async def until(lab: Settings, condition: Callable[[state.LabState], bool]) -> state.LabState:
    async with asyncio.timeout(LIMIT):
        while True:
            current = state.read(lab.state_file)
            if current is not None and condition(current):
                return current
            await asyncio.sleep(0.02)


class Running:
    """A supervisor that runs while a test looks at it."""

    def __init__(self, lab: Settings, *units: Unit) -> None:
        self._lab, self._units = lab, units

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(Supervisor(self._lab, self._units, {}).run())
        # The signal handler is there once the socket is.
        await until(self._lab, lambda current: self._lab.control_socket.exists())

    async def __aexit__(self, *error: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(self._task, LIMIT)


async def test_units_start_after_what_they_need_is_ready(lab: Settings) -> None:
    flag = lab.root / "flag"
    early = step("early", f"test ! -e {flag}")
    base = service("base", f"sh -c 'sleep 0.2; touch {flag}; exec sleep 600'", ready=Exists("/flag"))
    late = step("late", f"test -e {flag}", needs=("base",))
    async with Running(lab, early, base, late):
        current = await until(lab, lambda found: found.complete)
        assert current.units["late"].status == state.DONE


async def test_the_dead_are_restarted_and_reported(lab: Settings) -> None:
    async with Running(lab, service("web", "sh -c 'echo here; exec sleep 600'", ready=Logged("here"))):
        before = await until(lab, lambda found: found.complete)
        killed = before.units["web"].pid
        assert killed
        os.kill(killed, signal.SIGKILL)
        after = await until(lab, lambda found: found.complete and found.units["web"].restarts == 1)
        assert after.units["web"].pid != killed


async def test_a_restart_on_request_is_no_death(lab: Settings) -> None:
    async with Running(lab, service("web")):
        before = await until(lab, lambda found: found.complete)
        reader, writer = await asyncio.open_unix_connection(lab.control_socket)
        writer.write(b'{"restart": "web"}\n')
        assert b"true" in await reader.readline()
        writer.close()
        after = await until(
            lab, lambda found: found.complete and found.units["web"].pid != before.units["web"].pid
        )
        assert after.units["web"].restarts == 0


async def test_a_step_is_done_once_and_never_waits_again(lab: Settings) -> None:
    count = lab.root / "count"
    once = step("once", f"echo x >> {count}")
    async with Running(lab, once):
        await until(lab, lambda found: found.complete)
    # What it needed is never there in its second life.
    async with Running(lab, step("never", "exit 1"), step("once", f"echo x >> {count}", needs=("never",))):
        await until(lab, lambda found: found.units["once"].status == state.DONE)
    assert count.read_text() == "x\n"


async def test_an_interrupted_step_is_run_again(lab: Settings) -> None:
    count = lab.root / "count"
    slow = step("tables", f"echo x >> {count}; test $(wc -l < {count}) = 2 || sleep 600")
    async with Running(lab, slow):
        await until(lab, lambda current: count.exists() and count.read_text() == "x\n")
    async with Running(lab, slow):
        await until(lab, lambda found: found.complete)


async def test_a_step_that_fails_says_why(lab: Settings) -> None:
    async with Running(
        lab, step("tables", "echo no such database; exit 3"), service("api", needs=("tables",))
    ):
        current = await until(lab, lambda found: found.units["tables"].status == state.FAILED)
        assert current.units["tables"].reason == "no such database"
        assert current.units["api"].status == state.WAITING


async def test_a_defect_of_the_description_is_a_failure_not_a_wait(lab: Settings) -> None:
    broken = Service("web", ("/no/such/program",), chroot=False)
    async with Running(lab, broken):
        await until(lab, lambda found: found.units["web"].status == state.FAILED)


async def test_services_stop_before_what_they_need(lab: Settings) -> None:
    order = lab.root / "order"
    trap = "sh -c 'trap \"echo {0} >> {1}; exit\" TERM; echo up; while :; do sleep 0.05; done'"
    units = (
        service("db", trap.format("db", order), ready=Logged("up"), grace=15),
        service("queue", trap.format("queue", order), needs=("db",), ready=Logged("up"), grace=15),
        service("api", trap.format("api", order), needs=("queue",), ready=Logged("up"), grace=15),
    )
    async with Running(lab, *units):
        await until(lab, lambda found: found.complete)
    assert order.read_text().split() == ["api", "queue", "db"]


async def test_what_will_not_stop_is_killed(lab: Settings) -> None:
    stubborn = service(
        "web", "sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.05; done'", ready=Logged("up"), grace=0.2
    )
    async with Running(lab, stubborn):
        current = await until(lab, lambda found: found.complete)
        pid = current.units["web"].pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)
