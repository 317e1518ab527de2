"""What can be done to a server: create, start, stop, reboot, destroy, and change its devices while it runs.

Every function is safe to repeat: a request cut off by a restart of the agent is simply made again.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from enum import StrEnum

from causeway.host.command import run
from causeway.kit.errors import Problem
from causeway.lab.servers import interfaces, prepare, record, volumes
from causeway.lab.servers.images import path_of
from causeway.lab.servers.layout import Layout, ServerFiles
from causeway.lab.servers.monitor import release
from causeway.lab.servers.record import Interface, Process, Record, Volume

# What systemd takes as "power off" and "reboot" (systemd(1), SIGNALS).
ASK_POWER_OFF, ASK_REBOOT = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5
START_DEADLINE = 90.0
KILL_DEADLINE = 15.0


class State(StrEnum):
    """Whether a server is on."""

    RUNNING = "running"
    OFF = "off"


def states(layout: Layout) -> dict[str, State]:
    """Return every server of the lab with its state."""
    found = {}
    if layout.lab.servers.is_dir():
        for directory in layout.lab.servers.iterdir():
            files = layout.server(directory.name)
            if files.record.exists():
                found[files.id] = state(files)
    return found


def state(files: ServerFiles) -> State:
    """Return whether the server is on."""
    return State.RUNNING if record.load_runtime(files) else State.OFF


def create(layout: Layout, server: Record, config_drive: Mapping[str, bytes], *, start_it: bool) -> None:
    """Make a server of an image that is unpacked already; one of the same id is replaced."""
    files = layout.server(server.id)
    destroy(layout, server.id)
    image = path_of(layout, server.image)
    prepare.first_time(files, image, config_drive)
    record.save(files, server)
    if start_it:
        start(layout, server.id)


def start(layout: Layout, server_id: str) -> None:
    """Power the server on; returns when its interfaces are plugged and its init starts."""
    files = layout.server(server_id)
    _require(files)
    if record.load_runtime(files):
        return
    release(layout, files)
    files.failure.unlink(missing_ok=True)
    # A session of its own, and no child of the agent: a restart of the agent does not touch it.
    arguments = (sys.executable, "-m", "causeway.lab.servers.monitor", layout.lab.directory, files.id)
    run("setsid", "--fork", *arguments, log=files.monitor_log)
    deadline = time.monotonic() + START_DEADLINE
    while not record.load_runtime(files):
        late = time.monotonic() > deadline
        if late or files.failure.exists():
            cause = f"it did not start within {START_DEADLINE:.0f} s" if late else files.failure.read_text()
            raise Problem.of(f"server {server_id}", cause, f"See {files.monitor_log} and its console log.")
        time.sleep(0.02)


def stop(layout: Layout, server_id: str, timeout: float) -> None:
    """Ask the server to power off and end it when ``timeout`` seconds (0: at once) were not enough."""
    files = layout.server(server_id)
    runtime = record.load_runtime(files)
    if runtime is not None:
        if timeout > 0 and runtime.init:
            _send(runtime.init, ASK_POWER_OFF)
        if not _ends_within(runtime.monitor, timeout):
            _send(runtime.monitor, signal.SIGTERM)
            if not _ends_within(runtime.monitor, KILL_DEADLINE):
                _send(runtime.monitor, signal.SIGKILL)
                _ends_within(runtime.monitor, KILL_DEADLINE)
    if files.record.exists():
        release(layout, files)


def reboot(layout: Layout, server_id: str, timeout: float) -> None:
    """Ask the server to reboot; one that is off, or has not within ``timeout`` seconds, is started afresh."""
    files = layout.server(server_id)
    _require(files)
    before = record.load_runtime(files)
    if before and before.init and timeout > 0:
        _send(before.init, ASK_REBOOT)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            now = record.load_runtime(files)
            if now and now.boots > before.boots:
                return
            if now is None:
                break
            time.sleep(0.1)
    stop(layout, server_id, 0)
    start(layout, server_id)


def destroy(layout: Layout, server_id: str) -> None:
    """Remove the server and all it wrote; its volumes stay. Quiet when there is none."""
    files = layout.server(server_id)
    stop(layout, server_id, 0)
    shutil.rmtree(files.directory, ignore_errors=True)


def attach_volume(layout: Layout, server_id: str, volume: Volume) -> None:
    """Give the server a volume, at once when it is on."""
    files = layout.server(server_id)
    server = _require(files)
    record.save(files, server.with_volume(volume))
    if pid := _init_of(files):
        volumes.show(pid, volumes.connect(volume))


def detach_volume(layout: Layout, server_id: str, serial: str) -> None:
    """Take the volume from the server; quiet when it has none of this serial number."""
    files = layout.server(server_id)
    server = record.load(files)
    found = next((each for each in server.volumes if each.serial == serial), None) if server else None
    if server is None or found is None:
        return
    if pid := _init_of(files):
        volumes.hide(pid, found)
    volumes.disconnect(layout, server_id, found)
    record.save(files, server.without_volume(serial))


def resize_volume(layout: Layout, server_id: str, serial: str) -> None:
    """Let the server see that its volume has grown."""
    for volume in _require(layout.server(server_id)).volumes:
        if volume.serial == serial:
            volumes.resize(volume)


def plug(layout: Layout, server_id: str, interface: Interface) -> None:
    """Give the server an interface, at once when it is on."""
    files = layout.server(server_id)
    server = _require(files).with_interface(interface)
    record.save(files, server)
    if pid := _init_of(files):
        interfaces.plug(layout.root, server.id, pid, server.interfaces[-1:])


def unplug(layout: Layout, server_id: str, port: str) -> None:
    """Take an interface from the server; quiet when it has none on this port."""
    files = layout.server(server_id)
    server = record.load(files)
    if server is None:
        return
    interfaces.unplug(layout.root, [each for each in server.interfaces if each.port == port])
    record.save(files, server.without_interface(port))


def recover(layout: Layout) -> None:
    """Clear what servers left that went without notice, as when the whole lab was killed."""
    for server_id, found in states(layout).items():
        if found is State.OFF:
            release(layout, layout.server(server_id))
    on = [server_id for server_id, found in states(layout).items() if found is State.RUNNING]
    interfaces.sweep(layout.root, on)


def _require(files: ServerFiles) -> Record:
    server = record.load(files)
    if server is None:
        raise Problem.of(
            f"server {files.id}", "there is no such server", "Delete it in Nova and create it anew."
        )
    return server


def _init_of(files: ServerFiles) -> int | None:
    runtime = record.load_runtime(files)
    return runtime.init.pid if runtime and runtime.init and runtime.init.alive else None


def _send(process: Process, number: int) -> None:
    """Send a signal to this very process, not to another that got its number since."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(process.pid)
        try:
            if process.alive:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _ends_within(process: Process, seconds: float) -> bool:
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(process.pid)
        try:
            if process.alive:
                return bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)
    return True
