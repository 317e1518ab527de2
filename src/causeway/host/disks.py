"""Disks of this machine: finding one by its volume's id, and the file systems on it."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from causeway.host.command import CommandFailed, run
from causeway.kit.errors import Problem

# What QEMU's virtio-blk, its virtio-scsi (old and new) and VMware make of a volume's id.
_LINKS = (
    "virtio-{short}",
    "scsi-0QEMU_QEMU_HARDDISK_{short}",
    "scsi-0QEMU_QEMU_HARDDISK_{id}",
    "wwn-0x{plain}",
)
_SHORT = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]"
_LINKS_OF_ANY = tuple(
    re.compile(each.format(short=_SHORT, id=f"{_SHORT}[0-9a-f]{{3}}-[0-9a-f]{{12}}", plain="[0-9a-f]{32}"))
    for each in _LINKS
)
_NOTHING_FOUND = 2  # blkid's status
_HEAD = 128 << 10  # bytes: the superblock of an xfs and the header after it, however large its sectors are


def links(volume_id: str) -> list[str]:
    """Return the names below ``/dev/disk/by-id`` a volume may have; virtio keeps 20 characters. Pure."""
    plain = volume_id.replace("-", "")
    return [each.format(short=volume_id[:20], id=volume_id, plain=plain) for each in _LINKS]


def is_link(name: str) -> bool:
    """Return whether a name below ``/dev/disk/by-id`` is one that some volume as a whole may have. Pure."""
    return any(each.fullmatch(name) for each in _LINKS_OF_ANY)


def find(volume_id: str, root: Path = Path("/")) -> Path | None:
    """Return the block device of a volume on the machine whose files are at ``root``, None when it has none.

    The name Nova gave it is not asked for: the machine may have given it another.
    """
    for name in links(volume_id):
        path = root / "dev/disk/by-id" / name
        if _is_block(path):
            return path
    # Where nobody makes links, virtio disks still have serial numbers.
    for device, serial in _serials(root):
        if serial == volume_id[:20] and _is_block(device):
            return device
    return None


def volumes(root: Path = Path("/")) -> dict[int, Path]:
    """Return the disks of the machine that carry some volume's id, by their numbers."""
    places = [each for each in (root / "dev/disk/by-id").glob("*") if is_link(each.name)]
    places += [device for device, serial in _serials(root) if re.fullmatch(_SHORT, serial)]
    return {number: each for each in places if (number := _block_number(each)) is not None}


def number(device: Path) -> int:
    """Return the device's number, as mounts name it."""
    return device.stat().st_rdev


def number_of(block: Path) -> int | None:
    """Return the number of the device that a directory of ``/sys/block`` is about; None if it has gone."""
    try:
        major, _, minor = (block / "dev").read_text().strip().partition(":")
    except OSError:
        return None
    return os.makedev(int(major), int(minor))


def is_used(device: Path) -> bool:
    """Return whether the device, or a part of it, is in use: mounted, as swap, as a part of a larger one.

    The kernel is asked because the table of mounts shows those of this process' namespace alone.
    """
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def size(device: Path) -> int:
    """Return the device's size in bytes."""
    opened = os.open(device, os.O_RDONLY)
    try:
        return os.lseek(opened, 0, os.SEEK_END)
    finally:
        os.close(opened)


