"""Manila and Nova's addresses in memory: what the driver of shares is proven with, held to the real ones."""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.manila import Manila
from causeway.cloud.manila_objects import (
    AccessRequest,
    AccessRule,
    ExportLocation,
    Share,
    ShareRequest,
    ShareSnapshot,
    ShareSnapshotRequest,
)
from causeway.cloud.nova import Addresses

Thing = TypeVar("Thing", Share, ShareSnapshot)
Gate = Callable[[str, bool], Awaitable[None]]
_SERVICE = "shared-file-system"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


async def _open(_call: str, _done: bool) -> None:
    """Let every call pass."""


class World:
    """Shares, their rules, snapshots and servers. What is begun ends ``latency`` seconds later.

    ``failing`` says what of it ends badly: create, extend, delete, snapshot, allow, deny.
    ``gate(call, done)`` is awaited before and after each call takes effect, and may raise: a call that is
    refused, one whose answer is lost, or the end of the process.
    """

    def __init__(self, latency: float = 1.0) -> None:
        self.latency = latency
        self.shares: dict[str, Share] = {}
        self.rules: dict[str, dict[str, AccessRule]] = {}
        self.snapshots: dict[str, ShareSnapshot] = {}
        self.servers: dict[str, list[str]] = {}
        self.failing: set[str] = set()
        self.calls: list[str] = []
        self.gate: Gate = _open
        self._count = itertools.count()

    async def passed(self, call: str, *, done: bool) -> None:
        """Go through the gate."""
        if not done:
            self.calls.append(call)
        await asyncio.sleep(0)
        await self.gate(call, done)

    def later(self, act: Callable[[], None]) -> None:
        """Do something when what was begun has ended."""
        asyncio.get_running_loop().call_later(self.latency, act)

    def set(self, share: str, **changes: object) -> None:
        """Change a share that is still there."""
        if share in self.shares:
            self.shares[share] = msgspec.structs.replace(self.shares[share], **changes)

    def turn(self, share: str, rule: str, state: str) -> None:
        """Bring a rule into a state, and the share's rules together into theirs."""
        known = self.rules.get(share, {})
        if rule in known:
            key = "key-of-" + known[rule].access_to if known[rule].access_type == "cephx" else None
            known[rule] = msgspec.structs.replace(
                known[rule], state=state, access_key=key if state == "active" else None
            )
        self.sum_up(share)

    def sum_up(self, share: str) -> None:
        """Tell on a share how its rules are."""
        states = {each.state for each in self.rules.get(share, {}).values()}
        status = "error" if "error" in states else "active" if states <= {"active"} else "syncing"
        self.set(share, access_rules_status=status)

    def stamp(self) -> str:
        """Return the time of the next object, as Manila writes it."""
        return (_EPOCH + timedelta(seconds=next(self._count))).replace(tzinfo=None).isoformat()


