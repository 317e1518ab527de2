"""Networks, subnets and their place on a router: made when a namespace gets a network of its own.

As with security groups, the description given in the creating call says whose a network is: Neutron takes
tags in that call for ports only.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.ownership import Owner, owner_in
from causeway.cloud.session import Cloud, decoded

_SERVICE = "network"
_Shape = TypeVar("_Shape", bound=msgspec.Struct)
_BULK_TIMEOUT = 120.0  # seconds
ROUTER_OWNERS = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)
"""What Neutron writes as ``device_owner`` of a port by which a router is on a subnet."""


class Network(msgspec.Struct, frozen=True):
    """A network; ``mtu`` is in bytes."""

    id: str
    name: str
    mtu: int = 1500
    description: str = ""

    @property
    def owner(self) -> Owner | None:
        """Whom the network belongs to."""
        return owner_in(self.description)


class Subnet(msgspec.Struct, frozen=True):
    """A subnet of a network."""

    id: str
    network_id: str
    cidr: str
    ip_version: int
    gateway_ip: str | None = None
    description: str = ""

    @property
    def owner(self) -> Owner | None:
        """Whom the subnet belongs to."""
        return owner_in(self.description)


class Usage(msgspec.Struct, frozen=True):
    """How much of a quota the project uses; a ``limit`` below 0 means none."""

    limit: int
    used: int = 0
    reserved: int = 0


class SubnetRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subnet to be made: of the range ``cidr``, or of the next free one of a subnet pool.

    Without ``gateway_ip`` Neutron takes the range's first address; of an IPv6 ``cidr`` that is the one all
    routers of the subnet share (RFC 4291, section 2.6.1), which is nobody's in particular.
    """

    network_id: str
    name: str
    ip_version: int
    description: str
    cidr: str | None = None
    subnetpool_id: str | None = None
    gateway_ip: str | None = None
    enable_dhcp: bool | None = None


class SubnetPool(msgspec.Struct, frozen=True):
    """Ranges that Neutron hands out, no part of them twice."""

    id: str
    ip_version: int
    prefixes: list[str] = []


class Interface(msgspec.Struct, frozen=True):
    """A port by which a router is on a subnet."""

    id: str
    device_id: str
    device_owner: str
    fixed_ips: list[dict[str, str]] = []


