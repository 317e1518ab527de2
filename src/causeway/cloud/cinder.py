"""Cinder for the volume driver: exactly the calls it makes, one HTTP request each.

Nearly every change goes on after its call was answered: only the object's status tells when it has ended,
and how.
"""

from typing import Any, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.cinder_objects import (
    Message,
    Snapshot,
    SnapshotRequest,
    Volume,
    VolumeRequest,
    VolumeType,
)
from causeway.cloud.identifiers import is_id
from causeway.cloud.session import Cloud, Params, decoded

_SERVICE = "block-storage"
# 3.50 is of 2018: it extends volumes in use (3.42) and knows volume types for several servers.
_HEADERS = {"OpenStack-API-Version": "volume 3.50"}
_Shape = TypeVar("_Shape")


class _Link(msgspec.Struct):
    rel: str


class _Identified(msgspec.Struct):
    id: str


class Cinder:
    """The volume service of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def list_volumes(self) -> list[Volume]:
        """Return every volume of the project, in as many calls as there are pages."""
        return await self._list("volumes/detail", "volumes", Volume, {})

    async def volumes_named(self, name: str) -> list[Volume]:
        """Return the volumes of exactly that name; there may be several."""
        return await self._list("volumes/detail", "volumes", Volume, {"name": name})

    async def page_of_volumes(self, limit: int, marker: str = "") -> tuple[list[Volume], str]:
        """Return at most ``limit`` volumes that follow the one ``marker``, and the next marker ("": no more).

        Raises ``NotFound`` when the volume ``marker`` is gone.
        """
        return await self._page("volumes", Volume, _behind(limit, marker))

    async def get_volume(self, identifier: str) -> Volume:
        """Return one volume; raises ``NotFound``."""
        return await self._get("volumes", "volume", identifier, Volume)

    async def create_volume(self, request: VolumeRequest) -> Volume:
        """Begin to make a volume."""
        return await self._create("volumes", "volume", request, Volume)

    async def delete_volume(self, identifier: str) -> None:
        """Begin to delete a volume; one that is gone is no error."""
        await self._delete("volumes", identifier)

    async def extend_volume(self, identifier: str, size: int) -> None:
        """Begin to enlarge a volume to ``size`` GiB, also one in use."""
        await self._call("POST", f"volumes/{identifier}/action", {"os-extend": {"new_size": size}})

    async def retype_volume(self, identifier: str, volume_type: str) -> None:
        """Begin to give a volume another type, by name, where it is: its bytes are never moved for it."""
        words = {"new_type": volume_type, "migration_policy": "never"}
        await self._call("POST", f"volumes/{identifier}/action", {"os-retype": words})

    async def delete_attachment(self, identifier: str) -> None:
        """Forget that a volume is at a server; Cinder refuses while Nova has that server."""
        await self._delete("attachments", identifier)

    async def list_snapshots(self) -> list[Snapshot]:
        """Return every snapshot of the project, in as many calls as there are pages."""
        return await self._list("snapshots/detail", "snapshots", Snapshot, {})

    async def snapshots_named(self, name: str) -> list[Snapshot]:
        """Return the snapshots of exactly that name; there may be several."""
        return await self._list("snapshots/detail", "snapshots", Snapshot, {"name": name})

    async def page_of_snapshots(
        self, limit: int, marker: str = "", volume_id: str = ""
    ) -> tuple[list[Snapshot], str]:
        """Return at most ``limit`` snapshots (of one volume) as ``page_of_volumes`` does volumes."""
        params = _behind(limit, marker)
        if volume_id:
            params["volume_id"] = volume_id
        return await self._page("snapshots", Snapshot, params)

    async def snapshots_of(self, volume_id: str) -> list[Snapshot]:
        """Return all snapshots of one volume."""
        return await self._list("snapshots/detail", "snapshots", Snapshot, {"volume_id": volume_id})

    async def get_snapshot(self, identifier: str) -> Snapshot:
        """Return one snapshot; raises ``NotFound``."""
        return await self._get("snapshots", "snapshot", identifier, Snapshot)

    async def create_snapshot(self, request: SnapshotRequest) -> Snapshot:
        """Begin to take a snapshot."""
        return await self._create("snapshots", "snapshot", request, Snapshot)

    async def delete_snapshot(self, identifier: str) -> None:
        """Begin to delete a snapshot; one that is gone is no error."""
        await self._delete("snapshots", identifier)

    async def list_types(self) -> list[VolumeType]:
        """Return the volume types the project may use."""
        return await self._list("types", "volume_types", VolumeType, {})

    async def messages_about(self, identifier: str) -> list[str]:
        """Return what Cinder tells about an object, the newest first."""
        found = await self._list("messages", "messages", Message, {"resource_uuid": identifier})
        return [each.user_message for each in sorted(found, key=lambda it: it.created_at, reverse=True)]

    async def _list(self, path: str, key: str, shape: type[_Shape], params: Params) -> list[_Shape]:
        base = await self._base()
        raw = await self._cloud.get_all(_SERVICE, f"{base}/{path}", key, params=params, headers=_HEADERS)
        return await decoded(raw, shape)

    async def _page(self, key: str, shape: type[_Shape], params: Params) -> tuple[list[_Shape], str]:
        answer = await self._call("GET", f"{key}/detail", params=params)
        document = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
        raw = msgspec.json.decode(document[key], type=list[msgspec.Raw])
        links = msgspec.json.decode(document.get(f"{key}_links", b"[]"), type=list[_Link])
        more = bool(raw) and any(link.rel == "next" for link in links)
        return await decoded(raw, shape), msgspec.json.decode(raw[-1], type=_Identified).id if more else ""

    async def _get(self, collection: str, key: str, identifier: str, shape: type[_Shape]) -> _Shape:
        if not is_id(identifier):
            raise errors.NotFound(_SERVICE, f"no {key} has the id {identifier!r}")
        answer = await self._call("GET", f"{collection}/{identifier}")
        return msgspec.json.decode(answer, type=dict[str, shape])[key]  # type: ignore[valid-type]  # a parameter

    async def _create(
        self, collection: str, key: str, request: msgspec.Struct, shape: type[_Shape]
    ) -> _Shape:
        answer = await self._call("POST", collection, {key: request})
        return msgspec.json.decode(answer, type=dict[str, shape])[key]  # type: ignore[valid-type]  # a parameter

    async def _delete(self, collection: str, identifier: str) -> None:
        if not is_id(identifier):
            return
        try:
            await self._call("DELETE", f"{collection}/{identifier}")
        except errors.NotFound:
            return

    async def _call(self, method: str, path: str, body: Any = None, *, params: Params | None = None) -> bytes:
        base = await self._base()
        return await self._cloud.call(
            _SERVICE, method, f"{base}/{path}", params=params, body=body, headers=_HEADERS
        )

    async def _base(self) -> str:
        """Cinder wants the project in every path; only since 3.67 it may be left out."""
        return f"/v3/{await self._cloud.project_id()}"


def _behind(limit: int, marker: str) -> dict[str, str | int]:
    return {"limit": limit, "marker": marker} if marker else {"limit": limit}
