"""Manila for the driver of shares: exactly the calls it makes, one HTTP request each (a list: one a page).

Nearly every change goes on after its call was answered: only the object's status tells when it has ended,
and how.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.identifiers import is_id
from causeway.cloud.manila_objects import (
    AccessRequest,
    AccessRule,
    ExportLocation,
    Message,
    Share,
    ShareRequest,
    ShareSnapshot,
    ShareSnapshotRequest,
)
from causeway.cloud.session import Params, decoded, under
from causeway.cloud.storage import Storage

_SERVICE = "shared-file-system"
_PAGE, _LEAST = 1000, 100  # what Manila gives at most; its administrators may choose less, but hardly as few
_Shape = TypeVar("_Shape")


class Manila(Storage):
    """The shared file system service of a cloud."""

    service = _SERVICE
    version = "v2"
    # 2.55 is of 2019: groups of shares are no experiment any more, access rules have metadata (2.45).
    headers: ClassVar[Mapping[str, str]] = {"X-OpenStack-Manila-API-Version": "2.55"}

    async def list_shares(self) -> list[Share]:
        """Return every share of the project."""
        return await self._list("shares/detail", "shares", Share, {})

    async def shares_named(self, name: str) -> list[Share]:
        """Return the shares of exactly that name; there may be several."""
        found = await self._list("shares/detail", "shares", Share, {"name": name})
        return [each for each in found if each.name == name]

    async def get_share(self, identifier: str) -> Share:
        """Return one share; raises ``NotFound``."""
        return await self._get("shares", "share", identifier, Share)

    async def create_share(self, request: ShareRequest) -> Share:
        """Begin to make a share."""
        return await self._create("shares", "share", request, Share)

    async def delete_share(self, identifier: str, group: str = "") -> None:
        """Begin to delete a share, of the ``group`` if it is in one; one that is gone is no error."""
        await self._delete("shares", identifier, {"share_group_id": group} if group else None)

    async def extend_share(self, identifier: str, size: int) -> None:
        """Begin to enlarge a share to ``size`` GiB."""
        await self._act(identifier, {"extend": {"new_size": size}})

    async def mark_share(self, identifier: str, marks: dict[str, str]) -> None:
        """Write metadata on a share, beside what is there."""
        await self._call("POST", f"shares/{identifier}/metadata", {"metadata": marks})

    async def export_locations(self, identifier: str) -> list[ExportLocation]:
        """Return where a share is mounted from."""
        answer = await self._call("GET", f"shares/{identifier}/export_locations")
        return under(answer, "export_locations", list[ExportLocation])

    async def access_rules(self, share_id: str) -> list[AccessRule]:
        """Return who may mount a share; raises ``NotFound`` when there is no such share."""
        if not is_id(share_id):
            raise errors.NotFound(_SERVICE, f"no share has the id {share_id!r}")
        try:
            answer = await self._call("GET", "share-access-rules", params={"share_id": share_id})
        except errors.BadRequest as error:
            if "not found" not in error.cause:
                raise
            raise errors.NotFound(_SERVICE, error.cause, status=404, request_id=error.request_id) from error
        return under(answer, "access_list", list[AccessRule])

    async def allow_access(self, share_id: str, request: AccessRequest) -> None:
        """Begin to let somebody mount a share; raises ``BadRequest`` when there is such a rule already."""
        await self._act(share_id, {"allow_access": request})

    async def deny_access(self, share_id: str, rule_id: str) -> None:
        """Begin to take a rule away; one that is gone is no error."""
        try:
            await self._act(share_id, {"deny_access": {"access_id": rule_id}})
        except errors.NotFound:
            return

    async def mark_access(self, rule_id: str, marks: dict[str, str]) -> None:
        """Write metadata on an access rule, beside what is there."""
        await self._call("PUT", f"share-access-rules/{rule_id}/metadata", {"metadata": marks})

    async def list_snapshots(self) -> list[ShareSnapshot]:
        """Return every snapshot of the project."""
        return await self._list("snapshots/detail", "snapshots", ShareSnapshot, {})

    async def snapshots_named(self, name: str) -> list[ShareSnapshot]:
        """Return the snapshots of exactly that name; there may be several."""
        found = await self._list("snapshots/detail", "snapshots", ShareSnapshot, {"name": name})
        return [each for each in found if each.name == name]

    async def get_snapshot(self, identifier: str) -> ShareSnapshot:
        """Return one snapshot; raises ``NotFound``."""
        return await self._get("snapshots", "snapshot", identifier, ShareSnapshot)

    async def create_snapshot(self, request: ShareSnapshotRequest) -> ShareSnapshot:
        """Begin to take a snapshot."""
        return await self._create("snapshots", "snapshot", request, ShareSnapshot)

    async def delete_snapshot(self, identifier: str) -> None:
        """Begin to delete a snapshot; one that is gone is no error."""
        await self._delete("snapshots", identifier)

    async def messages_about(self, identifier: str) -> list[str]:
        """Return what Manila tells about an object, the newest first."""
        found = await self._list("messages", "messages", Message, {"resource_id": identifier})
        return [each.user_message for each in sorted(found, key=lambda it: it.created_at, reverse=True)]

    async def _list(self, path: str, key: str, shape: type[_Shape], params: Params) -> list[_Shape]:
        """Return a whole list. Manila counts in offsets: what goes meanwhile may hide another from a look."""
        found: list[_Shape] = []
        while True:
            query = {**params, "limit": _PAGE, "offset": len(found)}
            answer = await self._call("GET", path, params=query)
            page = await decoded(under(answer, key, list[msgspec.Raw]), shape)
            found += page
            if len(page) < _LEAST:
                return found

    async def _act(self, identifier: str, action: dict[str, Any]) -> None:
        await self._call("POST", f"shares/{identifier}/action", action)