class ModelManila(Manila):
    """The shared file system service."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def list_shares(self) -> list[Share]:
        await self.world.passed("list shares", done=False)
        return list(reversed(self.world.shares.values()))

    async def shares_named(self, name: str) -> list[Share]:
        return [each for each in await self.list_shares() if each.name == name]

    async def get_share(self, identifier: str) -> Share:
        await self.world.passed("get share", done=False)
        return _known(self.world.shares, identifier, "share")

    async def create_share(self, request: ShareRequest) -> Share:
        world = self.world
        await world.passed("create share", done=False)
        if request.snapshot_id:
            snapshot = _known(world.snapshots, request.snapshot_id, "snapshot")
            if request.size < snapshot.size:
                raise errors.BadRequest(_SERVICE, "Share size must be equal or greater", status=400)
        share = Share(
            str(uuid.uuid4()),
            "creating_from_snapshot" if request.snapshot_id else "creating",
            request.size,
            request.share_proto,
            name=request.name,
            availability_zone=request.availability_zone or None,
            share_type_name=request.share_type or "default",
            share_network_id=request.share_network_id or None,
            share_group_id=request.share_group_id or None,
            snapshot_id=request.snapshot_id or None,
            snapshot_support=True,
            create_share_from_snapshot_support=True,
            access_rules_status="active",
            created_at=world.stamp(),
            metadata=request.metadata,
        )
        world.shares[share.id] = share
        world.rules[share.id] = {}
        ending = "error" if "create" in world.failing else "available"

        def end() -> None:
            if world.shares.get(share.id, share).status.startswith("creating"):
                world.set(share.id, status=ending, availability_zone=request.availability_zone or "nova")

        world.later(end)
        await world.passed("create share", done=True)
        return share

    async def delete_share(self, identifier: str, group: str = "") -> None:
        world = self.world
        await world.passed("delete share", done=False)
        share = world.shares.get(identifier)
        if share is None:
            return
        kept = any(each.share_id == identifier for each in world.snapshots.values())
        if share.status not in ("available", "error") or kept or (share.share_group_id or "") != group:
            raise errors.BadRequest(_SERVICE, "Invalid share: Share still has 1 dependent", status=403)
        world.set(identifier, status="deleting")

        def end() -> None:
            if "delete" in world.failing:
                world.set(identifier, status="error_deleting")
            else:
                world.shares.pop(identifier, None)
                world.rules.pop(identifier, None)

        world.later(end)
        await world.passed("delete share", done=True)

    async def extend_share(self, identifier: str, size: int) -> None:
        world = self.world
        await world.passed("extend share", done=False)
        share = _known(world.shares, identifier, "share")
        if share.status != "available" or size <= share.size:
            raise errors.BadRequest(_SERVICE, "Invalid input: it cannot be extended", status=400)
        world.set(identifier, status="extending")
        failed = "extend" in world.failing
        changes = {"status": "extending_error"} if failed else {"status": "available", "size": size}
        world.later(lambda: world.set(identifier, **changes))
        await world.passed("extend share", done=True)

    async def mark_share(self, identifier: str, marks: dict[str, str]) -> None:
        await self.world.passed("mark share", done=False)
        share = _known(self.world.shares, identifier, "share")
        self.world.set(identifier, metadata=share.metadata | marks)

    async def export_locations(self, identifier: str) -> list[ExportLocation]:
        await self.world.passed("export locations", done=False)
        share = _known(self.world.shares, identifier, "share")
        if share.protocol == "CEPHFS":
            return [ExportLocation(f"10.0.0.1:6789,10.0.0.2:6789:/volumes/{share.id}")]
        return [ExportLocation(f"10.0.0.20:/{share.id}"), ExportLocation(f"10.0.0.10:/{share.id}", True)]

    async def access_rules(self, share_id: str) -> list[AccessRule]:
        await self.world.passed("access rules", done=False)
        _known(self.world.shares, share_id, "share")
        return list(self.world.rules[share_id].values())

    async def allow_access(self, share_id: str, request: AccessRequest) -> None:
        world = self.world
        await world.passed("allow", done=False)
        share, rules = _known(world.shares, share_id, "share"), world.rules[share_id]
        if any(_same(each, request) for each in rules.values()):
            cause = f"Share access {request.access_type}:{request.access_to} exists."
            raise errors.BadRequest(_SERVICE, cause, status=400)
        if share.status != "available" or share.access_rules_status == "error":
            raise errors.BadRequest(_SERVICE, "New access rules cannot be applied", status=400)
        rule = AccessRule(
            str(uuid.uuid4()),
            request.access_type,
            request.access_to,
            request.access_level,
            "queued_to_apply",
            metadata=request.metadata,
        )
        rules[rule.id] = rule
        world.sum_up(share_id)
        state = "error" if "allow" in world.failing else "active"

        def end() -> None:
            if world.rules.get(share_id, {}).get(rule.id, rule).state == "queued_to_apply":
                world.turn(share_id, rule.id, state)

        world.later(end)
        await world.passed("allow", done=True)

    async def deny_access(self, share_id: str, rule_id: str) -> None:
        world = self.world
        await world.passed("deny", done=False)
        if rule_id not in world.rules.get(share_id, {}):
            return
        world.turn(share_id, rule_id, "queued_to_deny")

        def end() -> None:
            if "deny" in world.failing:
                world.turn(share_id, rule_id, "error")
            else:
                world.rules.get(share_id, {}).pop(rule_id, None)
                world.sum_up(share_id)

        world.later(end)
        await world.passed("deny", done=True)

    async def mark_access(self, rule_id: str, marks: dict[str, str]) -> None:
        await self.world.passed("mark access", done=False)
        for rules in self.world.rules.values():
            if rule_id in rules:
                changed = msgspec.structs.replace(rules[rule_id], metadata=rules[rule_id].metadata | marks)
                rules[rule_id] = changed
                return
        raise errors.NotFound(_SERVICE, f"Share access rule {rule_id} not found", status=404)

    async def list_snapshots(self) -> list[ShareSnapshot]:
        await self.world.passed("list snapshots", done=False)
        return list(reversed(self.world.snapshots.values()))

    async def snapshots_named(self, name: str) -> list[ShareSnapshot]:
        return [each for each in await self.list_snapshots() if each.name == name]

    async def get_snapshot(self, identifier: str) -> ShareSnapshot:
        await self.world.passed("get snapshot", done=False)
        return _known(self.world.snapshots, identifier, "snapshot")

    async def create_snapshot(self, request: ShareSnapshotRequest) -> ShareSnapshot:
        world = self.world
        await world.passed("create snapshot", done=False)
        share = _known(world.shares, request.share_id, "share")
        if share.status != "available":
            raise errors.BadRequest(_SERVICE, "Invalid share: it must be available", status=400)
        taken = ShareSnapshot(
            str(uuid.uuid4()),
            "creating",
            share.id,
            share.size,
            world.stamp(),
            request.name,
            request.description,
        )
        world.snapshots[taken.id] = taken
        ending = "error" if "snapshot" in world.failing else "available"

        def end() -> None:
            if world.snapshots.get(taken.id, taken).status == "creating" and taken.id in world.snapshots:
                world.snapshots[taken.id] = msgspec.structs.replace(taken, status=ending)

        world.later(end)
        await world.passed("create snapshot", done=True)
        return taken

    async def delete_snapshot(self, identifier: str) -> None:
        world = self.world
        await world.passed("delete snapshot", done=False)
        if identifier not in world.snapshots:
            return
        leaving = msgspec.structs.replace(world.snapshots[identifier], status="deleting")
        world.snapshots[identifier] = leaving

        def end() -> None:
            world.snapshots.pop(identifier, None)

        world.later(end)
        await world.passed("delete snapshot", done=True)

    async def messages_about(self, identifier: str) -> list[str]:
        await self.world.passed("list messages", done=False)
        return ["allocate host: No storage could be allocated for this share request."]


class ModelAddresses(Addresses):
    """Nova, as far as addresses go."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def fixed(self, server_id: str) -> list[str] | None:
        await self.world.passed("get server", done=False)
        return self.world.servers.get(server_id)


def _same(rule: AccessRule, request: AccessRequest) -> bool:
    if (rule.access_type, request.access_type) == ("ip", "ip"):
        return ip_network(rule.access_to) == ip_network(request.access_to)
    return (rule.access_type, rule.access_to) == (request.access_type, request.access_to)


def _known(things: dict[str, Thing], identifier: str, what: str) -> Thing:
    if identifier not in things:
        raise errors.NotFound(_SERVICE, f"{what} {identifier} could not be found.", status=404)
    return things[identifier]
