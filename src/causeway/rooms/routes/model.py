"""The words of this room.

HAProxy's state is a flat mapping of items to values, so that what is wanted and what runs differ by item:

- a ``MapKey`` has the text the map gives for it;
- a ``ServerKey`` has a weight (0 to 256), or ``RETIRING`` once it takes no new requests. Its name is a digest
  of its address and options: a server that is to be different is another server;
- a ``CertificateKey`` and an ``AuthorityKey`` are there (``PRESENT``) or not; their names, too, are digests.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

_MOST_NAMED = 10
RETIRING = -1
PRESENT = 0

MapName = Literal[
    "exact",
    "prefix",
    "passthrough",
    "passthrough-wildcard",
    "port",
    "held",
    "owner",
    "place",
    "filter",
    "sticky",
    "timeout",
    "tunnel",
    "restricted",
    "allow",
    "hsts",
    "forwarded",
    "rewrite",
]
ROUTING: tuple[MapName, ...] = ("exact", "prefix", "passthrough", "passthrough-wildcard", "port")
"""The maps that lead to a backend."""
OPTIONS: tuple[MapName, ...] = (
    "owner",
    "sticky",
    "timeout",
    "tunnel",
    "restricted",
    "allow",
    "hsts",
    "forwarded",
    "rewrite",
)
RULES: tuple[MapName, ...] = ("place", "filter")
"""The maps about rules of Gateway API: which backend one has, and what its filters do."""
HOLDERS: tuple[MapName, ...] = ("held",)
"""The map of whose a host is: namespaces by host, by a domain after ``*.`` or ``**.``, by ``*`` for all.

``**`` alone is there while any host begins with ``**.``: others need not be looked for label by label.
"""
MAPS = ROUTING + OPTIONS + RULES + HOLDERS


class MapKey(NamedTuple):
    """A key of a map."""

    map: MapName
    key: str


class ServerKey(NamedTuple):
    """A server of a backend."""

    backend: str
    server: str


class CertificateKey(NamedTuple):
    """A certificate with its key, shown to clients that ask for ``host``."""

    certificate: str
    host: str


class AuthorityKey(NamedTuple):
    """Authorities that servers' certificates are verified by."""

    authority: str


Item = MapKey | ServerKey | CertificateKey | AuthorityKey
Value = str | int


class Wish(NamedTuple):
    """What an item is to be; ``detail`` is what making it takes.

    Of a server that is ``address:port`` and its options as HAProxy writes them, of certificates PEM text.
    Where two wish for one item, the higher ``rank`` has it.
    """

    value: Value
    detail: str = ""
    rank: int = 0


class Kind(msgspec.Struct, frozen=True):
    """What is alike in all backends of a kind, because only the configuration can say it.

    ``lines`` are further lines of it; ``cookie`` is the name of the cookie for sticky sessions. ``options``
    says that a route may have options besides its stickiness: looking them up costs every request.
    """

    mode: Literal["http", "tcp"]
    balance: str
    cookie: str = ""
    lines: tuple[str, ...] = ()
    options: bool = False


class Backend(msgspec.Struct, frozen=True):
    """What a route asks of the backend it is given: the kind, servers by name, options by map.

    ``servers`` is (name, weight, detail); ``options`` is (map, key after the backend's name, value).
    """

    kind: Kind
    servers: tuple[tuple[str, int, str], ...]
    options: tuple[tuple[MapName, str, str], ...] = ()


class Way(msgspec.Struct, frozen=True):
    """A key of a routing map that leads to a route's backend; ``redirect`` to HTTPS instead."""

    map: MapName
    key: str
    redirect: bool = False
    rank: int = 0


class Entry(msgspec.Struct, frozen=True):
    """An admitted route as HAProxy is to have it; ``owner`` is namespace/name.

    ``texts`` are (map, key, value) of entries that name no backend. One without a backend has only those.
    If it is ``found_by_owner``, ways name the owner instead of the backend.
    """

    owner: str
    backend: Backend | None
    ways: tuple[Way, ...] = ()
    certificates: tuple[tuple[CertificateKey, str], ...] = ()
    authorities: tuple[tuple[AuthorityKey, str], ...] = ()
    texts: tuple[tuple[MapName, str, str], ...] = ()
    found_by_owner: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Why a route is not admitted, as its status says it."""

    reason: str
    message: str


def listed(words: Iterable[object]) -> str:
    """Return words as a message names them: the first ten, and of the others how many there are."""
    found = [str(each) for each in words]
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more


def stumbled(error: Exception) -> str:
    """Return what is said of an object that was refused because reading it failed: a defect of ours."""
    return (
        f"the router could not read this ({type(error).__name__}), which is a defect: report it, with what "
        "the router's log says; meanwhile leave out what was changed last"
    )


class Refused(Exception):
    """A route cannot be had as it is; the message says what of it and why."""
