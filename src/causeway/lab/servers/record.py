"""What a server is and which processes it runs in, kept as JSON files that every restart reads again.

Two files, because they have two writers: the agent writes the record, the monitor the runtime. Process
numbers are used again by the kernel, so a process is named by its number *and* the moment it started.
"""

import os
from pathlib import Path

import msgspec

from causeway.lab.servers.layout import ServerFiles


class Interface(msgspec.Struct, frozen=True):
    """A network interface: the Neutron port it is, and its name inside the server."""

    port: str
    mac: str
    mtu: int
    name: str = ""

    @property
    def tap(self) -> str:
        """Return the name of its end outside the server, the one Neutron and Nova would choose."""
        return f"tap{self.port[:11]}"


class Volume(msgspec.Struct, frozen=True):
    """A block device: ``device`` (like ``vdb``), the file with its bytes, and the serial number it shows."""

    device: str
    path: str
    serial: str


class Record(msgspec.Struct, frozen=True):
    """All that is needed to start a server again: memory in MiB, cores, the image's Glance id, devices."""

    id: str
    hostname: str
    image: str
    memory_mb: int
    vcpus: int
    interfaces: tuple[Interface, ...] = ()
    volumes: tuple[Volume, ...] = ()

    def with_interface(self, added: Interface) -> "Record":
        """Return the record with one more interface, named by the first free number; a known one moves."""
        kept = tuple(each for each in self.interfaces if each.port != added.port)
        taken = {each.name for each in kept}
        name = next(f"eth{n}" for n in range(len(kept) + 1) if f"eth{n}" not in taken)
        return msgspec.structs.replace(self, interfaces=(*kept, msgspec.structs.replace(added, name=name)))

    def without_interface(self, port: str) -> "Record":
        """Return the record without the interface on ``port``."""
        kept = tuple(each for each in self.interfaces if each.port != port)
        return msgspec.structs.replace(self, interfaces=kept)

    def with_volume(self, added: Volume) -> "Record":
        """Return the record with one more volume, in place of one of the same serial or device."""
        kept = tuple(
            each for each in self.volumes if each.serial != added.serial and each.device != added.device
        )
        return msgspec.structs.replace(self, volumes=(*kept, added))

    def without_volume(self, serial: str) -> "Record":
        """Return the record without the volume of that serial number."""
        kept = tuple(each for each in self.volumes if each.serial != serial)
        return msgspec.structs.replace(self, volumes=kept)


class Process(msgspec.Struct, frozen=True):
    """A process, named so that a later one with the same number is not taken for it."""

    pid: int
    started: int  # clock ticks since the machine's start

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Return the process that has the number ``pid`` now; raises ``ProcessLookupError`` when none has."""
        started = _start_of(pid)
        if started is None:
            raise ProcessLookupError(pid)
        return cls(pid, started)

    @property
    def alive(self) -> bool:
        """Return whether it runs still (a zombie does not)."""
        return _start_of(self.pid) == self.started


class Runtime(msgspec.Struct, frozen=True):
    """The processes of a server that is on: its monitor, its first process, and how often it has booted."""

    monitor: Process
    init: Process | None = None
    boots: int = 0


def load(files: ServerFiles) -> Record | None:
    """Return the record, or None when there is no such server."""
    try:
        return msgspec.json.decode(files.record.read_bytes(), type=Record)
    except FileNotFoundError:
        return None


def save(files: ServerFiles, record: Record) -> None:
    """Write the record; a reader sees the old or the new one, never half."""
    _replace(files.record, msgspec.json.encode(record))


def load_runtime(files: ServerFiles) -> Runtime | None:
    """Return the runtime of a server that is on, or None; what a killed lab left behind counts as off."""
    try:
        runtime = msgspec.json.decode(files.runtime.read_bytes(), type=Runtime)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return runtime if runtime.monitor.alive else None


def save_runtime(files: ServerFiles, runtime: Runtime) -> None:
    """Write the runtime."""
    _replace(files.runtime, msgspec.json.encode(runtime))


def start_time(stat: str) -> int | None:
    """Return the start time out of the text of /proc/PID/stat, None for a zombie.

    The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    """
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _start_of(pid: int) -> int | None:
    try:
        return start_time(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)
