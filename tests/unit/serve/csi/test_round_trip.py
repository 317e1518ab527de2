"""The controller service through real gRPC, with volumes in memory behind it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from tests.models.volumes import ModelAttachments, ModelCinder, World
from tests.unit.rooms.volumes.examples import CLUSTER, OTHER, SERVER

from causeway.cloud import errors
from causeway.host.instance import Instance
from causeway.rooms.volumes.apply import Volumes
from causeway.rooms.volumes.backups import Backups
from causeway.rooms.volumes.model import GIB
from causeway.rooms.volumes.node import NodeVolumes
from causeway.rooms.volumes.snapshots import Snapshots
from causeway.serve.csi.controller import Controller
from causeway.serve.csi.node import Node
from causeway.serve.csi.server import server
from causeway.serve.csi.settings import Common
from causeway.serve.csi.spec import csi_pb2 as csi

Code = grpc.StatusCode
ZONE = "topology.cinder.csi.openstack.org/zone"


class Client:
    """Calls by the names of the interface."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    async def __call__(self, call: str, **fields: Any) -> Any:
        for service in csi.DESCRIPTOR.services_by_name.values():
            method = service.methods_by_name.get(call)
            if method is not None:
                request = message_factory.GetMessageClass(method.input_type)
                answer = message_factory.GetMessageClass(method.output_type)
                send = self._channel.unary_unary(
                    f"/{service.full_name}/{call}",
                    request_serializer=request.SerializeToString,
                    response_deserializer=answer.FromString,
                )
                return await send(request(**fields))
        raise AssertionError(call)

    async def refused(self, call: str, **fields: Any) -> tuple[Any, str]:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self(call, **fields)
        return refused.value.code(), refused.value.details() or ""


@pytest.fixture
def world() -> World:
    world = World(latency=0.0)
    world.servers = {SERVER, OTHER}
    return world


