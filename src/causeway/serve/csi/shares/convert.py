"""Messages of the interface as the words of the shares' room, and back. Pure.

Parameters and the context of a volume have the names cloud-provider-openstack's driver gave them.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from google.protobuf import timestamp_pb2

from causeway.cloud.manila_objects import Share, ShareSnapshot
from causeway.engine.storage.model import GIB, Capability, Reason, Refused
from causeway.rooms.shares.model import NFS, PROTOCOLS, Clients, Entry, SnapshotWish, Wish
from causeway.serve.csi.requests import capability, capacity, metadata, required, zones
from causeway.serve.csi.settings import Common
from causeway.serve.csi.spec import csi_pb2 as csi

MOUNTER, KERNEL_OPTIONS, FUSE_OPTIONS = (
    "cephfs-mounter",
    "cephfs-kernelMountOptions",
    "cephfs-fuseMountOptions",
)
_ADDRESSES, _USERS = "nfs-shareClient", "cephfs-clientID"
_METADATA = "appendShareMetadata"
_KEPT = (MOUNTER, KERNEL_OPTIONS, FUSE_OPTIONS, _ADDRESSES, _USERS)
"""Parameters of a StorageClass that are needed when a share is opened and mounted."""
_ENTRY = ("protocol", "location", "user", "key", "filesystem")
"""Words of a publication's context. One of an older controller may lack the last of them."""


def why_not(way: Capability) -> str:
    """Return why a share cannot be used so, "" when it can."""
    return "a share has files, and is no block device" if way.block else ""


def require_usable(ways: Iterable[Capability], place: str) -> None:
    """Raise ``Refused`` unless a share can be used in all these ways."""
    for each in ways:
        if cause := why_not(each):
            remedy = "Ask for volumeMode Filesystem, or for a volume of Cinder."
            raise Refused(Reason.INVALID, place, cause, remedy)


def wish(request: csi.CreateVolumeRequest, settings: Common) -> Wish:
    """Return the share that is asked for; raises ``Refused``."""
    place = f"share {request.name or '(without a name)'}"
    required(place, name=request.name, volume_capabilities=request.volume_capabilities)
    require_usable((capability(each) for each in request.volume_capabilities), place)
    if request.volume_content_source.HasField("volume"):
        cause = "a copy of another share is asked for, which Manila cannot make"
        raise Refused(Reason.INVALID, place, cause, "Take a snapshot, and ask for a share made of it.")
    parameters = dict(request.parameters)
    zone = parameters.get("availability", "")
    if not zone and settings.zones and follows_zone(parameters):
        zone = next(iter(zones(request.accessibility_requirements, settings)), "")
    return Wish(
        name=request.name,
        capacity=capacity(request.capacity_range),
        protocol=_protocol(parameters, settings, place),
        share_type=parameters.get("type", ""),
        network=parameters.get("shareNetworkID", ""),
        zone=zone,
        group=parameters.get("groupID", ""),
        snapshot_id=request.volume_content_source.snapshot.snapshot_id,
        metadata=metadata(parameters, _METADATA, place),
    )


def follows_zone(parameters: Mapping[str, str]) -> bool:
    """Return whether a share is to be in the zone of the node it is first mounted on."""
    return parameters.get("autoTopology", "").lower() == "true"


def snapshot_wish(request: csi.CreateSnapshotRequest) -> SnapshotWish:
    """Return the snapshot that is asked for; raises ``Refused``."""
    place = f"snapshot {request.name or '(without a name)'}"
    required(place, name=request.name, source_volume_id=request.source_volume_id)
    return SnapshotWish(request.name, request.source_volume_id)


def clients(context: Mapping[str, str]) -> Clients:
    """Return whom the class of a volume lets in instead of single nodes."""
    return Clients(several(context.get(_ADDRESSES, "")), several(context.get(_USERS, "")))


def named(context: Mapping[str, str]) -> str:
    """Return the id or name of the share in the context of a volume, "" if that says nothing."""
    return context.get("shareID", "") or context.get("shareName", "")


def entry(given: Entry) -> dict[str, str]:
    """Return how a share is mounted as the context of its publication, which the node gets."""
    return {each: value for each in _ENTRY if (value := getattr(given, each))}


def entry_from(context: Mapping[str, str], place: str) -> Entry:
    """Return what ``entry`` wrote; raises ``Refused`` when a part is missing."""
    given = Entry(**{each: context.get(each, "") for each in _ENTRY})
    if given.protocol not in PROTOCOLS or not given.location:
        cause = "it is not said how it is mounted"
        remedy = "It has to be published by this driver's controller first: attachRequired of its CSIDriver."
        raise Refused(Reason.INVALID, place, cause, remedy)
    return given


def volume_context(it: Share, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return what a PersistentVolume says of its share."""
    kept = {key: parameters[key] for key in _KEPT if parameters.get(key)}
    group = {"groupID": it.share_group_id} if it.share_group_id else {}
    return {"shareID": it.id, **group, **kept}


def volume(it: Share, context: Mapping[str, str], topology: Iterable[csi.Topology] = ()) -> csi.Volume:
    """Return a share as the interface shows it."""
    shown = csi.Volume(
        volume_id=it.id,
        capacity_bytes=it.size * GIB,
        volume_context=dict(context),
        accessible_topology=topology,
    )
    if it.snapshot_id:
        shown.content_source.snapshot.snapshot_id = it.snapshot_id
    return shown


def topology(request: csi.CreateVolumeRequest, it: Share, settings: Common) -> list[csi.Topology]:
    """Return from where a share can be reached; nothing means from everywhere."""
    if not settings.zones:
        return []
    # A zone the class names is Manila's, which need not be one of the nodes'.
    chosen = request.parameters.get("availability")
    if follows_zone(request.parameters) and it.availability_zone and not chosen:
        return [csi.Topology(segments={settings.topology_key: it.availability_zone})]
    return list(request.accessibility_requirements.preferred)


def snapshot(it: ShareSnapshot) -> csi.Snapshot:
    """Return a snapshot as the interface shows it."""
    taken = timestamp_pb2.Timestamp()
    taken.FromDatetime(datetime.fromisoformat(it.created_at).replace(tzinfo=UTC))
    return csi.Snapshot(
        snapshot_id=it.id,
        source_volume_id=it.share_id,
        size_bytes=it.size * GIB,
        creation_time=taken,
        ready_to_use=it.status == "available",
    )


def _protocol(parameters: Mapping[str, str], settings: Common, place: str) -> str:
    """Return the protocol a class names, else that of the driver's name (``cephfs.manila...``), else NFS."""
    first = settings.driver.partition(".")[0].upper()
    protocol = parameters.get("protocol", "").upper() or (first if first in PROTOCOLS else NFS)
    if protocol not in PROTOCOLS:
        cause = f"protocol {protocol} is asked for, and only {' and '.join(PROTOCOLS)} are known"
        raise Refused(Reason.INVALID, place, cause, "Correct the parameter of the StorageClass.")
    return protocol


def several(text: str) -> tuple[str, ...]:
    """Return what is listed in a parameter, between commas."""
    return tuple(each.strip() for each in text.split(",") if each.strip())
