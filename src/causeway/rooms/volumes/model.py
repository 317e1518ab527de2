"""What is asked of volumes, and why something is refused: the words this room speaks."""

import msgspec

from causeway.cloud.cinder_objects import Volume
from causeway.cloud.ownership import DRIVER_CLUSTER, VOLUME, Owner, owner_in_metadata
from causeway.engine.storage.model import GIB, Capability, Capacity, Mode, Reason, Refused

__all__ = [
    "BACKUP_KEY",
    "CLUSTER_KEY",
    "GIB",
    "BackupWish",
    "Capability",
    "Capacity",
    "Mode",
    "Near",
    "Reason",
    "Refused",
    "SnapshotWish",
    "Source",
    "Wish",
    "is_another",
    "is_ours",
    "is_restored",
    "made_of",
    "marks",
]

CLUSTER_KEY = DRIVER_CLUSTER
BACKUP_KEY = "src_backup_id"
"""The metadata key by which Cinder says of which backup a volume was made; we say so from its order on."""


class Source(msgspec.Struct, frozen=True):
    """What a new volume begins as: a copy of a snapshot or backup (one word for both), or of a volume."""

    snapshot_id: str = ""
    volume_id: str = ""


class Near(msgspec.Struct, frozen=True):
    """Names or ids of volumes a new one is to be on the same back end with, and on another than."""

    with_these: tuple[str, ...] = ()
    without_these: tuple[str, ...] = ()


class Wish(msgspec.Struct, frozen=True):
    """A volume that is asked for.

    ``zones`` are those it may be in, the preferred first (none: anywhere); ``zone`` was asked for by name and
    goes before them, as it is the cloud's word and not the scheduler's.
    """

    name: str
    capacity: Capacity
    capabilities: tuple[Capability, ...]
    volume_type: str = ""
    zone: str = ""
    zones: tuple[str, ...] = ()
    source: Source = Source()
    near: Near = Near()
    metadata: dict[str, str] = {}


class SnapshotWish(msgspec.Struct, frozen=True):
    """A snapshot that is asked for; ``force`` takes it also of a volume in use."""

    name: str
    volume_id: str
    force: bool = False
    metadata: dict[str, str] = {}


class BackupWish(msgspec.Struct, frozen=True):
    """A backup that is asked for, of a ``snapshot`` of the same name; ``zone`` "" is the cloud's own choice.

    It is late when it takes more than ``seconds_per_gib`` of its volume, which is told and nothing more.
    """

    snapshot: SnapshotWish
    zone: str = ""
    seconds_per_gib: int = 20

    @property
    def name(self) -> str:
        """The name that is asked for."""
        return self.snapshot.name


def made_of(volume: Volume) -> Source:
    """Return what a volume began as."""
    copied = volume.snapshot_id or volume.metadata.get(BACKUP_KEY)
    return Source(copied or "", volume.source_volid or "")


def marks(cluster: str, name: str) -> dict[str, str]:
    """Return the metadata that says whose an object is, given in the call that makes it."""
    return {CLUSTER_KEY: cluster, **Owner(cluster, VOLUME, name).metadata()}


def is_another(volume: Volume) -> bool:
    """Return whether a volume's metadata are not those it was made with, or it was not made by us."""
    owner = owner_in_metadata(volume.metadata)
    return owner is None or owner.uid != volume.name


def is_restored(volume: Volume) -> bool:
    """Return whether a volume was made of a backup and has the metadata of the volume that was backed up.

    Cinder puts them in the place of its own when its bytes are there.
    """
    return BACKUP_KEY in volume.metadata and is_another(volume)


def is_ours(metadata: dict[str, str], cluster: str) -> bool:
    """Return whether an object belongs to ``cluster``, made by us or by cloud-provider-openstack's driver."""
    return metadata.get(CLUSTER_KEY) == cluster
