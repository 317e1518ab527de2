"""What is proven with the model of Octavia holds on Octavia: the same operations, the same observations."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tests.integration.services.conftest import Project
from tests.models.cloud import ModelNeutron, ModelOctavia

from causeway.cloud import errors
from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import Octavia
from causeway.cloud.octavia_objects import (
    ListenerRequest,
    LoadBalancerRequest,
    MemberRequest,
    Persistence,
    PoolRequest,
)
from causeway.cloud.ownership import Owner, of_cluster
from causeway.cloud.session import Cloud

VIP = "172.30.9.9"
STICKY = Persistence("SOURCE_IP")
Seen = dict[str, Any]
Settle = Callable[[Callable[[], Awaitable[Seen]]], Awaitable[Seen]]


class Scenario:
    """A walk through everything the service room does with Octavia; ``seen`` is what it saw on its way."""

    def __init__(self, octavia: Octavia, settle: Settle, owner: Owner, subnets: tuple[str, str]) -> None:
        self.octavia = octavia
        self.settle = settle
        self.owner = owner
        self.service_subnet, self.pod_subnet = subnets
        self.seen: list[object] = []

    async def walk(self) -> list[object]:
        """Walk, and return what was seen."""
        created = await self.octavia.create_load_balancer(self.request())
        made = created.balancer
        self.seen.append(self.told(created.listeners, created.pools, created.monitors))
        self.seen.append((made.provisioning_status, made.vip_address, made.vip_port_id is not None))
        await self.refused(self.octavia.create_load_balancer(self.request()))
        await self.look(made.id)
        await self.refused(self.octavia.create_listener(self.listener(made.id, 80)))

        listener = (await self.octavia.create_listener(self.listener(made.id, 81))).id
        await self.look(made.id)
        request = PoolRequest("default/web:81/TCP", "TCP", "SOURCE_IP_PORT", listener_id=listener)
        pool = (await self.octavia.create_pool(request)).id
        await self.look(made.id)
        await self.refused(self.octavia.create_pool(request))
        for numbers in ((1, 2, 3), (3, 4), ()):
            await self.octavia.put_members(pool, self.members(numbers, 8081))
            await self.look(made.id)
        await self.octavia.delete_pool(pool)
        await self.look(made.id)
        await self.octavia.delete_listener(listener)
        await self.look(made.id)

        tree = await self.octavia.status_tree(made.id)
        first = next(one for one in tree.listeners if one.name.endswith("53/UDP"))
        await self.octavia.delete_listener(first.id)  # its pool is left behind, below no listener
        await self.look(made.id)
        await self.octavia.delete_pool(first.pools[0].id)
        await self.look(made.id)

        await self.octavia.delete_load_balancer(made.id)
        await self.octavia.delete_load_balancer(str(uuid.uuid4()))  # of the unknown: succeeds
        await self.look(made.id)
        await self.refused(self.octavia.status_tree(made.id))
        return self.seen

    def told(self, listeners: Any, pools: Any, monitors: Any) -> object:
        """Return what calls tell of the options of parts."""
        return (
            sorted(
                (
                    one.protocol,
                    one.protocol_port,
                    one.connection_limit,
                    one.timeout_client_data,
                    tuple(one.allowed_cidrs or ()),
                    tuple((one.insert_headers or {}).items()),
                    one.default_tls_container_ref or "",
                    tuple(sorted(one.tags)),
                )
                for one in listeners
            ),
            sorted(
                (
                    one.protocol,
                    one.lb_algorithm,
                    one.session_persistence.type if one.session_persistence else "",
                    one.healthmonitor_id is not None,
                    tuple(sorted(one.tags)),
                )
                for one in pools
            ),
            sorted((one.type, one.delay, one.timeout, one.max_retries) for one in monitors),
        )

    async def refused(self, call: Awaitable[object]) -> None:
        """Note how a call is refused."""
        try:
            self.seen.append(("accepted", await call))
        except errors.CloudError as error:
            self.seen.append(type(error).__name__)

    async def look(self, identifier: str) -> None:
        """Note what there is, once Octavia has done what it was told."""

        async def now() -> Seen:
            listed = await self.octavia.list_load_balancers(of_cluster(self.owner.cluster, self.owner.kind))
            if not listed:
                return {}
            try:
                tree = await self.octavia.status_tree(identifier)
            except errors.NotFound:
                return {}
            below = {pool.id for listener in tree.listeners for pool in listener.pools}
            return {
                "states": sorted(_states(tree)),
                "listeners": {
                    listener.name: {
                        pool.name: sorted((one.address, one.protocol_port) for one in pool.members)
                        for pool in listener.pools
                    }
                    for listener in tree.listeners
                },
                "strays": sum(pool.id not in below for pool in listed[0].pools),
                "tags": sorted(listed[0].tags),
            }

        self.seen.append(await self.settle(now))

    def request(self) -> LoadBalancerRequest:
        fronts = (("TCP", 80), ("UDP", 53))
        listeners = [
            ListenerRequest(
                f"default/web:{port}/{protocol}",
                protocol,
                port,
                PoolRequest(
                    f"default/web:{port}/{protocol} by client",
                    protocol,
                    "SOURCE_IP_PORT",
                    STICKY,
                    self.members((1, 2), port),
                    tags=self.owner.tags(),
                ),
                tags=self.owner.tags(),
            )
            for protocol, port in fronts
        ]
        return LoadBalancerRequest(
            "default/web",
            "ovn",
            self.owner.tags(),
            VIP,
            vip_subnet_id=self.service_subnet,
            listeners=listeners,
        )

    def listener(self, balancer: str, port: int) -> ListenerRequest:
        return ListenerRequest(f"default/web:{port}/TCP", "TCP", port, loadbalancer_id=balancer)

    def members(self, numbers: Sequence[int], port: int) -> list[MemberRequest]:
        return [MemberRequest(f"10.131.0.{number}", port, self.pod_subnet) for number in numbers]


def _states(tree: Any) -> set[str]:
    pools = [pool for listener in tree.listeners for pool in listener.pools]
    members = [member for pool in pools for member in pool.members]
    return {part.provisioning_status for part in (tree, *tree.listeners, *pools, *members)}


async def test_octavia_does_what_its_model_does(project: Project) -> None:
    owner = Owner(str(uuid.uuid4()), "service", str(uuid.uuid4()))
    model = ModelOctavia()

    async def settled(now: Callable[[], Awaitable[Seen]]) -> Seen:
        model.settle()
        return await now()

    expected = await Scenario(model, settled, owner, ("service", "pod")).walk()

    async with await Cloud.open("test", project.clouds) as cloud:
        subnets = (project.ids["service_subnet"], project.ids["pod_subnet"])

        async def waited(now: Callable[[], Awaitable[Seen]]) -> Seen:
            """Look until it is as in the model: ACTIVE may come before members to be removed are gone."""
            wanted = expected[len(real.seen)]
            deadline = time.monotonic() + 240
            while True:
                found = await now()
                if found == wanted or time.monotonic() > deadline:
                    return found
                await asyncio.sleep(0.3)

        real = Scenario(Octavia(cloud), waited, owner, subnets)
        assert await real.walk() == expected


async def test_neutron_keeps_floating_ips_as_its_model_does(project: Project) -> None:
    async def walk(neutron: Neutron, network: str) -> list[object]:
        owner = Owner(str(uuid.uuid4()), "service", str(uuid.uuid4()))
        seen: list[object] = []

        async def look() -> None:
            found = await neutron.list_floating_ips(owner.cluster, owner.kind)
            seen.append([(one.owner == owner, sorted(one.tags) == sorted(owner.tags())) for one in found])

        made = await neutron.create_floating_ip(network, None, owner)
        await look()  # owned from the creating call on, though not tagged yet
        await neutron.tag_floating_ip(made.id, owner.tags())
        await look()
        await neutron.delete_floating_ip(made.id)
        await neutron.delete_floating_ip(made.id)
        await look()
        try:
            await neutron.associate_floating_ip(made.id, None)
        except errors.CloudError as error:
            seen.append(type(error).__name__)
        return seen

    expected = await walk(ModelNeutron(), "ext")
    async with await Cloud.open("test", project.clouds) as cloud:
        assert await walk(Neutron(cloud), project.ids["external_network"]) == expected
