"""A network of the cloud by its name or ID, with what ports on it need to know. Reads only."""

from causeway.cloud.networks import Networks
from causeway.cloud.networks import Subnet as CloudSubnet
from causeway.kit.errors import Finding, Problem
from causeway.kube.interfaces import NetworkNamed
from causeway.rooms.interfaces.model import Found


async def resolve(networks: Networks, named: NetworkNamed, place: str) -> Found:
    """Return the network; raises ``Problem`` if it is not there or not clear, and ``CloudError``."""
    found = await networks.find_networks(named.network)
    if not found:
        cause = f"the project sees no network {named.network!r}"
        raise Problem(Finding(place, cause, "Write the name or ID of one in its config."))
    if len(found) > 1:
        cause = f"{len(found)} networks have the name {named.network!r}"
        remedy = f"Write the ID of one: {', '.join(sorted(each.id for each in found))}."
        raise Problem(Finding(place, cause, remedy))
    (network,) = found
    subnets = await networks.subnets_of(network.id)
    chosen = [each for each in subnets if not named.subnets or each.id in named.subnets]
    if missing := set(named.subnets) - {each.id for each in chosen}:
        cause = f"network {named.network!r} has no subnet {', '.join(sorted(missing))}"
        raise Problem(Finding(place, cause, "Write the IDs of subnets of that network."))
    if not chosen:
        cause = f"network {named.network!r} has no subnet"
        raise Problem(Finding(place, cause, "Make one: a port without an address is of no use to a pod."))
    ids = tuple(each.id for each in _one_each(chosen))
    return Found(network.id, network.mtu, tuple(sorted(subnets, key=lambda each: each.id)), ids, named.groups)


def _one_each(subnets: list[CloudSubnet]) -> list[CloudSubnet]:
    """Return the first subnet of each IP version, IPv4 first: a port has one address of each."""
    first = {each.ip_version: each for each in sorted(subnets, key=lambda each: each.id, reverse=True)}
    return [first[version] for version in sorted(first)]
