"""Volumes as block devices: a loop device over the volume's file, shown in the server like a virtio disk.

The loop device is the machine's, the node of it the server's. A server that is off has none.
"""

import fcntl
import os
import stat
from pathlib import Path

from causeway.host.command import run
from causeway.kit.errors import Problem
from causeway.lab.servers import record
from causeway.lab.servers.boot import apply
from causeway.lab.servers.layout import Layout
from causeway.lab.servers.mounts import Disk, disk_nodes, link_name
from causeway.lab.servers.record import Volume

BLKFLSBUF = 0x1261


def file_of(layout: Layout, path: Path) -> Path:
    """Return where on the machine the file lies that Cinder calls ``path``; refuses other places."""
    if path.parent != layout.volumes_inside or path.name in ("", ".", ".."):
        cause = f"it is not in {layout.volumes_inside}"
        raise Problem.of(f"volume {path}", cause, "Use the volume type of the lab's file driver.")
    return layout.lab.volumes / path.name


def connect(volume: Volume) -> Disk:
    """Return the block device of the volume's file, made if it has none."""
    node = _loop_of(Path(volume.path)) or _new_loop(Path(volume.path))
    number = Path(node).stat().st_rdev
    return Disk(volume.device, volume.serial, os.major(number), os.minor(number))


def disconnect(layout: Layout, server_id: str, volume: Volume) -> None:
    """Release the volume's block device when ``server_id`` lets go of it, unless another server has it, too.

    One that is still mounted goes when its last user does.
    """
    if has_another(layout, server_id, volume):
        return
    if node := _loop_of(Path(volume.path)):
        device = os.open(node, os.O_RDWR)
        try:
            os.fsync(device)
            fcntl.ioctl(device, BLKFLSBUF)
        finally:
            os.close(device)
        run("losetup", "--detach", node)


def has_another(layout: Layout, server_id: str, volume: Volume) -> bool:
    """Return whether a server that is on, and not ``server_id``, has the volume: they share its device."""
    for directory in layout.lab.servers.iterdir():
        files = layout.server(directory.name)
        server = record.load(files)
        if server is None or server.id == server_id or record.load_runtime(files) is None:
            continue
        if any(each.path == volume.path for each in server.volumes):
            return True
    return False


def resize(volume: Volume) -> None:
    """Let the block device see that the volume's file has grown."""
    if node := _loop_of(Path(volume.path)):
        run("losetup", "--set-capacity", node)


def show(pid: int, disk: Disk) -> None:
    """Make the disk's node and its link in the running server whose first process is ``pid``."""
    for step in disk_nodes(_dev_of(pid), disk):
        apply(step)


def hide(pid: int, volume: Volume) -> None:
    """Remove the node and the link from the running server."""
    dev = _dev_of(pid)
    (dev / "disk/by-id" / link_name(volume.serial)).unlink(missing_ok=True)
    node = dev / volume.device
    if node.exists() and stat.S_ISBLK(node.stat().st_mode):
        node.unlink()


def _dev_of(pid: int) -> Path:
    return Path(f"/proc/{pid}/root/dev")


def _loop_of(path: Path) -> str | None:
    if not path.exists():
        return None
    found = run("losetup", "--noheadings", "--output", "NAME", "--associated", path).split()
    return found[0] if found else None


def _new_loop(path: Path) -> str:
    if not path.exists():
        raise Problem.of(f"volume {path}", "its file is gone", "Detach the volume; its bytes are lost.")
    return run("losetup", "--find", "--show", path).strip()
