"""What the services room has to know of its platform, from the platform's settings and from the cloud."""

from causeway.cloud import octavia_providers
from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import Octavia
from causeway.kit.errors import Problem
from causeway.rooms.services.model import BalancerClass, Place, Setting, SubnetChoice
from causeway.serve.controller.settings import LoadBalancerClass, Platform


async def balancing_of(platform: Platform, neutron: Neutron, octavia: Octavia) -> Setting:
    """Return it; raises ``Problem`` for a provider that is not known here."""
    provider = octavia_providers.known(platform.load_balancer_provider)
    if provider is None:
        raise Problem.of(
            "config.json: loadBalancerProvider",
            f"{platform.load_balancer_provider!r} is not known here",
            "Run `causeway preflight` to see which providers serve.",
        )
    homes = (platform.pod_subnet_id, platform.node_subnet_id, platform.pod_subnet_v6_id)
    subnets = [await neutron.get_subnet(each) for each in homes if each]
    return Setting(
        cluster=platform.cluster_id,
        service_subnet_id=platform.service_subnet_id,
        external_network_id=platform.external_network_id,
        provider=provider,
        places=tuple(Place(subnet.cidr, subnet.id) for subnet in subnets),
        providers=frozenset(await octavia.providers()),
        classes={name: _class(one) for name, one in platform.load_balancer_classes.items()},
        second_service_subnet_id=platform.service_subnet_v6_id,
        balancer_class=platform.load_balancer_class,
    )


def _class(given: LoadBalancerClass) -> BalancerClass:
    subnets = SubnetChoice(given.floating_subnet_id, given.floating_subnet, given.floating_subnet_tags)
    return BalancerClass(
        given.floating_network_id, subnets, given.network_id, given.subnet_id, given.member_subnet_id
    )
