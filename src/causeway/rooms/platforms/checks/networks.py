"""Checks of the networks: the external one, existing ones, and ranges that must not overlap."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import TypeVar

from causeway.kit.errors import Finding
from causeway.rooms.platforms.checks import Check, Remark, blocker, listing, unreadable, warning
from causeway.rooms.platforms.facts import CloudFacts, Network, Networking, Stack, Subnet
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.need import resources
from causeway.rooms.platforms.ranges import (
    LARGEST_SERVICE_PREFIX,
    SMALLEST_SERVICE_PREFIX,
    Range,
    neutron_services,
)

SMALLEST_MTU = 1280

Item = TypeVar("Item", Network, Subnet)


def external(platform: Platform, facts: CloudFacts) -> Check:
    """Judge whether floating IPs can come from the external network."""
    if isinstance(facts.network, Finding):
        return unreadable("external network", facts.network)
    name = platform.spec.networks.external
    outside = listing(each.name or each.id for each in facts.network.networks if each.external)
    found, remarks = _find(name, facts.network.networks, "spec.networks.external", outside)
    if found is None:
        return Check("external network", name, tuple(remarks))
    fact = f"{found.name}, free addresses not told to this account"
    if not found.external:
        remarks.append(
            blocker("spec.networks.external", f"network {name} is not external", f"Use one of: {outside}.")
        )
    elif not isinstance(facts.stack, Stack):
        wanted = resources(platform)["OS::Neutron::FloatingIP"] + resources(platform)["OS::Neutron::Router"]
        free, told = _free_addresses(found, facts.network)
        fact = f"{found.name}, {free} addresses free" if told else fact
        if free is not None and free < wanted:
            cause = (
                f"the platform needs {wanted} of its addresses, {'' if told else 'at most '}{free} are free"
            )
            remarks.append(
                blocker(
                    "spec.networks.external", cause, "Release floating IPs, or use another external network."
                )
            )
    return Check("external network", fact, tuple(remarks))


def _free_addresses(network: Network, facts: Networking) -> tuple[int | None, bool]:
    """Return the free addresses and whether the cloud told them; else an upper bound if there is one."""
    if network.id in facts.free:
        return facts.free[network.id], True
    pools = [pool for subnet in facts.subnets if subnet.network_id == network.id for pool in subnet.pools]
    return (sum(int(last) - int(first) + 1 for first, last in pools) if pools else None), False


def existing_networks(platform: Platform, facts: CloudFacts) -> Check:
    """Judge the networks the platform uses without making them."""
    if isinstance(facts.network, Finding):
        return unreadable("existing networks", facts.network)
    used = existing(platform)
    if not used:
        return Check("existing networks", "none used")
    remarks: list[Remark] = []
    subnets: dict[str, Subnet] = {}
    mtus: dict[str, int] = {}
    for key, each in used.items():
        place = f"spec.networks.{key}"
        network, found = _find(each.network or "", facts.network.networks, f"{place}.network")
        remarks += found
        if network:
            mtus[key] = network.mtu
            inside = tuple(each for each in facts.network.subnets if each.network_id == network.id)
            subnet, found = _find(each.subnet or "", inside, f"{place}.subnet")
            remarks += found
            if subnet:
                subnets[key] = subnet
    remarks += [*_router_remarks(platform, subnets, facts.network), *_mtu_remarks(mtus)]
    if "services" in subnets:
        remarks += _service_remarks(subnets["services"])
    return Check("existing networks", listing(used), tuple(remarks))


def _router_remarks(platform: Platform, subnets: dict[str, Subnet], facts: Networking) -> Iterator[Remark]:
    """All existing subnets must share one router that leads to the external network."""
    routers = {key: facts.routers_of.get(subnet.id, frozenset()) for key, subnet in subnets.items()}
    for key, ids in routers.items():
        if not ids:
            cause = f"subnet {subnets[key].name} is not joined to a router this project sees"
            remedy = f"Join it: openstack router add subnet ROUTER {subnets[key].id}"
            yield blocker(f"spec.networks.{key}.subnet", cause, remedy)
    if not routers or not all(routers.values()):
        return
    shared = frozenset.intersection(*routers.values())
    if not shared:
        cause = f"the existing subnets of {listing(routers)} have no router in common"
        yield blocker("spec.networks", cause, "Join them to the same router.")
        return
    external, _ = _find(platform.spec.networks.external, facts.networks, "")
    if external and not any(facts.gateways.get(router, external.id) == external.id for router in shared):
        cause = f"the router of the existing subnets has no gateway in {external.name}"
        remedy = f"Set it: openstack router set --external-gateway {external.name} {min(shared)}"
        yield blocker("spec.networks", cause, remedy)


def _mtu_remarks(mtus: dict[str, int]) -> Iterator[Remark]:
    for key, mtu in mtus.items():
        if 0 < mtu < SMALLEST_MTU:
            cause = f"its MTU is {mtu}"
            yield warning(f"spec.networks.{key}", cause, f"Use a network with {SMALLEST_MTU} or more.")
    if 0 < mtus.get("nodes", 0) < mtus.get("pods", 0):
        cause = f"its MTU of {mtus['pods']} does not fit into the {mtus['nodes']} of the nodes' network"
        yield blocker("spec.networks.pods", cause, "Use a pod network whose MTU is not larger.")


def _service_remarks(subnet: Subnet) -> Iterator[Remark]:
    """Kubernetes takes the lower half; Neutron must keep out of it."""
    place = "spec.networks.services.subnet"
    if not LARGEST_SERVICE_PREFIX <= subnet.cidr.prefixlen <= SMALLEST_SERVICE_PREFIX:
        wanted = f"between /{LARGEST_SERVICE_PREFIX} and /{SMALLEST_SERVICE_PREFIX}"
        yield blocker(place, f"its range {subnet.cidr} is not {wanted}", "Use a subnet of such a size.")
        return
    upper = neutron_services(subnet.cidr)
    if any(first not in upper or last not in upper for first, last in subnet.pools):
        cause = (
            f"its allocation pools reach into the lower half of {subnet.cidr}, where services have addresses"
        )
        remedy = (
            f"Set one pool: openstack subnet set --no-allocation-pool --allocation-pool start={upper[1]},"
        )
        yield blocker(place, cause, f"{remedy}end={upper[-2]} {subnet.id}")


def ranges(platform: Platform, facts: CloudFacts) -> Check:
    """Judge whether the new ranges overlap what their router will lead to."""
    if isinstance(facts.network, Finding):
        return unreadable("ranges", facts.network)
    new = platform.spec.networks.claimed_ranges()
    fact = ", ".join(f"{key} {cidr}" for key, cidr in new.items()) or "none new"
    return Check("ranges", fact, tuple(_overlaps(platform, new, facts, facts.network)))


def _overlaps(
    platform: Platform, new: dict[str, IPv4Network], facts: CloudFacts, networking: Networking
) -> Iterator[Remark]:
    used = existing(platform)
    own = facts.stack.ids if isinstance(facts.stack, Stack) else frozenset()
    outside = {
        each.id for each in networking.networks if platform.spec.networks.external in (each.id, each.name)
    }
    joined = [
        subnet
        for subnet in networking.subnets
        for each in used.values()
        if each.subnet in (subnet.id, subnet.name)
    ]
    routers = {router for subnet in joined for router in networking.routers_of.get(subnet.id, ())}
    for subnet in networking.subnets:
        beside = not routers.isdisjoint(networking.routers_of.get(subnet.id, ()))
        if subnet.id in own or not (subnet.network_id in outside or beside):
            continue
        for key, cidr in new.items():
            if cidr.overlaps(subnet.cidr):
                where = "the external network" if subnet.network_id in outside else "the same router"
                cause = f"{cidr} overlaps {subnet.cidr} of subnet {subnet.name or subnet.id} on {where}"
                yield blocker(f"spec.networks.{key}.cidr", cause, "Choose another range.")


def existing(platform: Platform) -> dict[str, Range]:
    """Return the ranges that are existing networks, by their key."""
    networks = platform.spec.networks
    every = {"nodes": networks.nodes, "pods": networks.pods, "services": networks.services}
    return {key: each for key, each in every.items() if each.exists}


def _find(name: str, items: tuple[Item, ...], place: str, fit: str = "") -> tuple[Item | None, list[Remark]]:
    """Return the item with that ID or name, or why it cannot be told which one is meant.

    ``fit`` are those to choose from, if not all will do.
    """
    found = [item for item in items if item.id == name] or [item for item in items if item.name == name]
    if len(found) == 1:
        return found[0], []
    if found:
        remedy = f"Write the ID of one: {listing(item.id for item in found)}."
        return None, [blocker(place, f"{len(found)} have the name {name}", remedy)]
    known = fit or listing(item.name or item.id for item in items)
    return None, [blocker(place, f"this project sees no {name} there", f"Use one of: {known}.")]
