"""What is proven with shares in memory holds on Manila and Nova: the same calls, the same observations."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.integration.projects import CLOUD, Project
from tests.integration.shares.cloud import TYPE
from tests.integration.shares.conftest import mine, servers
from tests.models.shares import ModelAddresses, ModelManila, World

from causeway.cloud import errors
from causeway.cloud.manila import Manila
from causeway.cloud.manila_objects import AccessRequest, Share, ShareRequest, ShareSnapshotRequest
from causeway.cloud.nova import Addresses
from causeway.cloud.session import Cloud

__all__ = ["mine", "servers"]
NOWHERE = "99999999-9999-4999-8999-999999999999"


class Scenario:
    """A walk through everything the driver does with shares; ``seen`` is what it saw on its way."""

    def __init__(self, manila: Manila, addresses: Addresses, server_id: str) -> None:
        self.manila = manila
        self.addresses = addresses
        self.server = server_id
        self.name = f"contract-{uuid.uuid4().hex[:8]}"
        self.seen: list[object] = []

    def request(self, name: str, size: int, **more: str) -> ShareRequest:
        return ShareRequest(name, size, "NFS", {"causeway": "true", "key": "value"}, TYPE, **more)

    async def walk(self) -> list[object]:
        """Walk, and return what was seen."""
        made = await self.manila.create_share(self.request(self.name, 1))
        self.see(made.status, made.size, made.protocol, made.name == self.name, made.metadata)
        share = await self.become(made.id, lambda it: it.status == "available")
        self.see(share.share_type_name, share.snapshot_support, share.create_share_from_snapshot_support)
        self.see(share.share_group_id, share.access_rules_status, bool(share.availability_zone))
        named = await self.manila.shares_named(self.name)
        self.see([each.id == made.id for each in named], await self.manila.shares_named(self.name[:-1]))
        exports = await self.manila.export_locations(made.id)
        self.see(len(exports), sorted(each.preferred for each in exports))
        await self.manila.mark_share(made.id, {"handle": "chosen"})
        self.see((await self.manila.get_share(made.id)).metadata)
        await self.rules(made.id)
        await self.manila.extend_share(made.id, 2)
        await self.become(made.id, lambda it: it.status == "available" and it.size == 2)
        await self.refused(self.manila.extend_share(made.id, 1))
        await self.snapshots(made.id)
        await self.manila.delete_share(made.id)
        await self.until(lambda: self.gone(self.manila.get_share(made.id)))
        await self.manila.delete_share(made.id)
        await self.missing()
        return self.seen

    async def rules(self, share: str) -> None:
        (address,) = await self.addresses.fixed(self.server) or []
        self.see(await self.addresses.fixed(NOWHERE), await self.manila.access_rules(share))
        for to in (address, "192.0.2.0/24"):
            request = AccessRequest("ip", to, {"node": self.server})
            await self.manila.allow_access(share, request)
            await self.refused(self.manila.allow_access(share, request))
            await self.become(share, lambda it: it.access_rules_status == "active")
        found = sorted(await self.manila.access_rules(share), key=lambda it: it.access_to == address)
        self.see([(each.access_type, each.access_level, each.state, each.access_key) for each in found])
        self.see([each.metadata == {"node": self.server} for each in found])
        await self.manila.mark_access(found[0].id, {"node": "another", "more": "x"})
        kept = {each.id: each.metadata for each in await self.manila.access_rules(share)}
        self.see(kept[found[0].id])
        for each in found:
            await self.manila.deny_access(share, each.id)

        async def none_left() -> bool:
            return not await self.manila.access_rules(share)

        await self.until(none_left)
        await self.manila.deny_access(share, found[0].id)

    async def snapshots(self, share: str) -> None:
        taken = await self.manila.create_snapshot(ShareSnapshotRequest(share, self.name, "whose it is"))
        self.see(taken.status, taken.size, taken.share_id == share, taken.description)

        async def ready() -> bool:
            return (await self.manila.get_snapshot(taken.id)).status == "available"

        await self.until(ready)
        named = await self.manila.snapshots_named(self.name)
        self.see([each.id == taken.id for each in named])
        await self.refused(self.manila.delete_share(share))
        await self.refused(self.manila.create_share(self.request(self.name, 1, snapshot_id=taken.id)))
        copy = await self.manila.create_share(self.request(f"{self.name}-copy", 2, snapshot_id=taken.id))
        self.see(copy.size, copy.snapshot_id == taken.id)
        await self.become(copy.id, lambda it: it.status == "available")
        await self.manila.delete_share(copy.id)
        await self.until(lambda: self.gone(self.manila.get_share(copy.id)))
        await self.manila.delete_snapshot(taken.id)
        await self.until(lambda: self.gone(self.manila.get_snapshot(taken.id)))
        await self.manila.delete_snapshot(taken.id)

    async def missing(self) -> None:
        await self.refused(self.manila.get_share(NOWHERE))
        await self.refused(self.manila.get_snapshot(NOWHERE))
        await self.refused(self.manila.access_rules(NOWHERE))
        await self.refused(self.manila.allow_access(NOWHERE, AccessRequest("ip", "192.0.2.1", {})))
        await self.manila.deny_access(NOWHERE, NOWHERE)
        await self.refused(self.manila.create_snapshot(ShareSnapshotRequest(NOWHERE, self.name, "")))
        await self.refused(self.manila.create_share(self.request(self.name, 1, snapshot_id=NOWHERE)))

    def see(self, *facts: object) -> None:
        self.seen.append(facts)

    async def become(self, share: str, condition: Callable[[Share], bool]) -> Share:
        async def has() -> bool:
            return condition(await self.manila.get_share(share))

        await self.until(has)
        now = await self.manila.get_share(share)
        self.see(now.status, now.size)
        return now

    async def refused(self, call: Awaitable[Any]) -> None:
        try:
            await call
        except errors.CloudError as error:
            self.see(type(error).__name__)
        else:
            self.see("done")

    @staticmethod
    async def gone(call: Awaitable[Any]) -> bool:
        try:
            await call
        except errors.NotFound:
            return True
        return False

    @staticmethod
    async def until(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(240):
            while True:
                if await condition():
                    return
                await asyncio.sleep(0.1)


@pytest.fixture
async def of_model() -> list[object]:
    world = World(latency=0.05)
    server_id = str(uuid.uuid4())
    world.servers = {server_id: ["10.66.0.7"]}
    return await Scenario(ModelManila(world), ModelAddresses(world), server_id).walk()


async def test_the_model_behaves_as_manila_and_nova_do(
    mine: Project, servers: list[Any], of_model: list[object]
) -> None:
    async with await Cloud.open(CLOUD, mine.clouds) as cloud:
        real = await Scenario(Manila(cloud), Addresses(cloud), servers[0].id).walk()
    assert real == of_model