@pytest.fixture
async def call(world: World, tmp_path: Path) -> AsyncIterator[Client]:
    settings = Common(endpoint=f"unix://{tmp_path}/csi.sock")
    cinder = ModelCinder(world)
    volumes = Volumes(cinder, ModelAttachments(world), CLUSTER, patience=20)
    snapshots = Snapshots(cinder, CLUSTER, patience=20)
    backups = Backups(cinder, snapshots, CLUSTER, patience=20, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    serving = server(
        settings,
        Controller=Controller(settings, cinder, volumes, snapshots, backups),
        Node=Node(settings, NodeVolumes(tmp_path, appear=0.0), Instance(SERVER, "nova"), 25),
    )
    await serving.start()
    async with grpc.aio.insecure_channel(settings.endpoint) as channel:
        yield Client(channel)
    for each in (volumes, backups, snapshots):
        await each.close()
    await serving.stop(None)


def mount(mode: str = "SINGLE_NODE_WRITER", kind: str = "") -> csi.VolumeCapability:
    access = csi.VolumeCapability.AccessMode
    return csi.VolumeCapability(
        mount=csi.VolumeCapability.MountVolume(fs_type=kind), access_mode=access(mode=access.Mode.Value(mode))
    )


def asked(name: str = "pvc-a", gib: int = 1, **more: Any) -> dict[str, Any]:
    size = csi.CapacityRange(required_bytes=gib * GIB)
    return {"name": name, "capacity_range": size, "volume_capabilities": [mount()]} | more


async def test_identity(call: Client) -> None:
    assert (await call("GetPluginInfo")).name == "cinder.csi.openstack.org"
    assert (await call("Probe")).ready.value
    services = {each.service.type for each in (await call("GetPluginCapabilities")).capabilities}
    assert csi.PluginCapability.Service.CONTROLLER_SERVICE in services
    assert csi.PluginCapability.Service.VOLUME_ACCESSIBILITY_CONSTRAINTS in services


async def test_the_life_of_a_volume(call: Client, world: World) -> None:
    parameters = {"type": "fast", "csi.storage.k8s.io/pvc/name": "data", "mkfs-options": "-N 100"}
    topology = csi.TopologyRequirement(requisite=[csi.Topology(segments={ZONE: "nova"})])
    wanted = asked(parameters=parameters, accessibility_requirements=topology)
    made = (await call("CreateVolume", **wanted)).volume
    assert made.capacity_bytes == GIB
    assert dict(made.accessible_topology[0].segments) == {ZONE: "nova"}
    assert dict(made.volume_context) == {"mkfs-options": "-N 100"}
    assert (await call("CreateVolume", **wanted)).volume == made
    known = world.volumes[made.volume_id]
    assert known.volume_type == "fast"
    assert known.metadata["csi.storage.k8s.io/pvc/name"] == "data"
    assert known.metadata["cinder.csi.openstack.org/cluster"] == CLUSTER

    at = {"volume_id": made.volume_id, "node_id": SERVER}
    published = await call("ControllerPublishVolume", volume_capability=mount(), **at)
    assert dict(published.publish_context) == {"DevicePath": "/dev/vdb"}
    code, message = await call.refused(
        "ControllerPublishVolume", volume_id=made.volume_id, node_id=OTHER, volume_capability=mount()
    )
    assert code is Code.FAILED_PRECONDITION
    assert SERVER in message
    (entry,) = (await call("ListVolumes")).entries
    assert list(entry.status.published_node_ids) == [SERVER]
    assert list((await call("ControllerGetVolume", volume_id=made.volume_id)).status.published_node_ids) == [
        SERVER
    ]

    larger = csi.CapacityRange(required_bytes=2 * GIB)
    grown = await call("ControllerExpandVolume", volume_id=made.volume_id, capacity_range=larger)
    assert (grown.capacity_bytes, grown.node_expansion_required) == (2 * GIB, True)

    assert (await call.refused("DeleteVolume", volume_id=made.volume_id))[0] is Code.FAILED_PRECONDITION
    for _ in range(2):
        await call("ControllerUnpublishVolume", **at)
        await call("DeleteVolume", volume_id=made.volume_id) if world.volumes else None
    await call("DeleteVolume", volume_id=made.volume_id)
    assert not world.volumes


async def test_what_may_change_of_a_volume(call: Client, world: World) -> None:
    made = (await call("CreateVolume", **asked(parameters={"type": "plain"}))).volume.volume_id
    await call("ControllerModifyVolume", volume_id=made, mutable_parameters={"type": "fast"})
    assert world.volumes[made].volume_type == "fast"

    # At its creation a class of attributes goes before the StorageClass.
    both = asked("pvc-b", parameters={"type": "plain"}, mutable_parameters={"type": "fast"})
    assert world.volumes[(await call("CreateVolume", **both)).volume.volume_id].volume_type == "fast"

    for wrong in ({"type": "no-such"}, {"iops": "9", "type": "fast"}):
        code, _ = await call.refused("ControllerModifyVolume", volume_id=made, mutable_parameters=wrong)
        assert code is Code.INVALID_ARGUMENT
    missing = {"volume_id": SERVER, "mutable_parameters": {"type": "fast"}}
    assert (await call.refused("ControllerModifyVolume", **missing))[0] is Code.NOT_FOUND


async def test_snapshots_and_copies(call: Client, world: World) -> None:
    source = (await call("CreateVolume", **asked())).volume
    wanted = {"name": "snapshot-a", "source_volume_id": source.volume_id}
    taken = (await call("CreateSnapshot", **wanted)).snapshot
    assert taken.ready_to_use
    assert taken.creation_time.ToDatetime().year == 2026
    assert (await call("CreateSnapshot", **wanted)).snapshot == taken
    assert (await call("GetSnapshot", snapshot_id=taken.snapshot_id)).snapshot == taken

    content = csi.VolumeContentSource()
    content.snapshot.snapshot_id = taken.snapshot_id
    copy = (await call("CreateVolume", **asked("pvc-b", volume_content_source=content))).volume
    assert copy.content_source == content
    code, _ = await call.refused("CreateVolume", **asked("pvc-b"))
    assert code is Code.ALREADY_EXISTS

    for fields, count in (
        ({}, 1),
        ({"snapshot_id": taken.snapshot_id}, 1),
        ({"snapshot_id": "none"}, 0),
        ({"source_volume_id": source.volume_id}, 1),
        ({"source_volume_id": copy.volume_id}, 0),
    ):
        assert len((await call("ListSnapshots", **fields)).entries) == count
    assert (await call.refused("DeleteVolume", volume_id=source.volume_id))[0] is Code.FAILED_PRECONDITION
    await call("DeleteSnapshot", snapshot_id=taken.snapshot_id)
    await call("DeleteSnapshot", snapshot_id=taken.snapshot_id)
    assert not world.snapshots


@pytest.mark.parametrize("kind", ["snapshot", "backup"])
async def test_no_room_for_a_snapshot_is_told_as_something_final(
    call: Client, world: World, kind: str
) -> None:
    source = (await call("CreateVolume", **asked())).volume.volume_id

    async def full(name: str, done: bool) -> None:
        if (name, done) == (f"create {kind}", False):
            raise errors.Quota("block-storage", "Maximum allowed size exceeded", status=413)

    world.gate = full
    wanted = {"name": "snapshot-a", "source_volume_id": source, "parameters": {"type": kind}}
    code, message = await call.refused("CreateSnapshot", **wanted)
    assert code is Code.FAILED_PRECONDITION  # else csi-snapshotter would wait for it to come
    assert "snapshot snapshot-a: Maximum allowed size exceeded" in message
    assert errors.Quota.remedy in message
    assert not world.snapshots


async def backed_up(call: Client, world: World) -> tuple[str, Any]:
    """Make a volume and a backup of it that is ready; return the volume's id and the backup."""
    source = (await call("CreateVolume", **asked())).volume.volume_id
    world.held = []
    parameters = {"type": "backup", "availability": "nova", "backup-max-duration-seconds-per-gb": "30"}
    wanted = {"name": "snapshot-a", "source_volume_id": source, "parameters": parameters}
    begun = (await call("CreateSnapshot", **wanted)).snapshot
    for _ in range(2):
        assert not begun.ready_to_use
        assert (await call("CreateSnapshot", **wanted)).snapshot == begun
    (end,) = world.held
    end()
    made = (await call("CreateSnapshot", **wanted)).snapshot
    assert (made.ready_to_use, made.snapshot_id) == (True, begun.snapshot_id)
    assert made.creation_time == begun.creation_time
    assert (made.source_volume_id, made.size_bytes) == (source, GIB)
    assert not world.snapshots
    return source, made


async def test_a_backup_is_a_snapshot_that_outlives_its_volume(call: Client, world: World) -> None:
    source, backup = await backed_up(call, world)
    await call("DeleteVolume", volume_id=source)
    assert (await call("GetSnapshot", snapshot_id=backup.snapshot_id)).snapshot == backup
    content = csi.VolumeContentSource()
    content.snapshot.snapshot_id = backup.snapshot_id
    copy = (await call("CreateVolume", **asked("pvc-b", volume_content_source=content))).volume
    assert copy.content_source == content
    for _ in range(2):
        await call("DeleteSnapshot", snapshot_id=backup.snapshot_id)
    assert not world.backups


async def test_backups_are_listed_behind_the_snapshots(call: Client, world: World) -> None:
    source, backup = await backed_up(call, world)
    other = (await call("CreateVolume", **asked("pvc-b"))).volume.volume_id
    for each in "bc":
        await call("CreateSnapshot", name=f"snapshot-{each}", source_volume_id=other)
    seen: list[str] = []
    counts: list[int] = []
    token = ""
    while not counts or token:
        page = await call("ListSnapshots", max_entries=2, starting_token=token)
        seen += [each.snapshot.snapshot_id for each in page.entries]
        token = page.next_token
        counts.append(len(page.entries))
    assert (counts, seen[2:]) == ([2, 1], [backup.snapshot_id])
    (mine,) = (await call("ListSnapshots", source_volume_id=source)).entries
    (alone,) = (await call("ListSnapshots", snapshot_id=backup.snapshot_id)).entries
    assert mine.snapshot == alone.snapshot == backup
    assert len((await call("ListSnapshots")).entries) == 3
    for token in ("backups/nonsense", f"backups/{OTHER}"):
        assert (await call.refused("ListSnapshots", starting_token=token))[0] is Code.ABORTED


async def test_what_is_wrong_with_volumes_is_told(call: Client, world: World) -> None:
    well = (await call("CreateVolume", **asked())).volume.volume_id
    ill = (await call("CreateVolume", **asked("pvc-b"))).volume.volume_id
    assert not (await call("ControllerGetVolumeHealth", volume_id=well)).volume_health.health_statuses
    world.set(world.volumes[ill], status="error_restoring")
    (only,) = (await call("ControllerListVolumeHealth")).entries
    assert only == (await call("ControllerGetVolumeHealth", volume_id=ill)).volume_health
    (entry,) = only.health_statuses
    assert (only.volume_id, entry.status, entry.reason) == (ill, csi.DATA_LOSS, "RestoreFailed")
    first = await call("ControllerListVolumeHealth", max_entries=1)
    rest = await call("ControllerListVolumeHealth", starting_token=first.next_token)
    assert [*first.entries, *rest.entries] == [only]
    (here,) = (await call("NodeGetVolumeHealth", volume_id=ill)).volume_health.health_statuses
    assert (here.status, here.reason) == (csi.INACCESSIBLE, "DeviceGone")


async def test_lists_come_in_pages(call: Client) -> None:
    for each in "abc":
        await call("CreateVolume", **asked(f"pvc-{each}"))
    first = await call("ListVolumes", max_entries=2)
    rest = await call("ListVolumes", starting_token=first.next_token)
    ids = {each.volume.volume_id for each in [*first.entries, *rest.entries]}
    assert (len(first.entries), len(rest.entries), len(ids), rest.next_token) == (2, 1, 3, "")
    gone = first.entries[1].volume.volume_id
    await call("DeleteVolume", volume_id=gone)
    for token in (gone, "nonsense"):
        assert (await call.refused("ListVolumes", starting_token=token))[0] is Code.ABORTED


async def test_what_can_be_confirmed(call: Client) -> None:
    made = (await call("CreateVolume", **asked())).volume
    able = await call("ValidateVolumeCapabilities", volume_id=made.volume_id, volume_capabilities=[mount()])
    assert list(able.confirmed.volume_capabilities) == [mount()]
    unable = await call(
        "ValidateVolumeCapabilities",
        volume_id=made.volume_id,
        volume_capabilities=[mount("MULTI_NODE_MULTI_WRITER")],
    )
    assert not unable.HasField("confirmed")
    assert "two nodes mount it" in unable.message


async def test_an_enlargement_beyond_the_quota_may_be_taken_back(
    call: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise errors.Quota("block-storage", "VolumeSizeExceedsAvailableQuota", status=413)

    monkeypatch.setattr(ModelCinder, "extend_volume", full)
    made = (await call("CreateVolume", **asked())).volume
    size = csi.CapacityRange(required_bytes=20000 * GIB)
    told = await call.refused("ControllerExpandVolume", volume_id=made.volume_id, capacity_range=size)
    assert told[0] is Code.OUT_OF_RANGE
    assert "lower storage of the claim" in told[1]


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("CreateVolume", {"name": "a"}, Code.INVALID_ARGUMENT),
        (
            "CreateVolume",
            {"name": "a", "volume_capabilities": [csi.VolumeCapability()]},
            Code.INVALID_ARGUMENT,
        ),
        ("CreateVolume", asked(volume_capabilities=[mount(kind="btrfs")]), Code.INVALID_ARGUMENT),
        ("CreateVolume", asked(parameters={"appendVolumeMetadata": "no"}), Code.INVALID_ARGUMENT),
        ("CreateVolume", asked(parameters={"type": "unknown"}), Code.INVALID_ARGUMENT),
        ("CreateVolume", asked(capacity_range=csi.CapacityRange(limit_bytes=5)), Code.OUT_OF_RANGE),
        ("CreateSnapshot", {"name": "a", "source_volume_id": OTHER}, Code.NOT_FOUND),
        (
            "CreateSnapshot",
            {"name": "a", "source_volume_id": OTHER, "parameters": {"type": "backup"}},
            Code.NOT_FOUND,
        ),
        (
            "CreateSnapshot",
            {"name": "a", "source_volume_id": OTHER, "parameters": {"type": "tape"}},
            Code.INVALID_ARGUMENT,
        ),
        (
            "CreateSnapshot",
            {
                "name": "a",
                "source_volume_id": OTHER,
                "parameters": {"type": "backup", "backup-max-duration-seconds-per-gb": "1h"},
            },
            Code.INVALID_ARGUMENT,
        ),
        ("ControllerGetVolumeHealth", {"volume_id": OTHER}, Code.NOT_FOUND),
        ("ControllerListVolumeHealth", {"max_entries": -1}, Code.INVALID_ARGUMENT),
        ("NodeGetVolumeHealth", {}, Code.INVALID_ARGUMENT),
        ("ControllerGetVolume", {"volume_id": OTHER}, Code.NOT_FOUND),
        ("ControllerExpandVolume", {"volume_id": OTHER}, Code.INVALID_ARGUMENT),
        ("ListVolumes", {"max_entries": -1}, Code.INVALID_ARGUMENT),
        ("GetCapacity", {}, Code.UNIMPLEMENTED),
        ("NodeGetVolumeStats", {"volume_id": OTHER, "volume_path": "/nowhere"}, Code.NOT_FOUND),
        ("NodeStageVolume", {"volume_id": OTHER}, Code.INVALID_ARGUMENT),
        (
            "NodeStageVolume",
            {"volume_id": OTHER, "staging_target_path": "/nowhere", "volume_capability": mount()},
            Code.NOT_FOUND,
        ),
        (
            "NodeStageVolume",
            {
                "volume_id": OTHER,
                "staging_target_path": "/nowhere",
                "volume_capability": mount(),
                "volume_context": {"mkfs-options": "-L 'a"},
            },
            Code.INVALID_ARGUMENT,
        ),
    ],
)
async def test_what_is_wrong_has_its_code(call: Client, name: str, fields: dict[str, Any], code: Any) -> None:
    assert (await call.refused(name, **fields))[0] is code


async def test_the_node_tells_what_it_is(call: Client) -> None:
    info = await call("NodeGetInfo")
    assert (info.node_id, info.max_volumes_per_node) == (SERVER, 25)
    assert dict(info.accessible_topology.segments) == {ZONE: "nova"}


async def test_a_defect_is_told_and_does_not_end_the_driver(call: Client, world: World) -> None:
    async def broken(_call: str, _done: bool) -> None:
        raise ZeroDivisionError("oh")

    whole, world.gate = world.gate, broken
    code, message = await call.refused("ControllerGetVolume", volume_id=OTHER)
    assert code is Code.INTERNAL
    assert "ZeroDivisionError" in message
    world.gate = whole
    assert not (await call("ListVolumes")).entries
