"""Putting our part into a status beside what others say there."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from causeway.kube.errors import NotFound, Object
from causeway.kube.objects import Meta, key_of, split_key
from causeway.kube.resource import Resource

Status = Mapping[str, Any]


class Objects(Protocol):
    """The part of the client that is needed."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Return an object."""
        ...

    async def replace(self, resource: Resource, body: Object, *, subresource: str | None = None) -> Object:
        """Write an object, or a part of it."""
        ...


class WithStatus(Protocol):
    """An object as it was last seen."""

    @property
    def metadata(self) -> Meta:
        """Return its metadata."""
        ...

    @property
    def status(self) -> dict[str, Any]:
        """Return its status."""
        ...


async def write(
    client: Objects, resource: Resource, thing: WithStatus, made: Callable[[Status], Status]
) -> None:
    """Have the status of ``thing`` say what is ``made`` of the one there is, unless it does.

    Raises ``Conflict`` if somebody was faster.
    """
    if _says(thing.status, made(thing.status)):
        return
    namespace, name = split_key(key_of(thing))
    with contextlib.suppress(NotFound):
        whole = await client.get(resource, name, namespace)
        existing = whole.get("status") or {}
        wanted = made(existing)
        if whole["metadata"]["uid"] == thing.metadata.uid and not _says(existing, wanted):
            whole["status"] = {**existing, **wanted}
            await client.replace(resource, whole, subresource="status")


def _says(existing: Status, wanted: Status) -> bool:
    return all(existing.get(name) == value for name, value in wanted.items())
