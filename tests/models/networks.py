"""Networks, subnets, routers and groups in memory, with the refusals of the real ones."""

import asyncio
import ipaddress
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.networks import Interface, Network, Networks, Subnet, SubnetPool, SubnetRequest
from causeway.cloud.ownership import Owner, owner_in
from causeway.cloud.security_groups import AddressGroup, KnownRule, Rule, SecurityGroup, SecurityGroups

T = TypeVar("T")


class ModelNetworks(Networks, SecurityGroups):
    """One project of a cloud with a router; a subnet pool hands out ranges of a /24 or /64 each.

    With ``faults`` calls fail by chance, before or after they took effect; a call that was begun takes effect
    even if nobody waits for it any more.
    """

    def __init__(self, seed: int = 0, pools: Sequence[str] = ("10.30.0.0/20",)) -> None:
        self.chance = random.Random(seed)
        self.faults = 0.0
        self.slow = False
        self.calls = 0
        self.networks: dict[str, Network] = {}
        self.subnets: dict[str, Subnet] = {}
        self.joined: dict[str, str] = {}
        self.groups: dict[str, SecurityGroup] = {}
        self.address_groups: dict[str, AddressGroup] = {}
        self.ports: dict[str, str] = {}  # pods' ports: network by id
        self.port_groups: dict[str, str] = {}
        self.pools = {
            f"pool{ipaddress.ip_network(each).version}": ipaddress.ip_network(each) for each in pools
        }
        self.quota = 1000  # networks
        self.sins: list[str] = []  # what must never be asked of a cloud
        self.effects: set[asyncio.Task[Any]] = set()
        self._ids = itertools.count(1)

    async def _call(self, effect: Callable[[], T]) -> T:
        self.calls += 1
        if not self.slow:
            return effect()
        before, after = self.chance.uniform(0.01, 2), self.chance.uniform(0.01, 1)

        async def serve() -> T:
            await asyncio.sleep(before)
            if self.chance.random() < self.faults:
                raise errors.ServerError("network", "broke before")
            result = effect()
            if self.chance.random() < self.faults:
                raise errors.Timeout("network", "broke after")
            await asyncio.sleep(after)
            return result

        task = asyncio.create_task(serve())
        self.effects.add(task)
        task.add_done_callback(self.effects.discard)
        return await asyncio.shield(task)

    def _id(self, kind: str) -> str:
        return f"{kind}-{next(self._ids)}"

    # networks

    async def list_networks(self, cluster: str, kind: str) -> list[Network]:
        return await self._call(lambda: [each for each in self.networks.values() if _of(each, cluster, kind)])

    async def list_subnets(self, cluster: str, kind: str) -> list[Subnet]:
        return await self._call(lambda: [each for each in self.subnets.values() if _of(each, cluster, kind)])

    async def list_interfaces(self, router_id: str) -> list[Interface]:
        return await self._call(
            lambda: [
                Interface(f"port-{subnet}", router, "network:router_interface", [{"subnet_id": subnet}])
                for subnet, router in self.joined.items()
                if router == router_id
            ]
        )

    async def count_ports(self, network_id: str) -> int:
        return await self._call(lambda: sum(1 for each in self.ports.values() if each == network_id))

    async def get_pool(self, pool_id: str) -> SubnetPool:
        return await self._call(lambda: SubnetPool(pool_id, self.pools[pool_id].version))

    async def create_networks(self, wanted: Sequence[tuple[str, Owner]]) -> list[Network]:
        def make() -> list[Network]:
            if len(self.networks) + len(wanted) > self.quota:
                raise errors.Quota("network", "Quota exceeded for resources: ['network'].")
            made = [Network(self._id("net"), name, 1442, owner.description()) for name, owner in wanted]
            self.networks |= {each.id: each for each in made}
            return made

        return await self._call(make)

    async def create_subnets(self, requests: Sequence[SubnetRequest]) -> list[Subnet]:
        def make() -> list[Subnet]:
            made = []
            for each in requests:
                if each.network_id not in self.networks:
                    raise errors.NotFound("network", f"Network {each.network_id} could not be found.")
                cidr = each.cidr or self._free(str(each.subnetpool_id))
                gateway = str(next(iter(ipaddress.ip_network(cidr).hosts())))
                made.append(
                    Subnet(self._id("sub"), each.network_id, cidr, each.ip_version, gateway, each.description)
                )
                self.subnets[made[-1].id] = made[-1]
            return made

        return await self._call(make)

    def _free(self, pool: str) -> str:
        taken = {each.cidr for each in self.subnets.values()}
        whole = self.pools[pool]
        for cidr in whole.subnets(new_prefix=24 if whole.version == 4 else 64):
            if str(cidr) not in taken:
                return str(cidr)
        raise errors.NoAddresses("network", "Insufficient prefix space to allocate subnet size /24.")

    async def delete_subnet(self, subnet_id: str) -> None:
        def delete() -> None:
            if subnet_id in self.joined:
                raise errors.InUse("network", f"One or more ports have an IP allocation from {subnet_id}.")
            self.subnets.pop(subnet_id, None)

        await self._call(delete)

    async def delete_network(self, network_id: str) -> None:
        def delete() -> None:
            subnets = [each.id for each in self.subnets.values() if each.network_id == network_id]
            if network_id in self.ports.values():
                self.sins.append(f"{network_id} deleted while pods' ports are on it")
            if any(each in self.joined for each in subnets) or network_id in self.ports.values():
                raise errors.InUse("network", f"There are ports in use on network {network_id}.")
            for each in subnets:
                del self.subnets[each]
            self.networks.pop(network_id, None)

        await self._call(delete)

    async def join(self, router_id: str, subnet_id: str) -> None:
        def join() -> None:
            if subnet_id not in self.subnets:
                raise errors.NotFound("network", f"Subnet {subnet_id} could not be found.")
            cidr = ipaddress.ip_network(self.subnets[subnet_id].cidr)
            for each in self.joined:
                other = ipaddress.ip_network(self.subnets[each].cidr)
                if other.version == cidr.version and other.overlaps(cidr):
                    raise errors.BadRequest("network", f"Cidr {cidr} of subnet overlaps with cidr {other}.")
            self.joined[subnet_id] = router_id

        await self._call(join)

    async def part(self, router_id: str, subnet_id: str) -> None:
        await self._call(lambda: self.joined.pop(subnet_id, None))

    # groups

    async def list_groups(self, cluster: str, *kinds: str) -> list[SecurityGroup]:
        return await self._call(
            lambda: [each for each in self.groups.values() if any(_of(each, cluster, kind) for kind in kinds)]
        )

    async def create_groups(self, wanted: Sequence[tuple[str, Owner]]) -> list[SecurityGroup]:
        def make() -> list[SecurityGroup]:
            out = [KnownRule(self._id("rule"), "egress", "IPv4")]
            made = [
                SecurityGroup(self._id("sg"), name, owner.description(), [], out) for name, owner in wanted
            ]
            self.groups |= {each.id: each for each in made}
            return made

        return await self._call(make)

    async def delete_group(self, group_id: str) -> None:
        def delete() -> None:
            if group_id in self.port_groups.values():
                raise errors.InUse("network", f"Security Group {group_id} in use.")
            self.groups.pop(group_id, None)

        await self._call(delete)

    async def create_rules(self, group_id: str, rules: Iterable[Rule]) -> list[KnownRule]:
        def make() -> list[KnownRule]:
            group = self.groups.get(group_id)
            if group is None:
                raise errors.NotFound("network", f"Security group {group_id} does not exist")
            present = {each.rule for each in group.security_group_rules}
            if present & set(rules):
                raise errors.Conflict("network", "Security group rule already exists.")
            made = [
                KnownRule(self._id("rule"), **{key: getattr(each, key) for key in Rule.__struct_fields__})
                for each in rules
            ]
            self._replace_rules(group, [*group.security_group_rules, *made])
            return made

        return await self._call(make)

    async def delete_rule(self, rule_id: str) -> None:
        def delete() -> None:
            for group in list(self.groups.values()):
                kept = [each for each in group.security_group_rules if each.id != rule_id]
                if len(kept) != len(group.security_group_rules):
                    self._replace_rules(group, kept)

        await self._call(delete)

    def _replace_rules(self, group: SecurityGroup, rules: list[KnownRule]) -> None:
        self.groups[group.id] = msgspec.structs.replace(group, security_group_rules=rules)

    async def list_address_groups(self, cluster: str, kind: str) -> list[AddressGroup]:
        return await self._call(
            lambda: [each for each in self.address_groups.values() if _of(each, cluster, kind)]
        )

    async def create_address_group(self, name: str, owner: Owner, addresses: Iterable[str]) -> AddressGroup:
        def make() -> AddressGroup:
            made = AddressGroup(self._id("ag"), name, owner.description(), sorted(addresses))
            self.address_groups[made.id] = made
            return made

        return await self._call(make)

    async def add_addresses(self, group_id: str, addresses: Iterable[str]) -> AddressGroup:
        return await self._call(lambda: self._readdress(group_id, lambda known: known | set(addresses)))

    async def remove_addresses(self, group_id: str, addresses: Iterable[str]) -> AddressGroup:
        return await self._call(lambda: self._readdress(group_id, lambda known: known - set(addresses)))

    def _readdress(self, group_id: str, change: Callable[[set[str]], set[str]]) -> AddressGroup:
        if group_id not in self.address_groups:
            raise errors.NotFound("network", f"Address group {group_id} could not be found.")
        known = self.address_groups[group_id]
        made = msgspec.structs.replace(known, addresses=sorted(change(set(known.addresses))))
        self.address_groups[group_id] = made
        return made

    async def delete_address_group(self, group_id: str) -> None:
        def delete() -> None:
            rules = [rule for group in self.groups.values() for rule in group.security_group_rules]
            if any(rule.remote_address_group_id == group_id for rule in rules):
                raise errors.InUse("network", f"Address group {group_id} is in use.")
            self.address_groups.pop(group_id, None)

        await self._call(delete)


def _of(each: Network | Subnet | SecurityGroup | AddressGroup, cluster: str, kind: str) -> bool:
    owner = owner_in(each.description)
    return owner is not None and (owner.cluster, owner.kind) == (cluster, kind)
