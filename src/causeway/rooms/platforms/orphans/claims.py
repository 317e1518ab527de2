"""Which volumes and snapshots the Kubernetes objects of a platform name, or wait for."""

from typing import Any

import msgspec

from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Meta
from causeway.kube.resource import CLAIMS, PERSISTENT_VOLUMES, SNAPSHOT_CONTENTS


class _Claim(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta


class _Attributes(msgspec.Struct, frozen=True, gc=False):
    """How people name a share of theirs beside a handle they chose."""

    share_id: str = msgspec.field(name="shareID", default="")
    share_name: str = msgspec.field(name="shareName", default="")


class _Csi(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    volume_handle: str = ""
    volume_attributes: _Attributes = _Attributes()


class _InTree(msgspec.Struct, frozen=True, gc=False):
    volume_id: str = msgspec.field(name="volumeID", default="")


class _VolumeSpec(msgspec.Struct, frozen=True, gc=False):
    csi: _Csi = _Csi()
    cinder: _InTree = _InTree()  # of before the volume drivers; Kubernetes hands these to the driver


class _Volume(msgspec.Struct, frozen=True, gc=False):
    spec: _VolumeSpec


class _Handle(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Where a snapshot's id is: in the source of one that was brought along, in the status of one taken."""

    snapshot_handle: str = ""


class _Asker(msgspec.Struct, frozen=True, gc=False):
    uid: str = ""


class _ContentSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    source: _Handle = _Handle()
    volume_snapshot_ref: _Asker = _Asker()


class _Content(msgspec.Struct, frozen=True, gc=False):
    spec: _ContentSpec
    status: _Handle = _Handle()


async def volumes(kube: Client) -> frozenset[str]:
    """Return the ids of volumes and shares that PersistentVolumes name, names of shares, and UIDs of claims.

    A claim gets its PersistentVolume only when the volume is made: until then its UID, which is in the
    volume's name, is all that says whose it is.
    """
    # Claims first: one that gets its volume meanwhile is seen by its PersistentVolume.
    claims = (await kube.list(CLAIMS, of=_Claim)).items
    named: list[Any] = (await kube.list(PERSISTENT_VOLUMES, of=_Volume)).items
    words = {each.metadata.uid for each in claims}
    for each in named:
        csi, attributes = each.spec.csi, each.spec.csi.volume_attributes
        words |= {csi.volume_handle, each.spec.cinder.volume_id, attributes.share_id, attributes.share_name}
    return frozenset(words) - {""}


async def snapshots(kube: Client) -> frozenset[str] | None:
    """Return the ids of snapshots that contents name, and the UIDs of the VolumeSnapshots they are for.

    None where Kubernetes has no snapshots. A content is there before its snapshot is taken.
    """
    try:
        contents = (await kube.list(SNAPSHOT_CONTENTS, of=_Content)).items
    except NotFound:
        return None
    words = {
        word
        for each in contents
        for word in (
            each.spec.source.snapshot_handle,
            each.status.snapshot_handle,
            each.spec.volume_snapshot_ref.uid,
        )
    }
    return frozenset(words) - {""}
