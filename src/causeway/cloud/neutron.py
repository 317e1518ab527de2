"""Neutron for controllers: exactly the calls the hot paths make, one HTTP request each.

Ports are tagged in the creating call (also in bulk). Floating IPs cannot be: they carry the ownership in
their description from the first moment, and the tags follow in a second call.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.ownership import Owner, of_cluster, owner_in, owner_of
from causeway.cloud.session import Cloud, decoded

_SERVICE = "network"
_Shape = TypeVar("_Shape", bound=msgspec.Struct)
_BULK_TIMEOUT = 180.0  # seconds; a hundred ports take 12-16 s on a small cloud


class FixedIP(msgspec.Struct, frozen=True, gc=False):
    """One address of a port."""

    subnet_id: str
    ip_address: str


class Port(msgspec.Struct, frozen=True, gc=False):
    """A port as Neutron shows it."""

    id: str
    name: str
    status: str
    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIP, ...] = ()
    tags: tuple[str, ...] = ()
    device_id: str = ""
    device_owner: str = ""
    admin_state_up: bool = True
    security_groups: tuple[str, ...] = ()

    @property
    def owner(self) -> Owner | None:
        """Whom the port belongs to, by its tags."""
        return owner_of(self.tags)


class Subport(msgspec.Struct, frozen=True, gc=False):
    """A port that reaches its server through the VLAN ``segmentation_id`` of a trunk."""

    port_id: str
    segmentation_id: int
    segmentation_type: str = "vlan"


class Trunk(msgspec.Struct, frozen=True):
    """A trunk: the parent port of a server and the subports behind it."""

    id: str
    name: str
    status: str
    port_id: str
    sub_ports: list[Subport] = []
    tags: list[str] = []


class FloatingIP(msgspec.Struct, frozen=True):
    """A floating IP; ``port_id`` is None while it is associated with nothing."""

    id: str
    floating_ip_address: str
    floating_network_id: str
    status: str = ""
    port_id: str | None = None
    fixed_ip_address: str | None = None
    description: str = ""
    tags: list[str] = []

    @property
    def owner(self) -> Owner | None:
        """Whom the address belongs to: by its description when the tags could not be written any more."""
        return owner_of(self.tags) or owner_in(self.description)


class Subnet(msgspec.Struct, frozen=True):
    """A subnet."""

    id: str
    name: str
    network_id: str
    cidr: str
    gateway_ip: str | None = None
    tags: list[str] = []


class Network(msgspec.Struct, frozen=True):
    """A network; ``mtu`` is in bytes."""

    id: str
    name: str
    mtu: int = 1500
    subnets: list[str] = []


class PortRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A port to be made; without ``fixed_ips`` and ``mac_address`` Neutron chooses them.

    ``host`` binds it to the chassis of that name: for administrators and the role ``service`` alone.
    """

    name: str
    network_id: str
    tags: list[str]
    fixed_ips: list[dict[str, str]] = []
    security_groups: list[str] = []
    device_id: str = ""
    device_owner: str = ""
    description: str = ""
    mac_address: str = ""
    host: str = msgspec.field(name="binding:host_id", default="")


