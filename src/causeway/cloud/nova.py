"""Nova for controllers: all servers of the project in one listing, and volumes at servers."""

import msgspec

from causeway.cloud import errors
from causeway.cloud.identifiers import is_id
from causeway.cloud.session import Cloud, decoded

_SERVICE = "compute"
# 2.47 is the first version that shows a server's flavor by name instead of an id to be asked for.
_HEADERS = {"X-OpenStack-Nova-API-Version": "2.47", "OpenStack-API-Version": "compute 2.47"}
# 2.60 is the first that attaches a volume to several servers.
_ATTACHING = {"OpenStack-API-Version": "compute 2.60"}


class Address(msgspec.Struct, frozen=True, gc=False):
    """An address of a server; ``type`` is "fixed" or "floating"."""

    addr: str
    version: int = 4
    type: str = msgspec.field(default="fixed", name="OS-EXT-IPS:type")


class Flavor(msgspec.Struct, frozen=True, gc=False):
    """The flavor as it was when the server was made."""

    original_name: str = ""


class Server(msgspec.Struct, frozen=True):
    """A server; ``addresses`` are those of its ports by the name of their network."""

    id: str
    name: str
    status: str
    addresses: dict[str, list[Address]] = {}
    flavor: Flavor = Flavor()
    metadata: dict[str, str] = {}
    zone: str = msgspec.field(default="", name="OS-EXT-AZ:availability_zone")


class Nova:
    """The compute service of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def list_servers(self) -> list[Server]:
        """Return every server of the project."""
        raw = await self._cloud.get_all(_SERVICE, "/v2.1/servers/detail", "servers", headers=_HEADERS)
        return await decoded(raw, Server)

    async def region(self) -> str:
        """Return the name of the region the servers are in."""
        return await self._cloud.region(_SERVICE)


class Addresses:
    """Where servers are on their networks: the part of Nova the driver of shares needs."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def fixed(self, server_id: str) -> list[str] | None:
        """Return the fixed addresses of a server's own ports, None when the project has no such server."""
        if not is_id(server_id):
            return None
        try:
            answer = await self._cloud.call(_SERVICE, "GET", f"/v2.1/servers/{server_id}", headers=_HEADERS)
        except errors.NotFound:
            return None
        server = msgspec.json.decode(answer, type=dict[str, Server])["server"]
        found = (each for addresses in server.addresses.values() for each in addresses)
        return sorted({each.addr for each in found if each.type == "fixed"})


class Attachments:
    """Volumes at servers: the part of Nova the volume driver needs."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def server_exists(self, server_id: str) -> bool:
        """Return whether there is such a server in the project."""
        if not is_id(server_id):
            return False
        try:
            await self._cloud.call(_SERVICE, "GET", f"/v2.1/servers/{server_id}", headers=_ATTACHING)
        except errors.NotFound:
            return False
        return True

    async def attach(self, server_id: str, volume_id: str) -> None:
        """Begin to attach a volume; how it ends is the volume's status and attachments."""
        await self._cloud.call(
            _SERVICE,
            "POST",
            f"/v2.1/servers/{server_id}/os-volume_attachments",
            body={"volumeAttachment": {"volumeId": volume_id}},
            headers=_ATTACHING,
        )

    async def detach(self, server_id: str, volume_id: str) -> None:
        """Begin to detach a volume; raises ``NotFound`` when the server is gone or has no such volume."""
        path = f"/v2.1/servers/{server_id}/os-volume_attachments/{volume_id}"
        await self._cloud.call(_SERVICE, "DELETE", path, headers=_ATTACHING)
