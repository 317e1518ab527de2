"""What the registry's tokens and its quota have to know of a namespace's images, and remember for a while."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping

import structlog

from causeway.kit.errors import Finding, Problem
from causeway.kube.client import Client
from causeway.kube.errors import NotFound, Object
from causeway.kube.resource import NAMESPACES
from causeway.rooms.registry import layout, owners, quota
from causeway.rooms.registry.gate import Entrance, Gate
from causeway.rooms.registry.owners import Claim, Owner
from causeway.rooms.registry.store import Store

log = structlog.get_logger()

_AT_ONCE = 64  # parts that are looked for together


class Images:
    """The images in a store; ``default`` is how many bytes a namespace may hold, None: all there are.

    One process at a time has a store: the registry's pod is replaced by ending it first.
    """

    def __init__(self, client: Client, store: Store, default: int | None) -> None:
        self._client, self._store, self._default = client, store, default
        self._platform = ""
        self._entrance = Entrance(client)
        self._owners: dict[str, Owner] = {}  # as recorded, for certain
        self._held: dict[str, dict[str, int]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def begin(self) -> None:
        """Take the store for this platform, before anything else; raises ``Problem`` and ``ApiError``."""
        self._platform = (await self._client.get(NAMESPACES, owners.PLATFORM))["metadata"]["uid"]
        await owners.hold(self._store, self._platform)

    async def enter(self) -> Gate | None:
        """Record that somebody is about to push; return what stands against it; raises ``ApiError``."""
        return await self._entrance.enter()

    async def namespace(self, name: str) -> Object | None:
        """Return a Namespace object, None where there is none or it ends; raises ``ApiError``."""
        try:
            found = await self._client.get(NAMESPACES, name)
        except NotFound:
            return None
        return None if found["metadata"].get("deletionTimestamp") else found

    async def settle(self, namespace: Object, *, changes: bool) -> Gate | None:
        """See to it that the images of a namespace's name are its own: those of a former one are deleted.

        Returns what stands against that for the moment, None when it is so. Raises ``Problem``, but not where
        only the record cannot be written and nothing ``changes``: from a full store one can pull.
        """
        name, uid = namespace["metadata"]["name"], namespace["metadata"]["uid"]
        owner = Owner(self._platform, uid)
        if self._owners.get(name) == owner:  # before the turn: who pulls does not wait for who counts
            return None
        async with self._turns[name]:
            found = owners.claim(await owners.recorded(self._store, name), owner)
            if found is Claim.FORMER:
                if closed := await self.enter():
                    return closed
                await owners.remove(self._store, name)
                self._held.pop(name, None)
                log.info("deleted the images of a former namespace", namespace=name)
            if found is not Claim.OURS:
                try:
                    await owners.record(self._store, name, owner)
                except Problem as error:
                    if changes:
                        raise
                    log.warning("whose images are cannot be recorded", namespace=name, cause=str(error))
                    return None
            self._owners[name] = owner
            return None

    def turn(self, namespace: str) -> asyncio.Lock:
        """Return what one image at a time is added to a namespace under."""
        return self._turns[namespace]

    async def admitted(self, namespace: Object, digest: str, manifest: bytes) -> Mapping[str, int] | Finding:
        """Return what an image adds to those of a namespace (bytes by digest), or why it may not.

        Nobody is refused by what is remembered alone: images may have been deleted since it was counted.
        Raises ``Problem``, ``ValueError`` for what is no manifest, ``Unknown`` for a part that is not there.
        """
        name = namespace["metadata"]["name"]
        limit = quota.limit_of(namespace, self._default)
        if isinstance(limit, Finding):
            return limit
        if closed := await self.enter():  # its token is of before, or of a clock that is wrong
            return closed.refusal
        # Also where there is no limit: the registry goes by listings, which may name what was collected.
        more = {digest: len(manifest), **await self._measured(layout.named(manifest).parts)}
        if limit.most is None:
            self._held.pop(name, None)  # counted anew when there is a limit again
            return {}
        if name not in self._held:
            self._held[name] = await quota.held(self._store, name)
        if quota.refusal(name, self._held[name], more, limit.most):
            self._held[name] = await quota.held(self._store, name)
        return quota.refusal(name, self._held[name], more, limit.most) or more

    async def _measured(self, parts: Iterable[str]) -> dict[str, int]:
        """Return how large parts are. All have to be there: what is sent later nobody would count.

        Some at once, up to one that is not there: thousands that somebody made up would keep others waiting.
        """
        found, wanted = dict[str, int](), list(parts)
        for begin in range(0, len(wanted), _AT_ONCE):
            some = await quota.measured(self._store, wanted[begin : begin + _AT_ONCE])
            for part, size in some.items():
                if size is None:
                    raise quota.Unknown(f"its part {part} is not there. Push the image with its parts again")
                found[part] = size
        return found

    async def complete(self, digest: str, manifest: bytes) -> None:
        """See to it that the manifest the registry has just taken is there; raises ``Problem``.

        One that was collected and is still listed it takes for there, and does not write it again.
        """
        key = layout.blob(digest)
        if await self._store.size(key) is None:
            await self._store.write(key, manifest)

    def added(self, namespace: str, more: Mapping[str, int]) -> None:
        """Remember what an image added to a namespace."""
        if namespace in self._held:
            self._held[namespace] |= more

    def forget(self, namespace: str) -> None:
        """Count a namespace anew before the next image: nobody knows what became of one."""
        self._held.pop(namespace, None)
