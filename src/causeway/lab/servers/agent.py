"""The lab's hypervisor: ``python -m causeway.lab.servers.agent LAB_DIR``, asked by Nova's driver.

Keeps nothing in memory that matters: the servers' own files say what exists and what runs, so it may be
killed and started at any moment and its end leaves the servers running. Only when the whole lab stops does
it power them off, so that they end in order and not with the lab's namespaces.
"""

import signal
import socketserver
import sys
import threading
import time
import traceback
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from causeway.kit.errors import Problem
from causeway.lab import state
from causeway.lab.servers import console, images, kernel, lifecycle, protocol, volumes
from causeway.lab.servers.layout import Layout
from causeway.lab.servers.record import Record, Volume

# Seconds the servers have to power off when the lab stops; the supervisor grants the agent a little more.
GOODBYE_TIMEOUT = 8.0


class Agent:
    """Carries out requests; those about the same server one after the other."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def handle(self, line: bytes) -> bytes:
        """Return the answer to the request in ``line``; never raises."""
        began = time.monotonic()
        name = "?"
        try:
            request = protocol.decode(line)
            name = f"{type(request).__name__} {getattr(request, 'id', '')}".strip()
            reply = protocol.answer(self._carry_out(request))
        except images.NotBootable as problem:
            reply = _refuse(name, "image", str(problem))
        except (Problem, msgspec.ValidationError, msgspec.DecodeError) as problem:
            reply = _refuse(name, "problem", str(problem))
        except Exception:
            reply = _refuse(name, "defect", traceback.format_exc())
        if not name.startswith(("List", "Console")):
            print(f"{name} {time.monotonic() - began:.2f} s", flush=True)
        return reply

    def leave(self) -> None:
        """Power off all servers at the same time, if it is the lab that stops and not the agent alone."""
        lab = state.read(self._layout.lab.state_file)
        if lab is None or not lab.stopping:
            return
        on = [each for each, found in lifecycle.states(self._layout).items() if found == "running"]
        with ThreadPoolExecutor(max_workers=max(1, len(on))) as pool:
            for server_id in on:
                pool.submit(lifecycle.stop, self._layout, server_id, GOODBYE_TIMEOUT)

    def _carry_out(self, request: protocol.AnyRequest) -> object:
        layout = self._layout
        match request:
            case protocol.List():
                return lifecycle.states(layout)
            case protocol.UnpackImage():
                images.unpack(layout, request.image)
                return True
            case protocol.PruneImages():
                return images.prune(layout, request.used, request.minimum_age)
            case protocol.Console():
                return console.tail(layout.server(request.id).console)
            case _:
                with self._locks[request.id]:
                    self._change(request)
                return True

    def _change(self, request: protocol.AnyRequest) -> None:
        layout = self._layout
        match request:
            case protocol.Spawn():
                lifecycle.create(layout, self._record(request), request.files, start_it=request.power_on)
            case protocol.Destroy():
                lifecycle.destroy(layout, request.id)
            case protocol.Start():
                lifecycle.start(layout, request.id)
            case protocol.Stop():
                lifecycle.stop(layout, request.id, request.timeout)
            case protocol.Reboot():
                lifecycle.reboot(layout, request.id, request.timeout)
            case protocol.AttachVolume():
                lifecycle.attach_volume(layout, request.id, self._on_machine(request.volume))
            case protocol.DetachVolume():
                lifecycle.detach_volume(layout, request.id, request.serial)
            case protocol.ResizeVolume():
                lifecycle.resize_volume(layout, request.id, request.serial)
            case protocol.Plug():
                lifecycle.plug(layout, request.id, request.interface)
            case protocol.Unplug():
                lifecycle.unplug(layout, request.id, request.port)

    def _record(self, request: protocol.Spawn) -> Record:
        server = Record(
            id=self._layout.server(request.id).id,
            hostname=request.hostname,
            image=images.path_of(self._layout, request.image).name,
            memory_mb=request.memory_mb,
            vcpus=request.vcpus,
            volumes=tuple(self._on_machine(each) for each in request.volumes),
        )
        for interface in request.interfaces:
            server = server.with_interface(interface)
        return server

    def _on_machine(self, volume: Volume) -> Volume:
        path = volumes.file_of(self._layout, Path(volume.path))
        return msgspec.structs.replace(volume, path=str(path))


def _refuse(name: str, kind: str, message: str) -> bytes:
    print(f"{name} failed: {message}", flush=True)
    return protocol.refusal(protocol.Failure(kind, message))


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    agent: Agent


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.wfile.write(self.server.agent.handle(self.rfile.readline()))


def main() -> None:
    """Serve until a signal ends it."""
    layout = Layout.of(Path(sys.argv[1]))
    agent = Agent(layout)
    kernel.raise_limits(layout.lab)
    lifecycle.recover(layout)
    layout.socket.parent.mkdir(parents=True, exist_ok=True)
    layout.socket.unlink(missing_ok=True)
    with _Server(str(layout.socket), _Handler) as server:
        layout.socket.chmod(0o600)
        server.agent = agent
        signal.signal(signal.SIGTERM, _leave)
        print(f"listening on {layout.socket}", flush=True)
        try:
            server.serve_forever(poll_interval=3600)
        except SystemExit:
            agent.leave()


def _leave(*_: object) -> None:
    sys.exit()


if __name__ == "__main__":
    main()
