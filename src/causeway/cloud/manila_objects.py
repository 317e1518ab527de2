"""Manila's objects: as its API shows them, and as requests ask for them.

Shapes only; which call takes or gives which is in ``manila``. Field names are those of the API. Sizes are in
GiB, the only unit Manila knows.
"""

import msgspec


class Share(msgspec.Struct, frozen=True):
    """A share; ``access_rules_status`` is "active", "syncing" or "error" for all its rules together."""

    id: str
    status: str
    size: int
    share_proto: str
    name: str | None = None
    availability_zone: str | None = None
    share_type: str | None = None
    share_type_name: str | None = None
    share_network_id: str | None = None
    share_group_id: str | None = None
    snapshot_id: str | None = None
    snapshot_support: bool = False
    create_share_from_snapshot_support: bool = False
    access_rules_status: str | None = None
    created_at: str = ""
    metadata: dict[str, str] = {}

    @property
    def protocol(self) -> str:
        """The protocol in capitals, as "NFS" or "CEPHFS"."""
        return self.share_proto.upper()


class ShareSnapshot(msgspec.Struct, frozen=True):
    """A snapshot; ``size`` is that of its share when it was taken, ``created_at`` in UTC without a zone."""

    id: str
    status: str
    share_id: str
    size: int
    created_at: str
    name: str | None = None
    description: str | None = None


class AccessRule(msgspec.Struct, frozen=True):
    """Who may mount a share: an address or network ("ip"), or a user of Ceph ("cephx").

    ``access_key`` is that user's secret, None as long as there is none; it is not shown by ``repr``.
    """

    id: str
    access_type: str
    access_to: str
    access_level: str | None = None
    state: str = ""
    access_key: str | None = None
    metadata: dict[str, str] = {}

    def __repr__(self) -> str:
        """Return the rule in a line without its key: it may be logged."""
        return f"AccessRule({self.id}, {self.access_type} {self.access_to}, {self.state})"


class ExportLocation(msgspec.Struct, frozen=True):
    """Where a share is mounted from: ``host:/path``, for CephFS with all monitors before the path."""

    path: str
    preferred: bool = False


class Message(msgspec.Struct, frozen=True, gc=False):
    """What Manila tells its users about something that went wrong later than the call."""

    user_message: str
    created_at: str = ""


class ShareRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A share to be made: empty, or of a snapshot."""

    name: str
    size: int
    share_proto: str
    metadata: dict[str, str]
    share_type: str = ""
    share_network_id: str = ""
    availability_zone: str = ""
    share_group_id: str = ""
    snapshot_id: str = ""


class ShareSnapshotRequest(msgspec.Struct, frozen=True):
    """A snapshot to be taken; its ``description`` says whose it is, as it has no metadata before 2.73."""

    share_id: str
    name: str
    description: str


class AccessRequest(msgspec.Struct, frozen=True):
    """An access rule to be made."""

    access_type: str
    access_to: str
    metadata: dict[str, str]
    access_level: str = "rw"