class Neutron:
    """The network service of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def list_ports(self, tags: Sequence[str] = (), **filters: str) -> list[Port]:
        """Return the ports that carry all ``tags`` and match the filters of Neutron's API."""
        return await self._list("ports", Port, tags, filters)

    async def create_ports(self, requests: Sequence[PortRequest]) -> list[Port]:
        """Create ports in one call and return them in the order of ``requests``; all are made or none."""
        if not requests:
            return []
        answer = await self._cloud.call(
            _SERVICE, "POST", "/v2.0/ports", body={"ports": list(requests)}, within=_BULK_TIMEOUT
        )
        return msgspec.json.decode(answer, type=dict[str, list[Port]])["ports"]

    async def update_port(
        self, port_id: str, *, name: str | None = None, security_groups: Sequence[str] | None = None
    ) -> Port:
        """Change what is given of a port and return it; raises ``NotFound``."""
        body: dict[str, Any] = {} if name is None else {"name": name}
        if security_groups is not None:
            body["security_groups"] = list(security_groups)
        answer = await self._cloud.call(_SERVICE, "PUT", f"/v2.0/ports/{port_id}", body={"port": body})
        return msgspec.json.decode(answer, type=dict[str, Port])["port"]

    async def delete_port(self, port_id: str) -> None:
        """Delete a port; one that is gone is no error. Raises ``InUse`` while a trunk holds it."""
        await self._delete(f"/v2.0/ports/{port_id}")

    async def list_trunks(self, tags: Sequence[str] = (), **filters: str) -> list[Trunk]:
        """Return the trunks with all their subports."""
        return await self._list("trunks", Trunk, tags, filters)

    async def get_trunk(self, trunk_id: str) -> Trunk:
        """Return one trunk; raises ``NotFound``."""
        return await self._get("trunks", trunk_id, "trunk", Trunk)

    async def add_subports(self, trunk_id: str, subports: Sequence[Subport]) -> Trunk:
        """Add subports in one call, all or none; raises ``AddressTaken`` when a segmentation id is in use."""
        return await self._change_subports(trunk_id, "add_subports", list(subports))

    async def remove_subports(self, trunk_id: str, port_ids: Iterable[str]) -> Trunk:
        """Remove subports in one call, all or none; raises ``NotFound`` when one of them is not there."""
        ports = [{"port_id": port_id} for port_id in port_ids]
        return await self._change_subports(trunk_id, "remove_subports", ports)

    async def list_floating_ips(self, cluster: str, kind: str) -> list[FloatingIP]:
        """Return the floating IPs that belong to objects of ``kind``, also those not tagged yet."""
        found = await self.list_all_floating_ips()
        return [ip for ip in found if ip.owner and (ip.owner.cluster, ip.owner.kind) == (cluster, kind)]

    async def list_all_floating_ips(self) -> list[FloatingIP]:
        """Return the floating IPs of the project, whomever they belong to."""
        return await self._list("floatingips", FloatingIP, (), {})

    async def create_floating_ip(
        self,
        network_id: str,
        port_id: str | None,
        owner: Owner,
        *,
        subnet_id: str = "",
        address: str = "",
    ) -> FloatingIP:
        """Take a floating IP of ``network_id`` for ``owner`` and associate it with ``port_id``.

        With ``subnet_id`` it comes from that subnet, with ``address`` it is that one (most clouds let only
        administrators choose). Owned from the creating call on; the tags make it visible to tag filters.
        """
        request: dict[str, Any] = {"floating_network_id": network_id, "description": owner.description()}
        if port_id is not None:
            request["port_id"] = port_id
        if subnet_id:
            request["subnet_id"] = subnet_id
        if address:
            request["floating_ip_address"] = address
        answer = await self._cloud.call(_SERVICE, "POST", "/v2.0/floatingips", body={"floatingip": request})
        return msgspec.json.decode(answer, type=dict[str, FloatingIP])["floatingip"]

    async def tag_floating_ip(self, floating_ip_id: str, tags: Sequence[str]) -> None:
        """Give a floating IP these tags instead of those it has."""
        path = f"/v2.0/floatingips/{floating_ip_id}/tags"
        await self._cloud.call(_SERVICE, "PUT", path, body={"tags": list(tags)})

    async def associate_floating_ip(self, floating_ip_id: str, port_id: str | None) -> FloatingIP:
        """Associate a floating IP with a port, or with nothing."""
        path = f"/v2.0/floatingips/{floating_ip_id}"
        answer = await self._cloud.call(_SERVICE, "PUT", path, body={"floatingip": {"port_id": port_id}})
        return msgspec.json.decode(answer, type=dict[str, FloatingIP])["floatingip"]

    async def disown_floating_ip(self, floating_ip_id: str) -> FloatingIP:
        """Associate a floating IP with nothing, and let its description name nobody as its owner."""
        path = f"/v2.0/floatingips/{floating_ip_id}"
        body = {"floatingip": {"port_id": None, "description": ""}}
        answer = await self._cloud.call(_SERVICE, "PUT", path, body=body)
        return msgspec.json.decode(answer, type=dict[str, FloatingIP])["floatingip"]

    async def delete_floating_ip(self, floating_ip_id: str) -> None:
        """Give a floating IP back; one that is gone is no error."""
        await self._delete(f"/v2.0/floatingips/{floating_ip_id}")

    async def get_subnet(self, subnet_id: str) -> Subnet:
        """Return one subnet; raises ``NotFound``."""
        return await self._get("subnets", subnet_id, "subnet", Subnet)

    async def list_subnets(self, network_id: str) -> list[Subnet]:
        """Return the subnets of a network."""
        return await self._list("subnets", Subnet, (), {"network_id": network_id})

    async def get_network(self, network_id: str) -> Network:
        """Return one network; raises ``NotFound``."""
        return await self._get("networks", network_id, "network", Network)

    async def list_owned_ports(self, cluster: str, kind: str | None = None) -> list[Port]:
        """Return the ports that carry the tags of ``cluster`` (and of ``kind``)."""
        return await self.list_ports(of_cluster(cluster, kind))

    async def _change_subports(self, trunk_id: str, verb: str, ports: list[Any]) -> Trunk:
        path = f"/v2.0/trunks/{trunk_id}/{verb}"
        answer = await self._cloud.call(
            _SERVICE, "PUT", path, body={"sub_ports": ports}, within=_BULK_TIMEOUT
        )
        return msgspec.json.decode(answer, type=Trunk)

    async def _list(
        self, collection: str, shape: type[_Shape], tags: Sequence[str], filters: dict[str, str]
    ) -> list[_Shape]:
        fields = [field.encode_name for field in msgspec.structs.fields(shape)]
        query: dict[str, Any] = {**filters, "tags": tags, "fields": fields}
        raw = await self._cloud.get_all(_SERVICE, f"/v2.0/{collection}", collection, params=query)
        return await decoded(raw, shape)

    async def _get(self, collection: str, identifier: str, key: str, shape: type[_Shape]) -> _Shape:
        answer = await self._cloud.call(_SERVICE, "GET", f"/v2.0/{collection}/{identifier}")
        document = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
        return msgspec.json.decode(document[key], type=shape)

    async def _delete(self, path: str) -> None:
        try:
            await self._cloud.call(_SERVICE, "DELETE", path)
        except errors.NotFound:
            return