def errors(number: int, sys: Path = Path("/sys")) -> int:
    """Return how many errors the mounted ext file system of a block device has counted, 0 for any other.

    They are counted on the disk, from one whole check to the next.
    """
    name = (sys / f"dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    try:
        return int((sys / "fs/ext4" / name / "errors_count").read_text())
    except FileNotFoundError:
        return 0


def holds(device: Path) -> str:
    """Return what is on the device by its type ("ext4", "LVM2_member", "dos" ...), "" when it is empty.

    An xfs whose making was interrupted is nothing, too: see ``never_was_xfs``. Raises ``Problem`` when it
    cannot be told what is there: such a disk must not be written to.
    """
    try:
        never = never_was_xfs(_read_head(device))
        facts, damaged = _probed(device), ""
        if facts is None:  # blkid passes over what has a wrong checksum
            damaged = run("wipefs", "--no-act", "--noheadings", "--output", "TYPE", device).strip()
    except (CommandFailed, OSError) as failure:
        said = failure.output.strip() if isinstance(failure, CommandFailed) else str(failure)
        raise Problem.of(
            str(device),
            f"what is on it is not clear: {said or 'several file systems at once'}",
            "Look at it with blkid -p and wipefs -n; nothing is written to it.",
        ) from failure
    if facts is None:
        return f"damaged {damaged.split()[0]}" if damaged else ""
    if facts.get("TYPE") == "xfs" and never:
        return ""
    return facts.get("TYPE") or facts.get("PTTYPE") or "something unknown"


def make(device: Path, filesystem: str, options: Sequence[str] = ()) -> None:
    """Make a file system on a device that ``holds`` nothing; raises ``CommandFailed``.

    Nobody else may look at it in between: mkfs of ext asks about what it finds only on a terminal. No program
    is told to force anything, and each refuses a device in use.
    """
    if never_was_xfs(_read_head(device)):
        run("wipefs", "--quiet", "--all", "--types", "xfs", device)
    words = ["-q", *(["-m0"] if filesystem.startswith("ext") else []), *options]
    run(f"mkfs.{filesystem}", *words, device)


def never_was_xfs(head: bytes) -> bool:
    """Return whether mkfs has begun an xfs on the disk that begins with ``head``, and not come far. Pure.

    The mark alone (``sb_inprogress``) proves nothing: copies have it, and a bit can turn. An xfs that ever
    was whole has inodes in its first allocation group, of which its superblock and the group's header
    (``XAGI``) tell; here neither may. mkfs of ext needs nothing like it: it writes last what ``blkid`` knows.
    """
    if not head.startswith(b"XFSB") or head[126] != 1 or head[128:136] != bytes(8):
        return False
    at = 2 * int.from_bytes(head[102:104], "big")  # in its third sector
    inodes = head[at : at + 20]
    return at > 0 and (inodes == bytes(20) or (inodes[:4] == b"XAGI" and inodes[16:] == bytes(4)))


def repair(device: Path, filesystem: str) -> None:
    """Repair what can be repaired without a decision, and let the file system fill its device.

    Before it is mounted, as nobody needs a right of their own for it then. xfs does the former when it is
    mounted, and the latter only afterwards: see ``grow``. Raises ``CommandFailed``.
    """
    if filesystem.startswith("ext"):
        _check(device)
        if held(run("dumpe2fs", "-h", device)) < size(device):
            _check(device, "-f")  # else it would not be enlarged
            run("resize2fs", device)


def grow(device: Path, path: Path, filesystem: str) -> None:
    """Let the file system mounted at ``path`` fill its device; one that does already is no error.

    Raises ``CommandFailed``: for ext4 the kernel wants CAP_SYS_RESOURCE.
    """
    if filesystem.startswith("ext"):
        run("resize2fs", device)
    else:
        run("xfs_growfs", path)


def held(description: str) -> int:
    """Return the size in bytes of an ext file system from what ``dumpe2fs`` says of it. Pure."""
    facts = dict(line.partition(":")[::2] for line in description.splitlines())
    return int(facts["Block count"]) * int(facts["Block size"])


def _check(device: Path, *options: str) -> None:
    try:
        run("e2fsck", "-p", *options, device)
    except CommandFailed as failure:
        if failure.status >= 4:  # below: repaired
            raise


def _probed(device: Path) -> dict[str, str] | None:
    """Return what ``blkid`` finds on a device, None for nothing; raises ``CommandFailed``."""
    try:
        found = run("blkid", "--probe", "--output", "export", "--", device)
    except CommandFailed as failure:
        # It ends in the same way when it cannot look, but then it says so.
        if failure.status == _NOTHING_FOUND and not failure.output.strip():
            return None
        raise
    return dict(line.partition("=")[::2] for line in found.splitlines())


def _read_head(device: Path) -> bytes:
    """Return the first bytes; raises ``OSError`` when the disk does not answer."""
    with device.open("rb") as opened:
        return opened.read(_HEAD)


def _serials(root: Path) -> Iterator[tuple[Path, str]]:
    """Return disks with their serial numbers; not one that tells none, or that went meanwhile."""
    for serial in sorted((root / "sys/block").glob("*/serial")):
        with contextlib.suppress(OSError):
            yield root / "dev" / serial.parent.name, serial.read_text().strip()


def _is_block(path: Path) -> bool:
    return _block_number(path) is not None


def _block_number(path: Path) -> int | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_rdev if stat.S_ISBLK(status.st_mode) else None
