"""Designate for controllers: zones, the record sets of one, and the reverse records of floating IPs.

Designate answers before its name servers do: a record set is PENDING until they have it, and ERROR while they
do not take it; it goes on trying by itself. Names are absolute, with the dot at the end.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.session import Cloud, decoded

_SERVICE = "dns"
_FLOATING = "/v2/reverse/floatingips"
_Shape = TypeVar("_Shape")


class Zone(msgspec.Struct, frozen=True, gc=False):
    """A zone; ``type`` is PRIMARY, or SECONDARY for one that is copied from elsewhere."""

    id: str
    name: str
    status: str = "ACTIVE"
    type: str = "PRIMARY"


class RecordSet(msgspec.Struct, frozen=True, gc=False):
    """All records of one name and type; ``ttl`` None means the zone's.

    ``action`` is what is being done (CREATE, UPDATE, DELETE) or has failed when ``status`` is ERROR.
    """

    id: str
    name: str
    type: str
    records: tuple[str, ...] = ()
    ttl: int | None = None
    description: str | None = None
    status: str = "ACTIVE"
    action: str = "NONE"

    @property
    def leaving(self) -> bool:
        """Return whether it is being deleted; until it is gone none of its name and type can be made."""
        return self.action == "DELETE"


class NewRecordSet(msgspec.Struct, frozen=True, gc=False):
    """What a record set is made of."""

    name: str
    type: str
    records: tuple[str, ...]
    ttl: int | None = None
    description: str | None = None


class FloatingIp(msgspec.Struct, frozen=True, gc=False):
    """A floating IP of the project with its reverse record; ``id`` is REGION:UUID, ``ptrdname`` its name."""

    id: str
    address: str
    ptrdname: str | None = None
    ttl: int | None = None
    description: str | None = None
    status: str = "ACTIVE"


class _Links(msgspec.Struct, frozen=True):
    next: str | None = None


class _Identified(msgspec.Struct, frozen=True):
    id: str


class Designate:
    """The name service of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def find_zone(self, name: str) -> Zone | None:
        """Return the zone of that name the project can see, None if there is none."""
        found = await self._list("/v2/zones", "zones", Zone, {"name": name})
        return found[0] if found else None

    async def list_record_sets(self, zone_id: str) -> list[RecordSet]:
        """Return every record set of a zone, in as many calls as there are pages; raises ``NotFound``."""
        return await self._list(f"/v2/zones/{zone_id}/recordsets", "recordsets", RecordSet, {})

    async def create_record_set(self, zone_id: str, new: NewRecordSet) -> RecordSet:
        """Create a record set; raises ``Conflict`` where there is one of its name and type."""
        path = f"/v2/zones/{zone_id}/recordsets"
        return msgspec.json.decode(await self._cloud.call(_SERVICE, "POST", path, body=new), type=RecordSet)

    async def update_record_set(
        self, zone_id: str, identifier: str, records: Sequence[str], ttl: int | None, description: str
    ) -> RecordSet:
        """Give a record set other records, another TTL (None: the zone's) and description."""
        path = f"/v2/zones/{zone_id}/recordsets/{identifier}"
        body = {"records": list(records), "ttl": ttl, "description": description}
        return msgspec.json.decode(await self._cloud.call(_SERVICE, "PUT", path, body=body), type=RecordSet)

    async def delete_record_set(self, zone_id: str, identifier: str) -> None:
        """Delete a record set; one that is gone is no error."""
        try:
            await self._cloud.call(_SERVICE, "DELETE", f"/v2/zones/{zone_id}/recordsets/{identifier}")
        except errors.NotFound:
            return

    async def list_floating_ips(self) -> list[FloatingIp]:
        """Return the project's floating IPs with their reverse records."""
        return await self._list(_FLOATING, "floatingips", FloatingIp, {})

    async def set_reverse(self, identifier: str, name: str, ttl: int | None, description: str) -> None:
        """Let the address of a floating IP answer ``name``; raises ``NotFound`` when it is gone."""
        body = {"ptrdname": name, "ttl": ttl, "description": description}
        await self._cloud.call(_SERVICE, "PATCH", f"{_FLOATING}/{identifier}", body=body)

    async def unset_reverse(self, identifier: str) -> None:
        """Take away the reverse record that a floating IP wrote; that one may have been released meanwhile.

        Raises ``NotFound`` where there is none. Designate (``_unset_floatingip_reverse``) finds it by the id
        that wrote it, but lists it by its address: to whichever floating IP of the project has that now.
        """
        await self._cloud.call(_SERVICE, "PATCH", f"{_FLOATING}/{identifier}", body={"ptrdname": None})

    async def _list(self, path: str, key: str, shape: type[_Shape], params: dict[str, Any]) -> list[_Shape]:
        # Designate links its pages in a way of its own; "max" is as many as its administrator allows.
        items: list[msgspec.Raw] = []
        query = {"limit": "max", **params}
        while True:
            answer = await self._cloud.call(_SERVICE, "GET", path, params=query)
            document = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
            page = msgspec.json.decode(document[key], type=list[msgspec.Raw])
            items += page
            links = msgspec.json.decode(document.get("links", b"{}"), type=_Links)
            if not page or links.next is None:
                return await decoded(items, shape)
            query["marker"] = msgspec.json.decode(page[-1], type=_Identified).id
