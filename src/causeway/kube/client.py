"""A thin client of the Kubernetes API: the verbs we use, over one connection pool.

Objects come back as plain data, or decoded straight into a slim struct (``of=Pod``) where they are cached.
A slim struct is never written back: it would erase the fields it does not know. Writes are server-side apply,
patches and creations from plain data.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, overload

import aiohttp
import msgspec

from causeway.kube.connection import CONNECT, Connection, told
from causeway.kube.errors import Conflict, Gone, NotFound, Object, Unavailable, error_from
from causeway.kube.resource import PODS, Resource, resource_of

T = TypeVar("T")

PAGE = 500  # objects per list request

_OBJECT = msgspec.json.Decoder(Object)
_PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """What a list returned, with the version a watch goes on from; ``defined``: the API knows the kind."""

    items: list[T]
    resource_version: str
    defined: bool = True


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """A change: ``object`` is None for a bookmark, which only carries the version reached."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: T | None
    resource_version: str


class _Meta(msgspec.Struct, rename="camel", gc=False):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _WithMeta(msgspec.Struct, gc=False):
    metadata: _Meta


class _Page(msgspec.Struct, Generic[T]):
    metadata: _Meta
    items: list[T] | None = None


class _RawEvent(msgspec.Struct, gc=False):
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: msgspec.Raw


class Client(Connection):
    """The verbs, over a connection that is opened and closed as an asynchronous context manager."""

    # reading

    @overload
    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str | None = None
    ) -> Object: ...
    @overload
    async def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        of: type[T],
    ) -> T: ...
    async def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        of: type[Any] = Object,
    ) -> Any:
        """Return one object; raises ``NotFound``."""
        path = resource.path(namespace, name, subresource)
        return _decoded(path, msgspec.json.Decoder(of), await self.request("GET", path))

    @overload
    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> Listing[Object]: ...
    @overload
    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        of: type[T],
    ) -> Listing[T]: ...
    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        of: type[Any] = Object,
    ) -> Listing[Any]:
        """Return all objects the selectors match, read in pages of one consistent version."""
        decoder = msgspec.json.Decoder(_Page[of])  # type: ignore[valid-type]  # a type given at run time
        path, query = resource.path(namespace), _selectors(labels, fields) | {"limit": str(PAGE)}
        items: list[Any] = []
        while True:
            try:
                page = _decoded(path, decoder, await self.request("GET", path, query=query))
            except Gone:
                if "continue" not in query:
                    raise
                # The version being paged through was compacted away: take everything in one answer.
                items.clear()
                query = _selectors(labels, fields)
                continue
            items += page.items or []
            if not page.metadata.continue_:
                return Listing(items, page.metadata.resource_version)
            query["continue"] = page.metadata.continue_

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        of: type[T],
        resource_version: str,
        labels: str | None = None,
        fields: str | None = None,
        seconds: float = 300.0,
        inactivity: float = 120.0,
    ) -> AsyncIterator[WatchEvent[T]]:
        """Yield changes after ``resource_version`` until the server ends the watch after ``seconds``.

        Raises ``Gone`` when the version is no longer kept and ``Unavailable`` when the connection breaks or
        nothing, not even a bookmark, came for ``inactivity`` seconds.
        """
        query = _selectors(labels, fields) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(int(seconds)),
        }
        path = resource.path(namespace)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=inactivity)
        decode, envelope = msgspec.json.Decoder(of).decode, msgspec.json.Decoder(_RawEvent).decode
        version_of = msgspec.json.Decoder(_WithMeta).decode
        place = f"watch {path}"
        try:
            async with await self.send("GET", path, query, timeout=timeout) as answer:
                rest = b""
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        if not line:
                            continue
                        event = envelope(line)
                        if event.type == "ERROR":
                            raise error_from(place, 200, bytes(event.object))
                        version = version_of(event.object).metadata.resource_version
                        seen = None if event.type == "BOOKMARK" else decode(event.object)
                        yield WatchEvent(event.type, seen, version)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise Unavailable(place, f"the connection broke: {told(error)}") from error

    # writing

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        """Create an object; raises ``AlreadyExists``."""
        place = namespace or body["metadata"].get("namespace")
        return _plain(await self.request("POST", resource.path(place), body=body))

    async def replace(self, resource: Resource, body: Object, *, subresource: str | None = None) -> Object:
        """Write a whole object that was read as plain data; raises ``Conflict`` if it changed since."""
        meta = body["metadata"]
        path = resource.path(meta.get("namespace"), meta["name"], subresource)
        return _plain(await self.request("PUT", path, body=body))

    async def apply(
        self,
        body: Object,
        *,
        manager: str,
        force: bool = True,
        resource: Resource | None = None,
        subresource: str | None = None,
    ) -> Object:
        """Declare the fields of ``body`` by server-side apply; creates the object if there is none.

        With ``force`` fields are taken over from other managers, else ``Conflict`` is raised.
        """
        resource = resource or resource_of(body)
        meta = body["metadata"]
        answer = await self.request(
            "PATCH",
            resource.path(meta.get("namespace"), meta["name"], subresource),
            query={"fieldManager": manager, "force": "true" if force else "false"},
            body={"apiVersion": resource.api_version, "kind": resource.kind, **body},
            content_type="application/apply-patch+yaml",
        )
        return _plain(answer)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        kind: Literal["merge", "json", "strategic"] = "merge",
        subresource: str | None = None,
    ) -> Object:
        """Change part of an object."""
        path = resource.path(namespace, name, subresource)
        return _plain(await self.request("PATCH", path, body=body, content_type=_PATCH_TYPES[kind]))

    async def scale(self, resource: Resource, name: str, namespace: str, replicas: int) -> Object:
        """Set the number of replicas through the ``scale`` subresource."""
        return await self.patch(
            resource, name, {"spec": {"replicas": replicas}}, namespace, subresource="scale"
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        version: str | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        grace_seconds: int | None = None,
    ) -> bool:
        """Delete an object, or only the one with ``uid`` and ``version``; return False if that was gone."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        expected = {"uid": uid, "resourceVersion": version}
        conditions = {key: value for key, value in expected.items() if value is not None}
        if conditions:
            options["preconditions"] = conditions
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self.request("DELETE", resource.path(namespace, name), body=options)
        except NotFound:
            return False
        except Conflict:
            if not conditions:
                raise
            return False  # another object has taken the name, or it has changed
        return True

    async def evict(self, name: str, namespace: str, *, grace_seconds: int | None = None) -> bool:
        """Evict a pod; False if it was gone; ``TooManyRequests`` while a disruption budget forbids it."""
        body: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        if grace_seconds is not None:
            body["deleteOptions"] = {"gracePeriodSeconds": grace_seconds}
        try:
            await self.request("POST", PODS.path(namespace, name, "eviction"), body=body)
        except NotFound:
            return False
        return True


def _selectors(labels: str | None, fields: str | None) -> dict[str, str]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {key: value for key, value in chosen.items() if value}


def _plain(body: bytes) -> Object:
    return _decoded("Kubernetes API", _OBJECT, body)


def _decoded(place: str, decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Unavailable(place, f"the answer is not understood: {error}") from error
