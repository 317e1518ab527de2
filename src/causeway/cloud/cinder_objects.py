"""Cinder's objects: as its API shows them, and as requests ask for them.

Shapes only; which call takes or gives which is in ``cinder``. Field names are those of the API. Sizes are in
GiB, the only unit Cinder knows.
"""

import msgspec


class Attachment(msgspec.Struct, frozen=True, gc=False):
    """A volume's being at a server; ``device`` is the name Nova gave it, as ``/dev/vdb``.

    ``server_id`` is None where a host has it instead: then Nova knows nothing of it.
    """

    server_id: str | None = None
    attachment_id: str = ""
    device: str | None = None


class Volume(msgspec.Struct, frozen=True):
    """A volume; ``attachments`` are those that are complete, not those on their way."""

    id: str
    shown_status: str | None = msgspec.field(name="status")
    size: int
    name: str | None = None
    availability_zone: str | None = None
    volume_type: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    multiattach: bool = False
    created_at: str = ""
    metadata: dict[str, str] = {}
    attachments: list[Attachment] = []

    @property
    def status(self) -> str:
        """The status; "none" where Cinder has lost it, as when a backup found no service that makes it."""
        return self.shown_status or "none"

    @property
    def servers(self) -> list[str]:
        """The ids of the servers that have it."""
        return [each.server_id for each in self.attachments if each.server_id]


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot; ``size`` is that of its volume when it was taken, ``created_at`` in UTC without a zone."""

    id: str
    status: str
    volume_id: str
    size: int
    created_at: str
    name: str | None = None
    metadata: dict[str, str] = {}


class Backup(msgspec.Struct, frozen=True):
    """A backup; ``data_timestamp`` is the moment its data are of, in UTC without a zone.

    ``snapshot_id`` is what it was made of, which may be gone since; ``fail_reason`` why it could not be made.
    """

    id: str
    status: str
    volume_id: str
    size: int
    created_at: str
    name: str | None = None
    snapshot_id: str | None = None
    data_timestamp: str | None = None
    fail_reason: str | None = None
    metadata: dict[str, str] = {}


class VolumeType(msgspec.Struct, frozen=True):
    """A volume type, with those of its extra specifications that users may see (None: not one, by policy)."""

    id: str
    name: str
    extra_specs: dict[str, str] | None = None

    @property
    def multiattach(self) -> bool | None:
        """Whether its volumes may be at several servers at once, None where Cinder does not say."""
        if self.extra_specs is None:
            return None
        return self.extra_specs.get("multiattach", "").lower() == "<is> true"


class Message(msgspec.Struct, frozen=True, gc=False):
    """What Cinder tells its users about something that went wrong later than the call."""

    user_message: str
    created_at: str = ""


class VolumeRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A volume to be made: empty, of a snapshot, of a backup, or of another volume."""

    name: str
    size: int
    metadata: dict[str, str]
    volume_type: str = ""
    availability_zone: str = ""
    snapshot_id: str = ""
    source_volid: str = ""
    backup_id: str = ""


class Hints(msgspec.Struct, frozen=True):
    """Ids of volumes a new one is to be on the same back end with, or on another than."""

    same_host: tuple[str, ...] = ()
    different_host: tuple[str, ...] = ()


class SnapshotRequest(msgspec.Struct, frozen=True):
    """A snapshot to be made; ``force`` takes it also while a server uses the volume."""

    volume_id: str
    name: str
    metadata: dict[str, str]
    force: bool = False


class BackupRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A backup to be made of a snapshot; ``availability_zone`` "" is the cloud's own choice."""

    volume_id: str
    snapshot_id: str
    name: str
    metadata: dict[str, str]
    availability_zone: str = ""
