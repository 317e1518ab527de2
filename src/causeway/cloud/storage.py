"""What Cinder and Manila have in common: collections of objects, made, shown and deleted by the same calls.

Both want the project in every path, and both answer before a change has ended.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.identifiers import is_id
from causeway.cloud.session import Cloud, Params, under

_Shape = TypeVar("_Shape")


class Storage:
    """A service of storage; ``service`` is its catalogue type, ``headers`` name the microversion."""

    service: ClassVar[str]
    version: ClassVar[str]
    """The first part of every path, as "v3"."""
    headers: ClassVar[Mapping[str, str]]

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def _get(self, collection: str, key: str, identifier: str, shape: type[_Shape]) -> _Shape:
        if not is_id(identifier):
            raise errors.NotFound(self.service, f"no {key} has the id {identifier!r}")
        return under(await self._call("GET", f"{collection}/{identifier}"), key, shape)

    async def _create(
        self, collection: str, key: str, request: msgspec.Struct, shape: type[_Shape], **beside: object
    ) -> _Shape:
        """Begin to make what is requested; ``beside`` goes into the body next to it."""
        return under(await self._call("POST", collection, {key: request, **beside}), key, shape)

    async def _delete(self, collection: str, identifier: str, params: Params | None = None) -> None:
        if not is_id(identifier):
            return
        try:
            await self._call("DELETE", f"{collection}/{identifier}", params=params)
        except errors.NotFound:
            return

    async def _call(self, method: str, path: str, body: Any = None, *, params: Params | None = None) -> bytes:
        return await self._cloud.call(
            self.service, method, await self._path(path), params=params, body=body, headers=self.headers
        )

    async def _path(self, path: str) -> str:
        """Return the whole path; only Cinder since 3.67 and Manila since 2.60 take it without the project."""
        return f"/{self.version}/{await self._cloud.project_id()}/{path}"
