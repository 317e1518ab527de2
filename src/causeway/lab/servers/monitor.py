"""The monitor of one server: starts it, keeps its console, starts it again when it reboots.

``python -m causeway.lab.servers.monitor LAB_DIR SERVER_ID``, in a session of its own. It runs exactly as long
as the server is on: killed in whatever way, it takes the server with it, and with the server's last process
go its mounts and network devices.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causeway.kit.errors import Problem
from causeway.lab.servers import cgroups, interfaces, prepare, record, syscalls, volumes
from causeway.lab.servers.boot import Order, encode
from causeway.lab.servers.console import ConsoleLog, tail
from causeway.lab.servers.layout import Layout, ServerFiles

NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")
# How the kernel ends the first process of a PID namespace when its init calls reboot(2).
REBOOT, POWER_OFF = -signal.SIGHUP, -signal.SIGINT
MOMENTS = {REBOOT: "reboot", POWER_OFF: "power off", -signal.SIGKILL: "killed"}


class Monitor:
    """One server from power on to power off."""

    def __init__(self, layout: Layout, server_id: str) -> None:
        self._layout = layout
        self._files = layout.server(server_id)
        self._log = ConsoleLog(self._files.console)
        self._cgroups = cgroups.of_machine()
        self._me = record.Process.of(os.getpid())
        self._holder: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> None:
        """Run the server until it powers off, is stopped by SIGTERM, or cannot be started."""
        signal.signal(signal.SIGTERM, self._stop)
        boots = 0
        try:
            while not self._stopping:
                boots += 1
                self._log.mark(f"power on ({boots})")
                ended = self._boot(boots)
                self._log.mark(MOMENTS.get(ended, f"ended with status {ended}"))
                cgroups.remove(self._cgroups, self._files.cgroup)
                if ended != REBOOT:
                    break
        except Exception as failure:
            self._files.failure.write_text(str(failure) or repr(failure))
            raise
        finally:
            release(self._layout, self._files)

    def _boot(self, boots: int) -> int:
        """Start the server and keep its console until it ends; return how it ended."""
        server = record.load(self._files)
        if server is None:
            raise FileNotFoundError(self._files.record)
        limits = cgroups.limits(self._cgroups.version, memory_mb=server.memory_mb, vcpus=server.vcpus)
        cgroups.create(self._cgroups, self._files.cgroup, limits)
        image = self._layout.unpacked / server.image
        with _terminal() as (keyboard, screen), _pipes() as (report, report_end, go_end, go):
            order = Order(
                directory=self._files.directory,
                cgroup_parent=self._files.cgroup_parent,
                hostname=server.hostname,
                image=image,
                cgroups=self._cgroups,
                console=os.ttyname(screen),
                disks=tuple(volumes.connect(each) for each in server.volumes),
                data=tuple(prepare.data_directories(image)),
                shadows=tuple(prepare.every_time(self._files, server.memory_mb)),
                report=report_end,
                go=go_end,
            )
            holder = self._start(order)
            os.close(report_end)
            os.close(go_end)
            reported = os.read(report, 32)
            if not reported:
                holder.wait()
                said = tail(self._files.console, limit=400)
                raise Problem.of(f"server {server.id}", f"its boot failed: {said}", "See its console log.")
            self._release_boot(server, int(reported), boots, go)
            self._keep_console(keyboard, holder)
            return holder.wait()

    def _release_boot(self, server: record.Record, pid: int, boots: int, go: int) -> None:
        interfaces.plug(self._layout.root, server.id, pid, server.interfaces)
        init = record.Process.of(pid)
        record.save_runtime(self._files, record.Runtime(self._me, init, boots))
        os.write(go, b"1")

    def _start(self, order: Order) -> subprocess.Popen[bytes]:
        with self._files.console.open("ab") as console:
            self._holder = subprocess.Popen(
                ["unshare", *NAMESPACES, "--fork", "--kill-child=SIGKILL", *_BOOT],
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                pass_fds=(order.report, order.go),
                start_new_session=True,
                preexec_fn=_die_with_monitor,  # noqa: PLW1509  # this process has one thread
            )
        assert self._holder.stdin is not None  # noqa: S101  # for the type checker
        with self._holder.stdin as order_in:
            order_in.write(encode(order))
        if self._stopping:
            self._holder.kill()
        return self._holder

    def _keep_console(self, keyboard: int, holder: subprocess.Popen[bytes]) -> None:
        """Write what the server prints until it has ended and all is read."""
        ended = os.pidfd_open(holder.pid)
        try:
            while True:
                ready = select.select([keyboard, ended], [], [])[0]
                if keyboard in ready:
                    self._log.write(os.read(keyboard, 1 << 16))
                elif ended in ready:
                    return
        finally:
            os.close(ended)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        if self._holder is not None:
            self._holder.kill()  # and the kernel kills the server's init with it


def release(layout: Layout, files: ServerFiles) -> None:
    """Give back all a server that is off may still hold: bridge ports, block devices, cgroup.

    Each on its own: what cannot be given back is said and does not keep the rest.
    """
    server = record.load(files)
    if server is not None:
        with _said():
            interfaces.unplug(layout.root, server.interfaces)
        for volume in server.volumes:
            with _said():
                volumes.disconnect(layout, server.id, volume)
    with _said():
        cgroups.remove(cgroups.of_machine(), files.cgroup)
    files.runtime.unlink(missing_ok=True)


_BOOT = (sys.executable, "-m", "causeway.lab.servers.boot")


def _die_with_monitor() -> None:
    syscalls.die_with_parent(signal.SIGKILL)


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    """The server's end stays open here too: otherwise reading fails in the moments nobody has it open."""
    keyboard, screen = os.openpty()
    try:
        yield keyboard, screen
    finally:
        os.close(keyboard)
        os.close(screen)


@contextmanager
def _pipes() -> Iterator[tuple[int, int, int, int]]:
    """A pipe to hear from the boot process and one to tell it to go on; who starts it closes its ends."""
    report, report_end = os.pipe()
    go_end, go = os.pipe()
    try:
        yield report, report_end, go_end, go
    finally:
        os.close(report)
        os.close(go)


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except Exception:
        traceback.print_exc()


def main() -> None:
    """Run the monitor of the server named by the arguments."""
    lab, server_id = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        Monitor(Layout.of(Path(lab)), server_id).run()


if __name__ == "__main__":
    main()
