"""Following Secrets, each by its name: no other is asked for, and the right to read those is enough."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from functools import partial

from causeway.kube.client import Listing, WatchEvent
from causeway.kube.errors import ApiError, Forbidden, Gone
from causeway.kube.ingresses import Secret
from causeway.kube.reflector import Reflector, Source, close
from causeway.kube.store import Store

SourceOfSecret = Callable[[str], Source[Secret]]
"""Returns where the Secret of a key comes from."""
PATIENCE = 60.0
"""Seconds in which a router that begins waits for Secrets of which nothing is known."""
_LABEL = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)  # a DNS subdomain name
_IMPOSSIBLE = "cannot exist: its name is no DNS subdomain name of at most 253 characters"
_USER = re.compile(r'User "([^"]{1,200})"')  # as RBAC's refusals name it
_SERVICE_ACCOUNT = "system:serviceaccount:"
_PASSING = frozenset({401, 408, 410, 429})  # refusals that have nothing to do with the Secret
_LASTING = 60.0  # seconds: an API server that starts may refuse for a moment, which takes no certificate away


class Secrets:
    """The Secrets that owners want. ``told`` is called with an owner one of whose Secrets is news."""

    def __init__(self, source: SourceOfSecret, told: Callable[[str], None]) -> None:
        self._source, self._told = source, told
        self._of: dict[str, frozenset[str]] = {}  # by owner
        self._owners: dict[str, set[str]] = {}  # by Secret
        self._followed: dict[str, _Followed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def want(self, owner: str, keys: frozenset[str]) -> None:
        """Follow exactly these for ``owner``; one that nobody wants is forgotten."""
        before = self._of.pop(owner, frozenset())
        if keys:
            self._of[owner] = keys
        for key in keys - before:
            self._owners.setdefault(key, set()).add(owner)
            if key not in self._followed:
                self._followed[key] = _Followed(self._source(key), partial(self._tell, key))
                if not _possible(key):
                    self._followed[key].denied = _IMPOSSIBLE
                self._start(key)
        for key in before - keys:
            self._owners[key].discard(owner)
            if not self._owners[key]:
                del self._owners[key], self._followed[key]
                if key in self._tasks:
                    self._tasks.pop(key).cancel()

    def known(self, owner: str) -> bool:
        """Return whether it is known of each Secret of an owner what it is, or that it cannot be had."""
        return all(self._followed[key].known for key in self._of.get(owner, ()))

    def get(self, key: str) -> Secret | str:
        """Return a Secret that is followed, or why it cannot be had."""
        followed = self._followed[key]
        lacking = "does not exist" if followed.known else "is not told by the API server yet"
        return followed.denied or followed.store.get(key) or lacking

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for key in self._followed:
                self._start(key)
            await asyncio.get_running_loop().create_future()  # until cancelled

    def _start(self, key: str) -> None:
        if self._group is not None and _possible(key):
            self._tasks[key] = self._group.create_task(self._followed[key].run())

    def _tell(self, key: str) -> None:
        for owner in list(self._owners.get(key, ())):
            self._told(owner)


def _possible(key: str) -> bool:
    """Return whether there can be a Secret of a key: another name would be more than one in a request."""
    return _NAME.fullmatch(key.partition("/")[2]) is not None


class _Followed:
    """One Secret: the source its reflector asks, to know when it is denied.

    ``denied`` says why it cannot be had, "" if it can. Who has read it before is denied it only by refusals
    that follow each other for ``_LASTING``; until then what was read last is kept.
    """

    def __init__(self, source: Source[Secret], told: Callable[[], None]) -> None:
        self._source, self._told = source, told
        self.denied = ""
        self._refused_since: float | None = None  # by the loop's clock
        self.store: Store[Secret] = Store()
        self._reflector = Reflector(self, self.store)
        self._reflector.follow(lambda _: told())

    def __str__(self) -> str:
        return str(self._source)

    @property
    def known(self) -> bool:
        return self._reflector.synced.is_set() or bool(self.denied)

    async def list(self) -> Listing[Secret]:
        try:
            listing = await self._source.list()
        except ApiError as error:
            self._refused(_denial(error))
            raise
        self._refused_since = None
        if self.denied:
            self.denied = ""
            self._told()
        return listing

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[Secret]]:
        events = self._source.watch(resource_version)
        try:
            async for event in events:
                yield event
        except ApiError as error:
            if _denial(error):  # a list says at once whether it may be read; a watch, not before it changes
                raise Gone(str(self), f"is to be listed, as it cannot be watched: {error}") from error
            raise
        finally:
            await close(events)

    def _refused(self, why: str) -> None:
        """Take in that it was not listed; ``why`` is "" if that says nothing of the Secret."""
        now = asyncio.get_running_loop().time()
        if not why:
            self._refused_since = None
            return
        if self._refused_since is None:
            self._refused_since = now
        if why != self.denied and (not len(self.store) or now - self._refused_since >= _LASTING):
            self.denied = why
            self._told()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reflector.run())
            await self._reflector.synced.wait()
            self._told()  # also of one that does not exist


def _denial(error: ApiError) -> str:
    """Return why a Secret cannot be had, "" if an error says nothing of it."""
    if isinstance(error, Forbidden):
        return (
            f"may not be read, if it exists at all: let {_account(error)} list and watch it, as "
            "docs/how-to/routes.md#a-certificate-in-a-secret has it"
        )
    if 400 <= error.status < 500 and error.status not in _PASSING:  # as of a name that is none
        return f"cannot be read: {error.findings[0].cause}"
    return ""


def _account(error: Forbidden) -> str:
    """Return whom the API server took the router for: nothing else tells the router who it is."""
    found = _USER.search(error.findings[0].cause)
    name = found[1] if found else ""
    if name.startswith(_SERVICE_ACCOUNT):
        return f"the service account {name.removeprefix(_SERVICE_ACCOUNT).replace(':', '/')}"
    return f"the user {name}" if name else "the router's account"