class Networks:
    """The part of the network service that makes networks."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def list_networks(self, cluster: str, kind: str) -> list[Network]:
        """Return the networks that belong to objects of ``kind``."""
        found = await self._list("networks", Network, {})
        return [each for each in found if _is_of(each.owner, cluster, kind)]

    async def find_networks(self, name_or_id: str) -> list[Network]:
        """Return the networks the project sees that have this ID, or else this name."""
        found = await self._list("networks", Network, {"id": name_or_id})
        return found or await self._list("networks", Network, {"name": name_or_id})

    async def subnets_of(self, network_id: str) -> list[Subnet]:
        """Return the subnets of a network."""
        return await self._list("subnets", Subnet, {"network_id": network_id})

    async def list_subnets(self, cluster: str, kind: str) -> list[Subnet]:
        """Return the subnets that belong to objects of ``kind``."""
        found = await self._list("subnets", Subnet, {})
        return [each for each in found if _is_of(each.owner, cluster, kind)]

    async def list_interfaces(self, router_id: str) -> list[Interface]:
        """Return the ports by which a router is on subnets."""
        found = await self._list("ports", Interface, {"device_id": router_id})
        return [each for each in found if each.device_owner in ROUTER_OWNERS]

    async def router_of(self, network_id: str, subnet_id: str) -> str | None:
        """Return the router a subnet is joined to, if any."""
        found = await self._list("ports", Interface, {"network_id": network_id})
        for each in found:
            if each.device_owner in ROUTER_OWNERS and any(
                ip["subnet_id"] == subnet_id for ip in each.fixed_ips
            ):
                return each.device_id
        return None

    async def count_ports(self, network_id: str) -> int:
        """Return how many ports there are on a network besides routers' and the cloud's own."""
        found = await self._list("ports", Interface, {"network_id": network_id})
        return sum(1 for each in found if not each.device_owner.startswith("network:"))

    async def get_pool(self, pool_id: str) -> SubnetPool:
        """Return a subnet pool; raises ``NotFound``."""
        answer = await self._cloud.call(_SERVICE, "GET", f"/v2.0/subnetpools/{pool_id}")
        return msgspec.json.decode(answer, type=dict[str, SubnetPool])["subnetpool"]

    async def usage(self) -> dict[str, Usage]:
        """Return the project's quotas by kind, as "port"; empty where the cloud does not tell them."""
        path = f"/v2.0/quotas/{await self._cloud.project_id()}/details.json"
        try:
            answer = await self._cloud.call(_SERVICE, "GET", path)
        except (errors.Forbidden, errors.NotFound):  # for administrators only, or an extension is missing
            return {}
        return msgspec.json.decode(answer, type=dict[str, dict[str, Usage]])["quota"]

    async def create_networks(self, wanted: Sequence[tuple[str, Owner]]) -> list[Network]:
        """Make networks of a (name, owner) each in one call, all or none."""
        requests = [{"name": name, "description": owner.description()} for name, owner in wanted]
        answer = await self._post("networks", {"networks": requests})
        return msgspec.json.decode(answer, type=dict[str, list[Network]])["networks"]

    async def create_subnets(self, requests: Sequence[SubnetRequest]) -> list[Subnet]:
        """Make subnets in one call, all or none; raises ``NoAddresses`` when a pool is used up."""
        answer = await self._post("subnets", {"subnets": list(requests)})
        return msgspec.json.decode(answer, type=dict[str, list[Subnet]])["subnets"]

    async def delete_network(self, network_id: str) -> None:
        """Delete a network with its subnets; one that is gone is no error. Raises ``InUse``."""
        try:
            await self._cloud.call(_SERVICE, "DELETE", f"/v2.0/networks/{network_id}")
        except errors.NotFound:
            return

    async def delete_subnet(self, subnet_id: str) -> None:
        """Delete a subnet; one that is gone is no error. Raises ``InUse``."""
        try:
            await self._cloud.call(_SERVICE, "DELETE", f"/v2.0/subnets/{subnet_id}")
        except errors.NotFound:
            return

    async def join(self, router_id: str, subnet_id: str) -> None:
        """Put a router on a subnet; raises ``BadRequest`` if it is on one that overlaps."""
        await self._interface(router_id, subnet_id, "add_router_interface")

    async def part(self, router_id: str, subnet_id: str) -> None:
        """Take a router off a subnet; one that is not on it is no error."""
        try:
            await self._interface(router_id, subnet_id, "remove_router_interface")
        except errors.NotFound:
            return

    async def _interface(self, router_id: str, subnet_id: str, verb: str) -> None:
        path = f"/v2.0/routers/{router_id}/{verb}"
        await self._cloud.call(_SERVICE, "PUT", path, body={"subnet_id": subnet_id})

    async def _list(self, collection: str, shape: type[_Shape], filters: dict[str, str]) -> list[_Shape]:
        fields = [field.encode_name for field in msgspec.structs.fields(shape)]
        query: dict[str, Any] = {**filters, "fields": fields}
        found = await self._cloud.get_all(_SERVICE, f"/v2.0/{collection}", collection, params=query)
        return await decoded(found, shape)

    async def _post(self, collection: str, body: Any) -> bytes:
        return await self._cloud.call(
            _SERVICE, "POST", f"/v2.0/{collection}", body=body, within=_BULK_TIMEOUT
        )


def _is_of(owner: Owner | None, cluster: str, kind: str) -> bool:
    return owner is not None and (owner.cluster, owner.kind) == (cluster, kind)
