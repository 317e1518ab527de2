"""How a share is mounted: which program with which words. Pure: reads the table of mounts it is given."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from causeway.cloud.manila_objects import Share
from causeway.engine.storage.model import Reason, Refused
from causeway.host.mounts import MountPoint, at
from causeway.rooms.shares.model import CEPHFS, Entry

FUSE, KERNEL = "fuse", "kernel"
MOUNTERS = ("", FUSE, KERNEL)
"""How CephFS is mounted; "" by the kernel where it can, else by a program."""
_FILESYSTEMS = frozenset({"nfs", "nfs4", "ceph", "fuse.ceph-fuse"})
_KEYFILE = "KEYFILE"
_TOLD = "__mount_options"  # metadata: Manila's driver writes how a share is mounted, between commas
_INSIDE = "fs="
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")  # Ceph's, without those that look like options
_NAMES_IT = ("fs", "mds_namespace")  # options of mount.ceph that mean the same
_SECONDS = "30"  # until the program gives up to reach Ceph


@dataclass(frozen=True)
class Options:
    """How a StorageClass and a pod want a share of CephFS, or any share (``flags``), to be mounted."""

    mounter: str = ""
    kernel: tuple[str, ...] = ()
    fuse: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    read_only: bool = False


@dataclass(frozen=True)
class Mounting:
    """Words that mount something; where the key's file is to be named among them is open until it is there.

    ``stays``: the program serves the file system as long as it is mounted.
    """

    words: tuple[str, ...]
    stays: bool = False

    def with_keyfile(self, name: str) -> list[str]:
        """Return the words with the name of the file that has the key."""
        return [each.replace(_KEYFILE, name) for each in self.words]


def is_staged(table: Sequence[MountPoint], path: str, place: str) -> bool:
    """Return whether a share is mounted at ``path``; raises ``Refused`` when something else is there."""
    there = at(table, path)
    if there is None:
        return False
    if there.filesystem not in _FILESYSTEMS:
        cause = f"{there.source} ({there.filesystem}) is mounted at {path} already"
        raise Refused(Reason.PRECONDITION, place, cause, "Unmount it, if nothing uses it.")
    return True


def filesystem(share: Share) -> str:
    """Return in which of a Ceph's file systems a share is, "" for its default one; raises ``Refused``.

    Metadata can be changed by whoever has the share, and this becomes a word of a command that root runs.
    """
    options = (each.strip() for each in share.metadata.get(_TOLD, "").split(","))
    name = next((each.removeprefix(_INSIDE) for each in options if each.startswith(_INSIDE)), "")
    if share.protocol != CEPHFS or not name:
        return ""
    if not _NAME.fullmatch(name):
        cause = f"its metadata {_TOLD} names a file system {name!r}, which none of Ceph can be called"
        remedy = f"Correct it: openstack share set --property {_TOLD}={_INSIDE}NAME {share.id}"
        raise Refused(Reason.PRECONDITION, f"share {share.id}", cause, remedy)
    return name


def mounting(entry: Entry, path: str, options: Options, *, by_kernel: bool, place: str) -> Mounting:
    """Return how to mount a share at ``path``; raises ``Refused``. ``by_kernel``: the kernel has CephFS."""
    flags = [*options.flags, *(["ro"] if options.read_only and "ro" not in options.flags else [])]
    if entry.protocol != CEPHFS:
        return Mounting(("mount", "-t", "nfs", *_with(flags), entry.location, path))
    if not entry.user or not entry.key:
        cause = "its user of Ceph, or that user's key, is not said"
        raise Refused(Reason.INVALID, place, cause, "It has to be published by the controller first.")
    if options.mounter not in MOUNTERS:
        cause = f"cephfs-mounter {options.mounter} is asked for"
        raise Refused(Reason.INVALID, place, cause, f"Say {KERNEL} or {FUSE}, or leave it out.")
    if options.mounter == KERNEL or (not options.mounter and by_kernel):
        # The older of its two words: kernels and programs of any age know it.
        told = any(each.partition("=")[0] in _NAMES_IT for each in (*options.kernel, *flags))
        inside = [f"mds_namespace={entry.filesystem}"] if entry.filesystem and not told else []
        words = [f"name={entry.user}", f"secretfile={_KEYFILE}", *inside, *options.kernel, *flags]
        return Mounting(("mount", "-t", "ceph", *_with(words), entry.location, path))
    monitors, colon, root = entry.location.rpartition(":/")
    if not colon:
        cause = f"its export location {entry.location} names no path after its monitors"
        raise Refused(Reason.FAILED, place, cause, "Have the cloud's administrator look at it.")
    inside = ["--client-mds-namespace", entry.filesystem] if entry.filesystem else []
    return Mounting(
        (
            *("ceph-fuse", path, "--id", entry.user, "--conf", _KEYFILE, "--keyring", _KEYFILE),
            *("--mon-host", monitors, "--client-mountpoint", f"/{root}", "--client-mount-timeout", _SECONDS),
            *inside,
            *_with([*options.fuse, *flags]),
        ),
        stays=True,
    )


def keyring(entry: Entry, *, by_program: bool) -> str:
    """Return what the file with the key holds: the key alone for the kernel, a section for the program.

    It takes that for its keyring and, as it insists on one, for its configuration.
    """
    return f"[client.{entry.user}]\n\tkey = {entry.key}\n" if by_program else entry.key


def others(table: Sequence[MountPoint], staged: str, target: str) -> list[str]:
    """Return at which further paths this node shows what is mounted at ``staged``."""
    here = at(table, staged)
    if here is None:
        return []
    same = (each for each in table if (each.device, each.root) == (here.device, here.root))
    return sorted({each.path for each in same} - {staged, target})


def _with(options: Sequence[str]) -> list[str]:
    return ["-o", ",".join(options)] if options else []
