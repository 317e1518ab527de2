"""What is asked of shares: the words this room speaks."""

import hashlib

import msgspec

from causeway.cloud.manila_objects import ShareSnapshot
from causeway.cloud.ownership import (
    ACCESS,
    ALL_NODES,
    SHARE,
    SHARE_CLUSTER,
    Owner,
    owner_in,
    owner_in_metadata,
)
from causeway.engine.storage.model import Capacity

NFS, CEPHFS = "NFS", "CEPHFS"
PROTOCOLS = (NFS, CEPHFS)
LEFT = "left"
"""What an access rule says of a handle by which its node has the share no more."""
_HANDLE = "causeway-handle-"
_BEFORE = "snapshotted-by=manila.csi.openstack.org"
"""The description cloud-provider-openstack's driver gives to snapshots, of whichever cluster."""

PASSING = frozenset(
    {
        *("creating", "creating_from_snapshot", "deleting", "extending", "shrinking", "ensuring"),
        *("manage_starting", "unmanage_starting", "migrating", "migrating_to", "server_migrating"),
        *("replication_change", "restoring", "reverting", "backup_creating", "backup_restoring"),
    }
)
"""Statuses that end by themselves."""


class Wish(msgspec.Struct, frozen=True):
    """A share that is asked for; "" leaves a choice to the cloud."""

    name: str
    capacity: Capacity
    protocol: str
    share_type: str = ""
    network: str = ""
    zone: str = ""
    group: str = ""
    snapshot_id: str = ""
    metadata: dict[str, str] = {}


class SnapshotWish(msgspec.Struct, frozen=True):
    """A snapshot that is asked for."""

    name: str
    share_id: str


class Clients(msgspec.Struct, frozen=True):
    """Whom a StorageClass lets in instead of single nodes: addresses and networks, users of Ceph."""

    addresses: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """What a node needs to mount a share; all but the first two are Ceph's. ``repr`` shows no key.

    ``filesystem`` is which of a Ceph's file systems the share is in, "" for its default one.
    """

    protocol: str
    location: str
    user: str = ""
    key: str = ""
    filesystem: str = ""

    def __repr__(self) -> str:
        """Return the entry in a line without its key."""
        return f"Entry({self.protocol}, {self.location}, {self.user})"


def marks(cluster: str, name: str) -> dict[str, str]:
    """Return the metadata that says whose a share is, given in the call that makes it."""
    return {SHARE_CLUSTER: cluster, **Owner(cluster, SHARE, name).metadata()}


def is_ours(metadata: dict[str, str], cluster: str) -> bool:
    """Return whether a share belongs to ``cluster``, made by us or by cloud-provider-openstack's driver."""
    return metadata.get(SHARE_CLUSTER) == cluster


def description(cluster: str, name: str) -> str:
    """Return the description that says whose a snapshot is."""
    return Owner(cluster, SHARE, name).description()


def is_our_snapshot(snapshot: ShareSnapshot, cluster: str) -> bool:
    """Return whether a snapshot belongs to ``cluster``."""
    owner = owner_in(snapshot.description or "")
    return owner is not None and (owner.cluster, owner.kind) == (cluster, SHARE)


def is_snapshot_of_before(snapshot: ShareSnapshot, wish: SnapshotWish) -> bool:
    """Return whether a snapshot of a wish's name is what the driver before took for it.

    Names are made of the VolumeSnapshot's UID: of the same share, it is no other cluster's.
    """
    return (snapshot.description, snapshot.share_id) == (_BEFORE, wish.share_id)


def access_marks(cluster: str, node: str, handle: str = "") -> dict[str, str]:
    """Return the metadata that says for which node a rule was made ("": for all), and by which handle."""
    mark = {handle_key(handle): node} if handle and node else {}
    # All nodes have a word of their own: metadata is written over, and nothing would leave a node's there.
    return {**Owner(cluster, ACCESS, node or ALL_NODES).metadata(), **mark}


def handle_key(handle: str) -> str:
    """Return the key of metadata that stands for a handle by which Kubernetes knows a share.

    On a share its value is the handle, on an access rule the node that has the share by it.
    """
    return _HANDLE + hashlib.sha256(handle.encode()).hexdigest()[:16]


def handles_at(metadata: dict[str, str], node: str) -> set[str]:
    """Return the keys of the handles by which a node has a share, from the metadata of its rule."""
    return {key for key, value in metadata.items() if key.startswith(_HANDLE) and value == node}


def node_of(metadata: dict[str, str], cluster: str) -> str | None:
    """Return for which node ``cluster`` made a rule ("": for all), None if it did not make it."""
    owner = owner_in_metadata(metadata)
    if owner is None or (owner.cluster, owner.kind) != (cluster, ACCESS):
        return None
    return "" if owner.uid == ALL_NODES else owner.uid
