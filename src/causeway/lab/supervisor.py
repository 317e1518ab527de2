"""The lab's supervisor: runs steps, starts services as needs allow, restarts what dies, stops all.

It is the child of the first process in namespaces of its own, so whatever happens to it, the kernel ends
everything it started. It is started by ``causeway.lab.tree`` and told what to do through its control socket.
"""

import asyncio
import json
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from causeway.host.command import run
from causeway.lab import mounts, rootfs, settings, state
from causeway.lab.model import Command, Service, Step, Succeeds, Unit
from causeway.lab.processes import ENVIRONMENT, last_line, rotate, send, start
from causeway.lab.ready import is_ready
from causeway.lab.render import Renderer
from causeway.lab.services import units
from causeway.lab.settings import Settings

CONNECT_LIMIT = 15.0
STEP_LIMIT = 600.0
STOP_LIMIT = 19.0
LONGEST_BACKOFF = 30.0
STEADY = 60.0


class Supervisor:
    """Runs the units of one lab until it is told to stop."""

    def __init__(self, lab: Settings, all_units: Sequence[Unit], secrets: Mapping[str, str]) -> None:
        self._lab = lab
        self._secrets = secrets
        self._units = {unit.name: unit for unit in all_units}
        self._render = Renderer(lab, secrets)
        kinds = [(unit.name, type(unit).__name__.lower()) for unit in all_units]
        self._board = state.Board(lab.state_file, kinds)
        self._present = {name: asyncio.Event() for name in self._units}
        self._stopped = {name: asyncio.Event() for name in self._units}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._asked: set[str] = set()
        self._stopping = False

    async def run(self) -> None:
        """Run until SIGTERM, then stop everything within ``STOP_LIMIT`` seconds."""
        enough = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, enough.set)
        loop.add_signal_handler(signal.SIGINT, enough.set)
        self._lab.control_socket.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._request, self._lab.control_socket)
        self._lab.control_socket.chmod(0o600)
        tasks = [asyncio.create_task(self._run(unit), name=unit.name) for unit in self._units.values()]
        await enough.wait()
        self._stopping = True
        self._board.stopping()
        server.close()
        try:
            async with asyncio.timeout(STOP_LIMIT):
                await asyncio.gather(*(self._stop(unit) for unit in self._units.values()))
        except TimeoutError:
            pass  # the end of this process ends the rest
        for task in tasks:
            task.cancel()

    async def _run(self, unit: Unit) -> None:
        if isinstance(unit, Step) and unit.once and (self._lab.done / unit.name).exists():
            # Done in an earlier life: what it needed then is no reason to wait now.
            self._finished(unit)
            return
        for need in unit.needs:
            await self._present[need].wait()
        if self._stopping:
            return
        try:
            if isinstance(unit, Step):
                await self._do(unit)
            else:
                await self._keep(unit)
        except Exception as error:  # a defect of ours must not look like waiting
            traceback.print_exc()
            self._board.set(unit.name, state.FAILED, reason=repr(error))

    async def _do(self, step: Step) -> None:
        """Run a step to its end."""
        self._board.set(step.name, state.STARTING)
        for attempt in range(step.tries):
            if await self._attempt(step):
                break
            await asyncio.sleep(min(1 + attempt, 5))
        else:
            reason = last_line(self._log(step)) or "it ended with an error"
            self._board.set(step.name, state.FAILED, reason=reason)
            return
        if step.once:
            (self._lab.done / step.name).touch()
        self._finished(step)

    def _finished(self, step: Step) -> None:
        self._board.set(step.name, state.DONE)
        self._present[step.name].set()

    async def _attempt(self, step: Step) -> bool:
        self._prepare(step)
        text = self._render.text(step.stdin).encode() if step.stdin else None
        process = await self._spawn(step, stdin=text is not None)
        self._processes[step.name] = process
        try:
            async with asyncio.timeout(STEP_LIMIT):
                await process.communicate(text)
        except TimeoutError:
            send(process, signal.SIGKILL, group=True)
            await process.wait()
        return process.returncode == 0

    async def _keep(self, service: Service) -> None:
        """Keep a service running until the lab stops."""
        deaths = 0
        while not self._stopping:
            began = time.monotonic()
            reason = await self._live(service)
            self._present[service.name].clear()
            if self._stopping:
                return
            if service.name in self._asked:
                self._asked.discard(service.name)
                continue
            deaths = 0 if time.monotonic() - began > STEADY else deaths
            self._board.set(service.name, state.BACKOFF, reason=reason)
            await asyncio.sleep(min(2.0**deaths, LONGEST_BACKOFF))
            deaths += 1

    async def _live(self, service: Service) -> str:
        """Run a service once, from its start to its death; return how it died."""
        self._prepare(service)
        log = self._log(service)
        log_start = log.stat().st_size if log.exists() else 0
        process = await self._spawn(service)
        self._processes[service.name] = process
        self._board.set(service.name, state.STARTING, pid=process.pid)
        death = asyncio.create_task(process.wait())
        birth = asyncio.create_task(self._until_ready(service, process.pid, log_start))
        await asyncio.wait({death, birth}, return_when=asyncio.FIRST_COMPLETED)
        if death.done():
            birth.cancel()
        else:
            await birth
            self._board.set(service.name, state.READY, pid=process.pid)
            self._present[service.name].set()
        status = await death
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"it ended with {how}: {last_line(log)}"

    async def _until_ready(self, service: Service, pid: int, log_start: int) -> None:
        began = time.monotonic()
        slow = False
        pause = 0.4 if isinstance(service.ready, Succeeds) else 0.1
        log = self._log(service)
        while service.ready and not await is_ready(service.ready, self._lab.root, log, log_start):
            if not slow and time.monotonic() - began > service.patience:
                slow = True
                reason = f"not ready after {service.patience:.0f} s: {last_line(log)}"
                self._board.set(service.name, state.STARTING, pid=pid, reason=reason)
            await asyncio.sleep(pause)
        for command in service.then:
            process = await self._chrooted(command, log=log)
            if await process.wait() != 0:
                send(self._processes[service.name], signal.SIGTERM, group=False)
                await asyncio.Future()  # its death is noticed by whoever waits for this

    async def _stop(self, unit: Unit) -> None:
        """Stop a unit once all that need it have stopped."""
        for other in self._units.values():
            if unit.name in other.needs:
                await self._stopped[other.name].wait()
        process = self._processes.get(unit.name)
        if process is not None and process.returncode is None:
            grace = unit.grace if isinstance(unit, Service) else 1
            group = isinstance(unit, Step) or unit.stop_group
            send(process, signal.SIGTERM, group=group)
            try:
                async with asyncio.timeout(grace):
                    await process.wait()
            except TimeoutError:
                send(process, signal.SIGKILL, group=True)
                await process.wait()
        self._board.set(unit.name, state.STOPPED)
        self._stopped[unit.name].set()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request: ``{"restart": NAME}``."""
        name = json.loads(await reader.readline()).get("restart")
        process = self._processes.get(name)
        unit = self._units.get(name)
        answer = {"ok": True}
        if not isinstance(unit, Service):
            answer = {"ok": False}
        elif process is not None and process.returncode is None:
            self._asked.add(name)
            send(process, signal.SIGTERM, group=unit.stop_group)
            try:
                async with asyncio.timeout(unit.grace):
                    await process.wait()
            except TimeoutError:
                send(process, signal.SIGKILL, group=True)
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    def _prepare(self, unit: Unit) -> None:
        for directory in unit.directories:
            self._render.make(directory)
        for file in unit.files:
            self._render.write(file)

    async def _spawn(self, unit: Unit, *, stdin: bool = False) -> asyncio.subprocess.Process:
        environment = dict(unit.environment)
        if isinstance(unit, Step):
            environment |= {variable: self._secrets[name] for variable, name in unit.passwords.items()}
        if unit.chroot:
            user = unit.user if isinstance(unit, Service) else "root"
            return await self._chrooted(
                unit.command, log=self._log(unit), environment=environment, user=user, stdin=stdin
            )
        return await start(unit.command, self._log(unit), ENVIRONMENT | environment, stdin=stdin)

    async def _chrooted(
        self,
        command: Command,
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str = "root",
        stdin: bool = False,
    ) -> asyncio.subprocess.Process:
        who = () if user == "root" else (f"--userspec={user}",)
        argv = ("chroot", *who, str(self._lab.root), *command)
        return await start(argv, log, ENVIRONMENT | dict(environment or {}), stdin=stdin)

    def _log(self, unit: Unit) -> Path:
        return self._lab.logs / f"{unit.name}.log"


def main() -> None:
    """Run the supervisor of the lab in the directory given as the only argument."""
    lab = settings.load(Path(sys.argv[1]))
    if not _wanted(lab):
        sys.exit("whoever started this lab is gone")
    secrets = settings.passwords(lab.directory)
    socket.sethostname(lab.host)
    run("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for directory in (lab.logs, lab.done):
        directory.mkdir(parents=True, exist_ok=True)
    rotate(lab.logs)
    mounts.prepare(lab, rootfs.lower_directories(lab.cache, lab.extras))
    asyncio.run(_supervise(lab, secrets))


def _wanted(lab: Settings) -> bool:
    """Wait until the lab is connected to the machine; return False when nobody does that any more."""
    deadline = time.monotonic() + CONNECT_LIMIT
    while not (lab.directory / "tree.json").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


async def _supervise(lab: Settings, secrets: Mapping[str, str]) -> None:
    await Supervisor(lab, units(lab), secrets).run()


if __name__ == "__main__":
    main()
