"""The driver beside a server: what is attached to the server is mounted for real.

The node service runs on the machine, in a mount namespace of its own, and is shown the disks the server has,
the way udev would show them: so nothing it mounts is seen by others, and the server needs no Python of ours.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.lab import small_image
from tests.integration.projects import CLOUD, Project, until

from causeway.lab.servers.enter import command_in
from causeway.lab.servers.layout import Layout
from causeway.lab.settings import Settings

CLUSTER = "csi-tests"
ALONE = ("unshare", "--mount")
"""Brings a node service to a place of its own, which goes with it."""
PROGRAM = (sys.executable, "-c", "from causeway.main import main; main()", "serve")


@dataclass
class Driver:
    """The two services, each a process of its own; all that is of them is in ``directory``.

    ``prefix`` is what the commands that serve them begin with, ``around`` brings the node service to where it
    mounts.
    """

    directory: Path
    environment: Mapping[str, str]
    prefix: str = "csi"
    around: Sequence[str] = ALONE
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def controller(self) -> str:
        return f"unix://{self.directory}/controller.sock"

    @property
    def node(self) -> str:
        return f"unix://{self.directory}/node.sock"

    def start(self, name: str) -> None:
        """Start the service and wait until it listens."""
        assert self.begin(name), (self.directory / f"{name}.log").read_text()[-2000:]

    def begin(self, name: str) -> bool:
        """Start the service, and return whether it listens: it may have ended at once."""
        socket, log = self.directory / f"{name}.sock", self.directory / f"{name}.log"
        if name in self.processes:
            self.processes[name].wait(60)
        socket.unlink(missing_ok=True)
        with log.open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [*(self.around if name == "node" else ()), *PROGRAM, f"{self.prefix}-{name}"],
                env={**self.environment, "CSI_ENDPOINT": f"unix://{socket}"},
                stdout=output,
                stderr=output,
            )
        until(lambda: socket.exists() or self.processes[name].poll() is not None)
        return self.processes[name].poll() is None

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(60)

    def inside(self, *command: str | Path) -> list[str]:
        """Return the words that run a command where the node service mounts."""
        pid = self.processes["node"].pid
        return ["nsenter", "--target", str(pid), "--mount", *map(str, command)]


def boot(lab: Settings, cloud: Any, name: str, networks: Any = "none", *, wait: bool = True) -> Any:
    """Return a small server on no network or on these, which runs unless it is not to be waited for."""
    path = small_image.build(lab.cache, lab.logs / "small-image.log")
    image = cloud.image.create_image(
        name, filename=str(path), disk_format="raw", container_format="bare", validate_checksum=False
    )
    flavor = cloud.compute.find_flavor("m1.small")
    made = cloud.compute.create_server(name=name, image_id=image.id, flavor_id=flavor.id, networks=networks)
    if wait:
        cloud.compute.wait_for_server(made, wait=240, interval=0.5)
        cloud.image.delete_image(image)
    return made


class Disks(threading.Thread):
    """Shows the disks of a server in a directory of this machine's /dev, as long as it runs."""

    def __init__(self, theirs: Path, ours: Path) -> None:
        super().__init__(daemon=True)
        self.theirs, self.ours = theirs / "disk/by-id", ours / "disk/by-id"
        self.ours.mkdir(parents=True)
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            there = {each.name: each for each in self.theirs.glob("*")}
            shown = {each.name: each for each in self.ours.glob("*")}
            for name in shown.keys() - there.keys():
                shown[name].unlink()
            for name, disk in there.items():
                with contextlib.suppress(FileNotFoundError):  # gone meanwhile, or on its way
                    number = disk.stat().st_rdev
                    if name in shown and shown[name].stat().st_rdev == number:
                        continue
                    (self.ours / name).unlink(
                        missing_ok=True
                    )  # detached and attached again between two looks
                    os.mknod(self.ours / name, 0o660 | stat.S_IFBLK, number)


@contextlib.contextmanager
def seen(lab: Settings, server: str, directory: Path) -> Iterator[Path]:
    """Yield a server's files, as far as the node service looks at them, seen from the machine."""
    argv = command_in(Layout(lab).server(server), ["true"])
    theirs = Path("/proc") / argv[argv.index("--target") + 1] / "root"
    until((theirs / "run/cloud-init/instance-data.json").exists)
    dev = Path("/dev") / f"causeway-{server}"
    for name in ("run", "sys"):
        (directory / name).symlink_to(theirs / name)
    (directory / "dev").symlink_to(dev)
    disks = Disks(theirs / "dev", dev)
    disks.start()
    try:
        yield directory
    finally:
        disks.over.set()
        disks.join()
        shutil.rmtree(dev)


@contextlib.contextmanager
def holding() -> Iterator[tuple[str, ...]]:
    """Keep a mount namespace; yields the words that bring a command into it.

    What is mounted there nobody else sees, and it outlives the services.
    """
    words = ("unshare", "--mount", "sleep", "infinity")
    with subprocess.Popen(words) as holder:
        ours = Path("/proc/self/ns/mnt").readlink()
        until(lambda: Path(f"/proc/{holder.pid}/ns/mnt").readlink() != ours)
        try:
            yield ("nsenter", f"--target={holder.pid}", "--mount", "--")
        finally:
            holder.kill()


def driver_of(made: Project, root: Path, directory: Path, around: Sequence[str] = ALONE) -> Driver:
    """Return the driver of a project whose node service sees the server at ``root``; it is not started."""
    environment = os.environ | {
        "OS_CLIENT_CONFIG_FILE": str(made.clouds),
        "OS_CLOUD": CLOUD,
        "CAUSEWAY_CLUSTER_ID": CLUSTER,
        "CAUSEWAY_HOST_ROOT": str(root),
        "CAUSEWAY_LOG_LEVEL": "debug",
    }
    return Driver(directory, environment, around=around)
