"""Where the servers of a lab keep their files, seen from the machine."""

import uuid
from dataclasses import dataclass
from pathlib import Path

from causeway.kit.errors import Problem
from causeway.lab.mounts import SHARED
from causeway.lab.settings import Settings, load

SOCKET = "run/causeway/servers.sock"


@dataclass(frozen=True)
class Layout:
    """The paths and names of one lab's servers."""

    lab: Settings

    @classmethod
    def of(cls, directory: Path) -> "Layout":
        """Return the layout of the lab in ``directory``."""
        return cls(load(directory))

    @property
    def root(self) -> Path:
        """Return the root file system the OpenStack services run in: an overlay, unfit for servers' files."""
        return self.lab.root

    @property
    def unpacked(self) -> Path:
        """Return the directory with one unpacked root file system per Glance image."""
        return self.lab.directory / "unpacked"

    @property
    def socket(self) -> Path:
        """Return the agent's socket; inside the lab's root file system, where nova-compute finds it."""
        return self.lab.root / SOCKET

    @property
    def volumes_inside(self) -> Path:
        """Return the directory of volumes as Cinder names it."""
        return Path("/") / SHARED / self.lab.volumes.name

    def server(self, server_id: str) -> "ServerFiles":
        """Return the files of a server; refuses what is no UUID, since it becomes part of a path."""
        try:
            name = str(uuid.UUID(server_id))
        except ValueError:
            raise Problem.of("server", f"{server_id!r} is no UUID", "Use the server's id.") from None
        return ServerFiles(self.lab.servers / name, self.lab.cgroup)


@dataclass(frozen=True)
class ServerFiles:
    """The files of one server in ``directory``, and the cgroup above it."""

    directory: Path
    cgroup_parent: str

    @property
    def id(self) -> str:
        """Return the server's UUID."""
        return self.directory.name

    @property
    def cgroup(self) -> str:
        """Return the server's cgroup, relative to a hierarchy's root."""
        return f"{self.cgroup_parent}/{self.id}"

    @property
    def record(self) -> Path:
        """Return the file with what the server is."""
        return self.directory / "record.json"

    @property
    def runtime(self) -> Path:
        """Return the file with which processes it runs in; absent when it is off."""
        return self.directory / "runtime.json"

    @property
    def console(self) -> Path:
        """Return the console log."""
        return self.directory / "console.log"

    @property
    def failure(self) -> Path:
        """Return the file with why the monitor gave up; absent when it did not."""
        return self.directory / "failure"

    @property
    def monitor_log(self) -> Path:
        """Return what the monitor printed; empty when all is well."""
        return self.directory / "monitor.log"

    @property
    def upper(self) -> Path:
        """Return the upper directory of the root file system: all the server has written to it."""
        return self.directory / "upper"

    @property
    def work(self) -> Path:
        """Return the overlay's work directory."""
        return self.directory / "work"

    @property
    def mountpoint(self) -> Path:
        """Return where the root file system is put together; empty for everybody but the server."""
        return self.directory / "root"

    @property
    def data(self) -> Path:
        """Return the directory with what must not lie on an overlay (see ``prepare``)."""
        return self.directory / "data"

    @property
    def config_drive(self) -> Path:
        """Return the directory with the config drive's files."""
        return self.directory / "configdrive"

    @property
    def shadows(self) -> Path:
        """Return the directory with the files mounted over parts of /proc."""
        return self.directory / "shadows"
