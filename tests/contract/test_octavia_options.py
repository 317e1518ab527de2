"""Options of listeners, pools and monitors are taken, told and given up by both providers as by the model."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.integration.services.conftest import Project
from tests.models.cloud import ModelOctavia

from causeway.cloud import errors
from causeway.cloud.octavia import Octavia
from causeway.cloud.octavia_objects import MonitorRequest, StatusTree
from causeway.cloud.octavia_providers import AMPHORA, OVN, Provider
from causeway.cloud.ownership import Owner
from causeway.cloud.session import Cloud
from causeway.rooms.services import requests
from causeway.rooms.services.actual import listener_options, monitor_of, pool_options
from causeway.rooms.services.children import same
from causeway.rooms.services.model import (
    Front,
    ListenerOptions,
    Member,
    Monitor,
    Place,
    PoolOptions,
    Role,
    Serving,
    Setting,
    Subject,
    TimeLimits,
    Vip,
    Wanted,
)

Settle = Callable[[str], Awaitable[StatusTree]]
MEMBERS = frozenset({Member("10.131.0.1", 8080), Member("10.131.0.2", 8080)})
TLS = "https://keys.example.org/v1/containers/1"
PLAIN = ListenerOptions("TCP", -1, TimeLimits(), frozenset())
LIMITS = TimeLimits(1000, 2000, 3000, 4)

FULL = {
    Front("TCP", 80): Serving(
        ListenerOptions("HTTP", 100, LIMITS, frozenset({"192.0.2.0/24"}), forwarded_for=True),
        PoolOptions("HTTP", "LEAST_CONNECTIONS", sticky=True),
        MEMBERS,
        Monitor("TCP", 9, 4, 2, 5),
    ),
    Front("TCP", 443): Serving(
        ListenerOptions("TERMINATED_HTTPS", -1, TimeLimits(), frozenset(), tls=TLS),
        PoolOptions("HTTP", "ROUND_ROBIN"),
        MEMBERS,
    ),
    Front("TCP", 25): Serving(PLAIN, PoolOptions("PROXYV2", "SOURCE_IP"), MEMBERS),
    Front("UDP", 53): Serving(
        ListenerOptions("UDP", -1, TimeLimits(), frozenset()),
        PoolOptions("UDP", "ROUND_ROBIN", sticky=True, affinity=60),
        MEMBERS,
        Monitor("UDP-CONNECT"),
    ),
}
BARE = {
    Front("TCP", 80): Serving(ListenerOptions("TCP"), PoolOptions("TCP", "SOURCE_IP_PORT"), MEMBERS),
    Front("UDP", 53): Serving(
        ListenerOptions("UDP"),
        PoolOptions("UDP", "SOURCE_IP_PORT", sticky=True, affinity=60),
        MEMBERS,
        Monitor("UDP-CONNECT"),
    ),
}


class Walk:
    """A load balancer with all options, changed one after another; ``seen`` is what was told on the way."""

    def __init__(self, octavia: Octavia, settle: Settle, setting: Setting) -> None:
        self.octavia = octavia
        self.settle = settle
        self.setting = setting
        self.subject = Subject("default/web", str(uuid.uuid4()))
        self.seen: list[object] = []

    async def through(self, fronts: dict[Front, Serving], *, updates: bool) -> list[object]:
        vip = Vip(subnet_id=self.setting.service_subnet_id)
        provider = self.setting.provider.name
        wanted = Wanted(Role.OUTSIDE, "default/web outside", vip, provider, fronts)
        request = requests.load_balancer(self.setting, self.subject, wanted)
        made = await self.octavia.create_load_balancer(request)
        identifier = made.balancer.id
        for listener in sorted(made.listeners, key=lambda one: one.protocol_port):
            (serving,) = [
                each
                for front, each in fronts.items()
                if (each.listener.protocol, front.port) == (listener.protocol, listener.protocol_port)
            ]
            self.seen.append((listener.protocol, same(serving.listener, listener_options(listener))))
        self.seen.append(sorted(str(pool_options(pool)) for pool in made.pools))
        self.seen.append(sorted(str(monitor_of(one)) for one in made.monitors))
        tree = await self.settle(identifier)
        if updates:
            await self._change(identifier, tree)
        await self._monitor(identifier, next(one for one in tree.listeners if one.name.endswith("80/TCP")))
        await self.octavia.delete_load_balancer(identifier)
        with pytest.raises(errors.NotFound):
            await self.settle(identifier)
        return self.seen

    async def _change(self, identifier: str, tree: StatusTree) -> None:
        (listener,) = [one for one in tree.listeners if one.name.endswith("80/TCP")]
        for options in (
            ListenerOptions("HTTP", 7, TimeLimits(), frozenset({"198.51.100.0/24"})),
            ListenerOptions("HTTP", -1, TimeLimits(), frozenset(), forwarded_for=True),
        ):
            changes = requests.listener_changes(options)
            told = await self.octavia.update_listener(listener.id, changes)
            await self.settle(identifier)
            listed = await self.octavia.list_listeners(balancer_id=identifier)
            (there,) = [one for one in listed if one.id == listener.id]
            self.seen.append((same(options, listener_options(told)), same(options, listener_options(there))))
        pool = listener.pools[0]
        for wished in (PoolOptions("HTTP", "ROUND_ROBIN"), PoolOptions("HTTP", "SOURCE_IP", sticky=True)):
            await self.octavia.update_pool(pool.id, requests.pool_changes(wished))
            await self.settle(identifier)
            found = {one.id: one for one in await self.octavia.list_pools(balancer_id=identifier)}
            self.seen.append(pool_options(found[pool.id]) == wished)
        assert pool.health_monitor
        changed = Monitor("TCP", 20, 10, 3, 3)
        told_now = await self.octavia.update_monitor(
            pool.health_monitor.id, requests.monitor_changes(changed)
        )
        await self.settle(identifier)
        self.seen.append(monitor_of(told_now) == changed)

    async def _monitor(self, identifier: str, listener: Any) -> None:
        """Take the monitor away if there is one, and give the pool another."""
        pool = listener.pools[0]
        if pool.health_monitor:
            await self.octavia.delete_monitor(pool.health_monitor.id)
            tree = await self.settle(identifier)
            pools = [one for each in tree.listeners for one in each.pools]
            self.seen.append([one.health_monitor for one in pools if one.id == pool.id])
        tags = requests.owner(self.setting, self.subject.uid).tags()
        request = MonitorRequest("TCP", 5, 3, 1, 3, pool.id, "again", tags)
        made = await self.octavia.create_monitor(request)
        await self.settle(identifier)
        listed = {one.id: one for one in await self.octavia.list_monitors(tags)}
        self.seen.append(monitor_of(listed[made.id]) == Monitor("TCP"))
        try:
            await self.octavia.create_monitor(request)
        except errors.CloudError as error:
            self.seen.append(isinstance(error, errors.Conflict))


@pytest.mark.parametrize("provider", [OVN, AMPHORA], ids=["ovn", "amphora"])
async def test_options_are_taken_and_told_as_the_model_says(project: Project, provider: Provider) -> None:
    fronts = FULL if provider is AMPHORA else BARE

    def setting(service_subnet: str, pod_subnet: str) -> Setting:
        places = (Place("10.131.0.0/20", pod_subnet),)
        return Setting(Owner(str(uuid.uuid4()), "service").cluster, service_subnet, "ext", provider, places)

    model = ModelOctavia()

    async def at_once(identifier: str) -> StatusTree:
        model.settle()
        return await model.status_tree(identifier)

    expected = await Walk(model, at_once, setting("service", "pod")).through(fronts, updates=provider.updates)

    async with await Cloud.open("test", project.clouds) as cloud:
        octavia = Octavia(cloud)
        assert provider.name in await octavia.providers()

        async def waited(identifier: str) -> StatusTree:
            deadline = time.monotonic() + 240
            while (tree := await octavia.status_tree(identifier)).pending:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.3)
            assert {part.provisioning_status for part in tree.parts()} == {"ACTIVE"}
            return tree

        real = Walk(octavia, waited, setting(project.ids["service_subnet"], project.ids["pod_subnet"]))
        assert await real.through(fronts, updates=provider.updates) == expected
        assert all(one is not False for one in real.seen)
