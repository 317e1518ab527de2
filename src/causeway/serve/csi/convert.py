"""Messages of the interface as the words of the volumes' room, and back. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from google.protobuf import timestamp_pb2

from causeway.cloud.cinder_objects import Backup, Snapshot, Volume
from causeway.rooms.volumes.health import Harm, Ill
from causeway.rooms.volumes.model import GIB, BackupWish, Reason, Refused, SnapshotWish, Source, Wish, made_of
from causeway.serve.csi.requests import capability, capacity, metadata, required, zones
from causeway.serve.csi.settings import Common
from causeway.serve.csi.spec import csi_pb2 as csi

MAKING = "mkfs-options"
_METADATA = "appendVolumeMetadata"
_HARM = {
    Harm.DEGRADED: csi.DEGRADED,
    Harm.INACCESSIBLE: csi.INACCESSIBLE,
    Harm.DATA_LOSS: csi.DATA_LOSS,
}
_PACE = "backup-max-duration-seconds-per-gb"
_TRUE = frozenset({"1", "t", "true"})
"""What cloud-provider-openstack's driver takes for yes, by Go's ParseBool; capitals make no difference."""


def wish(request: csi.CreateVolumeRequest, settings: Common) -> Wish:
    """Return the volume that is asked for; raises ``Refused``."""
    place = f"volume {request.name or '(without a name)'}"
    required(place, name=request.name, volume_capabilities=request.volume_capabilities)
    parameters = dict(request.parameters)
    content = request.volume_content_source
    return Wish(
        name=request.name,
        capacity=capacity(request.capacity_range),
        capabilities=tuple(capability(each) for each in request.volume_capabilities),
        volume_type=mutable_type(request.mutable_parameters, place) or parameters.get("type", ""),
        zone=parameters.get("availability", ""),
        zones=zones(request.accessibility_requirements, settings) if settings.zones else (),
        source=Source(content.snapshot.snapshot_id, content.volume.volume_id),
        metadata=metadata(parameters, _METADATA, place),
    )


def mutable_type(parameters: Mapping[str, str], place: str) -> str:
    """Return the volume type a VolumeAttributesClass asks for, "" if none; raises ``Refused``."""
    if unknown := sorted(parameters.keys() - {"type"}):
        cause = f"{', '.join(unknown)} cannot be changed of a volume"
        raise Refused(Reason.INVALID, place, cause, "Name nothing but type in the VolumeAttributesClass.")
    return parameters.get("type", "")


def snapshot_wish(request: csi.CreateSnapshotRequest) -> SnapshotWish | BackupWish:
    """Return the snapshot or the backup that is asked for; raises ``Refused``."""
    place = f"snapshot {request.name or '(without a name)'}"
    required(place, name=request.name, source_volume_id=request.source_volume_id)
    parameters = dict(request.parameters)
    force = parameters.get("force-create", "").lower() in _TRUE
    marked = metadata(parameters, _METADATA, place)
    wish = SnapshotWish(request.name, request.source_volume_id, force, marked)
    kind = parameters.get("type") or "snapshot"
    if kind == "snapshot":
        return wish
    if kind != "backup":
        cause = f"type {kind} is asked for, which is neither snapshot nor backup"
        raise Refused(Reason.INVALID, place, cause, "Correct type in the VolumeSnapshotClass.")
    seconds = parameters.get(_PACE, "20")
    if not seconds.removeprefix("+").isdecimal():
        cause = f"parameter {_PACE} is {seconds!r}, which is no number of seconds"
        raise Refused(Reason.INVALID, place, cause, "Correct it in the VolumeSnapshotClass.")
    return BackupWish(wish, parameters.get("availability", ""), int(seconds))


def volume(it: Volume, settings: Common, context: Mapping[str, str] | None = None) -> csi.Volume:
    """Return a volume as the interface shows it."""
    zone = it.availability_zone if settings.zones else None
    topology = [csi.Topology(segments={settings.topology_key: zone})] if zone else []
    shown = csi.Volume(
        volume_id=it.id,
        capacity_bytes=it.size * GIB,
        volume_context=dict(context or {}),
        accessible_topology=topology,
    )
    source = made_of(it)
    if source.snapshot_id:
        shown.content_source.snapshot.snapshot_id = source.snapshot_id
    elif source.volume_id:
        shown.content_source.volume.volume_id = source.volume_id
    return shown


def health(volume_id: str, ills: Iterable[Ill]) -> csi.VolumeHealth:
    """Return what is wrong with a volume as the interface shows it."""
    entry = csi.VolumeHealth.VolumeHealthEntry
    shown = [entry(status=_HARM[each.harm], reason=each.reason, message=each.message) for each in ills]
    return csi.VolumeHealth(volume_id=volume_id, health_statuses=shown)


def snapshot(it: Snapshot) -> csi.Snapshot:
    """Return a snapshot as the interface shows it."""
    return _taken(it, it.created_at, ready=it.status in ("available", "backing-up"))


def backup(it: Backup) -> csi.Snapshot:
    """Return a backup as the interface shows it: as the snapshot it was made of."""
    return _taken(it, it.data_timestamp or it.created_at, ready=it.status in ("available", "restoring"))


def _taken(it: Snapshot | Backup, moment: str, *, ready: bool) -> csi.Snapshot:
    taken = timestamp_pb2.Timestamp()
    taken.FromDatetime(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    return csi.Snapshot(
        snapshot_id=it.id,
        source_volume_id=it.volume_id,
        size_bytes=it.size * GIB,
        creation_time=taken,
        ready_to_use=ready,
    )
