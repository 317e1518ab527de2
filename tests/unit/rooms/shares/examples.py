"""Shares, rules and wishes for tests of this room."""

from typing import Any

from causeway.cloud.manila_objects import AccessRule, Share, ShareSnapshot
from causeway.engine.storage.model import GIB, Capacity
from causeway.rooms.shares.model import NFS, SnapshotWish, Wish, access_marks, description, marks

CLUSTER = "11111111-1111-4111-8111-111111111111"
NODE = "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"
SHARE = "44444444-4444-4444-8444-444444444444"


def wish(name: str = "pvc-a", gib: int = 1, **more: Any) -> Wish:
    facts: dict[str, Any] = {"capacity": Capacity(gib * GIB), "protocol": NFS} | more
    return Wish(name, **facts)


def snapshot_wish(name: str = "snapshot-a", share_id: str = SHARE) -> SnapshotWish:
    return SnapshotWish(name, share_id)


def share(name: str = "pvc-a", **more: Any) -> Share:
    facts: dict[str, Any] = {
        "id": SHARE,
        "status": "available",
        "size": 1,
        "share_proto": NFS,
        "name": name,
        "share_type_name": "default",
        "snapshot_support": True,
        "create_share_from_snapshot_support": True,
        "access_rules_status": "active",
        "created_at": "2026-01-01T00:00:00",
        "metadata": marks(CLUSTER, name),
    }
    return Share(**(facts | more))


def snapshot(name: str = "snapshot-a", **more: Any) -> ShareSnapshot:
    facts: dict[str, Any] = {
        "id": "55555555-5555-4555-8555-555555555555",
        "status": "available",
        "share_id": SHARE,
        "size": 1,
        "created_at": "2026-01-01T00:00:00",
        "name": name,
        "description": description(CLUSTER, name),
    }
    return ShareSnapshot(**(facts | more))


def rule(to: str, node: str | None = NODE, handle: str = "", **more: Any) -> AccessRule:
    """Return a rule made for a node ("": for all) by a handle, or by somebody else (None)."""
    facts: dict[str, Any] = {
        "id": f"rule-{to}",
        "access_type": "ip",
        "access_to": to,
        "access_level": "rw",
        "state": "active",
        "metadata": {} if node is None else access_marks(CLUSTER, node, handle),
    }
    return AccessRule(**(facts | more))
