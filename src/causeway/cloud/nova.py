"""Nova for controllers: all servers of the project in one listing, with what a node is told about itself."""

import msgspec

from causeway.cloud.session import Cloud, decoded

_SERVICE = "compute"
# 2.47 is the first version that shows a server's flavor by name instead of an id to be asked for.
_HEADERS = {"X-OpenStack-Nova-API-Version": "2.47", "OpenStack-API-Version": "compute 2.47"}


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
