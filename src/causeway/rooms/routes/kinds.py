"""Which kinds of backend HAProxy has: the usual ones, and those that routes ask for and it accepts.

A configuration with one line HAProxy does not accept is not loaded at all, so kinds with lines of a route's
own are tried before they are loaded with those of all others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from causeway.rooms.routes.commands import Files
from causeway.rooms.routes.config import Front, configuration, contents, kind_name
from causeway.rooms.routes.model import Entry, Kind

_BALANCES = ("random", "roundrobin", "leastconn", "source")


class Kinds:
    """The kinds of one HAProxy's backends. ``check`` returns what is wrong with a configuration."""

    def __init__(self, front: Front, files: Files, check: Callable[[Path], Awaitable[str]]) -> None:
        self._front, self._files, self._check = front, files, check
        self._bad: dict[Kind, str] = {}

    def wrong(self, kind: Kind | None) -> str:
        """Return why HAProxy does not accept a kind, or nothing."""
        return self._bad.get(kind, "") if kind is not None else ""

    def name(self, kind: Kind) -> str:
        """Return the name of a kind, with which its backends' names begin."""
        return kind_name(kind, self._front.cookie)

    def wanted(self, entries: Iterable[Entry]) -> dict[str, Kind]:
        """Return all kinds by name: the usual ones, and those that entries need."""
        cookie = self._front.cookie
        usual = [
            Kind("http", balance, cookie, options=options)
            for balance in _BALANCES
            for options in (False, True)
        ]
        usual += [Kind("tcp", balance) for balance in _BALANCES]
        return {self.name(kind): kind for kind in [*usual, *filter(None, map(kind_of, entries))]}

    async def leave_out_bad(self, kinds: dict[str, Kind], known: Iterable[str]) -> bool:
        """Take out of ``kinds`` what HAProxy would not accept, and return whether anything was.

        ``known`` are the names of those it runs already, which are not tried again.
        """
        tried = set(known)
        own = {
            kind: name
            for name, kind in kinds.items()
            if (kind.lines or kind.cookie not in ("", self._front.cookie)) and name not in tried
        }
        bad = await self._bad_among(list(own))
        for kind, wrong in bad.items():
            self._bad[kind] = f"HAProxy does not accept what the route asks for: {wrong[-300:]}"
            del kinds[own[kind]]
        return bool(bad)

    async def _bad_among(self, kinds: Sequence[Kind]) -> dict[Kind, str]:
        """Return which kinds HAProxy would not accept, and why: nearly always none, which it says at once."""
        if not kinds:
            return {}
        path = self._files.directory / "check.cfg"
        text = configuration(self._front, self._files, dict.fromkeys(kinds, 1), {}, "")
        await asyncio.to_thread(write, contents(self._front, self._files, {}, {}, ""), missing=True)
        await asyncio.to_thread(write, {path: text})
        wrong = await self._check(path)
        if not wrong or len(kinds) == 1:
            return {kinds[0]: wrong} if wrong else {}
        middle = len(kinds) // 2
        return await self._bad_among(kinds[:middle]) | await self._bad_among(kinds[middle:])


def kind_of(entry: Entry | None) -> Kind | None:
    """Return the kind of backend an entry needs, if it needs one."""
    return entry.backend.kind if entry is not None and entry.backend is not None else None


def write(files: dict[Path, str], *, missing: bool = False) -> None:
    """Write files that only we and HAProxy can read; with ``missing`` only those that are not there."""
    for path, text in files.items():
        if missing and path.exists():
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.replace(path)
