"""Messages of the interface as the words of the volumes' room, and back. Pure."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf import timestamp_pb2

from causeway.cloud.cinder_objects import Snapshot, Volume
from causeway.rooms.volumes.model import (
    GIB,
    Capability,
    Capacity,
    Mode,
    Reason,
    Refused,
    SnapshotWish,
    Source,
    Wish,
)
from causeway.serve.csi.settings import Common
from causeway.serve.csi.spec import csi_pb2 as csi

MAKING = "mkfs-options"
_METADATA = "appendVolumeMetadata"
_KUBERNETES = "csi.storage.k8s.io/"
_Access = csi.VolumeCapability.AccessMode
_MODES = {
    _Access.SINGLE_NODE_WRITER: Mode.ONE_NODE,
    _Access.SINGLE_NODE_READER_ONLY: Mode.ONE_NODE,
    _Access.SINGLE_NODE_SINGLE_WRITER: Mode.ONE_NODE,
    _Access.SINGLE_NODE_MULTI_WRITER: Mode.ONE_NODE,
    _Access.MULTI_NODE_READER_ONLY: Mode.MANY_READERS,
    _Access.MULTI_NODE_SINGLE_WRITER: Mode.MANY_WRITERS,
    _Access.MULTI_NODE_MULTI_WRITER: Mode.MANY_WRITERS,
}


def required(place: str, **fields: Any) -> None:
    """Raise ``Refused`` when a field that must be given is not."""
    for name, value in fields.items():
        if not value:
            raise Refused(
                Reason.INVALID, place, f"{name} is not given", "Give it: the interface requires it."
            )


def capability(message: csi.VolumeCapability) -> Capability:
    """Return a way of using a volume; raises ``Refused`` when it says too little."""
    kind, mode = message.WhichOneof("access_type"), message.access_mode.mode
    if kind is None or mode not in _MODES:
        cause = "it says not how the volume is accessed, or by whom"
        raise Refused(Reason.INVALID, "volume capability", cause, "Give access type and access mode.")
    return Capability(
        _MODES[mode],
        block=kind == "block",
        filesystem=message.mount.fs_type,
        reads_only=mode in (_Access.SINGLE_NODE_READER_ONLY, _Access.MULTI_NODE_READER_ONLY),
        alone=mode == _Access.SINGLE_NODE_SINGLE_WRITER,
    )


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
        zones=_zones(request.accessibility_requirements, settings) if settings.zones else (),
        source=Source(content.snapshot.snapshot_id, content.volume.volume_id),
        metadata=_metadata(parameters, place),
    )


def mutable_type(parameters: Mapping[str, str], place: str) -> str:
    """Return the volume type a VolumeAttributesClass asks for, "" if none; raises ``Refused``."""
    if unknown := sorted(parameters.keys() - {"type"}):
        cause = f"{', '.join(unknown)} cannot be changed of a volume"
        raise Refused(Reason.INVALID, place, cause, "Name nothing but type in the VolumeAttributesClass.")
    return parameters.get("type", "")


def snapshot_wish(request: csi.CreateSnapshotRequest) -> SnapshotWish:
    """Return the snapshot that is asked for; raises ``Refused``."""
    place = f"snapshot {request.name or '(without a name)'}"
    required(place, name=request.name, source_volume_id=request.source_volume_id)
    parameters = dict(request.parameters)
    if parameters.get("type", "snapshot") != "snapshot":
        cause = f"type {parameters['type']} is asked for, and only snapshots are taken"
        remedy = "Take the parameter type out of the VolumeSnapshotClass."
        raise Refused(Reason.INVALID, place, cause, remedy)
    force = parameters.get("force-create", "false").lower() == "true"
    return SnapshotWish(request.name, request.source_volume_id, force, _metadata(parameters, place))


def capacity(message: csi.CapacityRange) -> Capacity:
    """Return the size that is asked for."""
    return Capacity(message.required_bytes, message.limit_bytes)


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
    if it.snapshot_id:
        shown.content_source.snapshot.snapshot_id = it.snapshot_id
    elif it.source_volid:
        shown.content_source.volume.volume_id = it.source_volid
    return shown


def snapshot(it: Snapshot) -> csi.Snapshot:
    """Return a snapshot as the interface shows it."""
    taken = timestamp_pb2.Timestamp()
    taken.FromDatetime(datetime.fromisoformat(it.created_at).replace(tzinfo=UTC))
    return csi.Snapshot(
        snapshot_id=it.id,
        source_volume_id=it.volume_id,
        size_bytes=it.size * GIB,
        creation_time=taken,
        ready_to_use=it.status in ("available", "backing-up"),
    )


def _zones(requirement: csi.TopologyRequirement, settings: Common) -> tuple[str, ...]:
    """Return the zones a volume may be in, the preferred first."""
    key = settings.topology_key

    def of(topologies: Iterable[csi.Topology]) -> list[str]:
        return [each.segments[key] for each in topologies if each.segments.get(key)]

    allowed = of(requirement.requisite)
    preferred = of(requirement.preferred)
    return tuple(dict.fromkeys([*(each for each in preferred if not allowed or each in allowed), *allowed]))


def _metadata(parameters: Mapping[str, str], place: str) -> dict[str, str]:
    """Return what is written on the object: the claim's names, and what the class adds."""
    names = {key: value for key, value in parameters.items() if key.startswith(_KUBERNETES)}
    added = parameters.get(_METADATA)
    if not added:
        return names
    try:
        extra = json.loads(added)
    except ValueError:
        extra = None
    if not isinstance(extra, dict) or not all(isinstance(each, str) for each in extra.values()):
        cause = f"parameter {_METADATA} is not a JSON object of texts"
        raise Refused(Reason.INVALID, place, cause, "Correct it in the class, which has to be made anew.")
    return names | extra
