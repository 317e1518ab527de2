"""Volumes and wishes for tests of this room."""

from typing import Any

from causeway.cloud.cinder_objects import Attachment, Snapshot, Volume
from causeway.rooms.volumes.model import (
    GIB,
    BackupWish,
    Capability,
    Capacity,
    Mode,
    SnapshotWish,
    Wish,
    marks,
)

CLUSTER = "11111111-1111-4111-8111-111111111111"
SERVER = "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"
ONE = Capability(Mode.ONE_NODE)
BLOCKS = Capability(Mode.MANY_WRITERS, block=True)


def wish(name: str = "pvc-a", gib: int = 1, **more: Any) -> Wish:
    facts: dict[str, Any] = {"capacity": Capacity(gib * GIB), "capabilities": (ONE,)} | more
    return Wish(name, **facts)


def snapshot_wish(volume_id: str, name: str = "snapshot-a", **more: Any) -> SnapshotWish:
    return SnapshotWish(name, volume_id, **more)


def backup_wish(volume_id: str, name: str = "snapshot-a", **more: Any) -> BackupWish:
    return BackupWish(SnapshotWish(name, volume_id, force=True), **more)


def volume(name: str = "pvc-a", **more: Any) -> Volume:
    facts: dict[str, Any] = {
        "id": "44444444-4444-4444-8444-444444444444",
        "shown_status": "available",
        "size": 1,
        "availability_zone": "nova",
        "volume_type": "plain",
        "metadata": marks(CLUSTER, name),
    }
    if "status" in more:
        more["shown_status"] = more.pop("status")
    return Volume(name=name, **(facts | more))


def snapshot(**more: Any) -> Snapshot:
    facts: dict[str, Any] = {
        "id": "55555555-5555-4555-8555-555555555555",
        "status": "available",
        "volume_id": volume().id,
        "size": 1,
        "created_at": "2026-01-01T00:00:00",
        "name": "snapshot-a",
        "metadata": marks(CLUSTER, "snapshot-a"),
    }
    return Snapshot(**(facts | more))


def attached(*servers: str, **more: Any) -> Volume:
    attachments = [Attachment(each, f"at-{each}", "/dev/vdb") for each in servers]
    return volume(**({"status": "in-use", "attachments": attachments} | more))
