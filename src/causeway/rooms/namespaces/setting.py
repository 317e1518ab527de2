"""What the cloud knows of a platform's place that this room needs: router, subnet pools, ranges nearby."""

import asyncio
from collections.abc import Sequence

from causeway.cloud.networks import Networks
from causeway.cloud.neutron import Neutron
from causeway.rooms.namespaces.model import Range, Setting


async def setting_of(
    networks: Networks,
    neutron: Neutron,
    *,
    cluster: str,
    pod_network_id: str,
    pod_subnet_id: str,
    near: Sequence[str],
    pools: Sequence[str],
    own_by_default: bool,
    global_namespaces: Sequence[str],
) -> Setting:
    """Return the room's setting; ``near`` are the subnets of nodes and load balancers.

    The router is the one the pods' subnet is joined to. Raises ``CloudError``.
    """
    router, nearby, found = await asyncio.gather(
        networks.router_of(pod_network_id, pod_subnet_id),
        _ranges(neutron, near),
        asyncio.gather(*(networks.get_pool(each) for each in pools)),
    )
    return Setting(
        cluster=cluster,
        router_id=router,
        own_by_default=own_by_default,
        pools=tuple(Range(each.ip_version, pool_id=each.id) for each in found),
        nearby=nearby,
        global_namespaces=frozenset(global_namespaces),
    )


async def _ranges(neutron: Neutron, near: Sequence[str]) -> tuple[str, ...]:
    """Return the ranges of all subnets, of either family, on the networks that subnets are of."""
    named = await asyncio.gather(*(neutron.get_subnet(each) for each in near))
    around = await asyncio.gather(*(neutron.get_network(each) for each in {one.network_id for one in named}))
    ids = {each for network in around for each in network.subnets}
    return tuple(
        sorted({one.cidr for one in await asyncio.gather(*(neutron.get_subnet(each) for each in ids))})
    )
