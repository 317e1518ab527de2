"""What HAProxy can take of what users write: its lines end where its buffers do, and a space ends a word.

It reads the file of a map in pieces of 16,383 bytes and takes what is left of a longer line for another
entry, which could be of somebody else's host. So everything that users write is bounded where it is read, and
an entry that would not fit all the same is refused here, before any line is made of it.
"""

import re
from collections.abc import Iterator

from causeway.rooms.routes.model import Entry

LONGEST_PATH = 1024  # characters, as in Gateway API
LONGEST_VALUE = 1024  # characters of an annotation that goes into a map
LONGEST_COOKIE = 128  # characters of its name
LONGEST_TEXT = 14_000  # characters of the value of an entry, where it is made of many things
LONGEST_LINE = 16_000
MOST_RANGES = 10_000  # of addresses for all paths of one object: each is up to eight entries
MOST_SECRETS = 200  # of one Ingress: each is a watch at the API server
_NAME = 128  # characters that the name of a backend takes at most
_LINE = re.compile(r"[!-~]+ [ -~]*", re.ASCII)
_WORD = re.compile(r"[!-~]+", re.ASCII)


def unfit(entry: Entry) -> str:
    """Return what of an entry HAProxy could not read as it is meant, "" if it can have all of it."""
    for what, line in _lines(entry):
        if len(line) > LONGEST_LINE:
            return f"{what}: takes {len(line)} characters where HAProxy reads {LONGEST_LINE}: shorten it"
        if not _LINE.fullmatch(line):
            return f"{what}: has space or other characters in it that HAProxy cannot read: leave them out"
    for key, _ in entry.certificates:
        if not _WORD.fullmatch(key.host):
            return f"certificate: {key.host!r} is no host that HAProxy can show it for"
    return ""


def _lines(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield the lines of maps an entry will have, each with what it is about."""
    backend = "-" * _NAME
    for way in entry.ways:
        yield "host and path", f"{way.key} {backend}"
    for name, key, value in entry.texts:
        yield name, f"{key} {value}"
    for name, key, value in entry.backend.options if entry.backend is not None else ():
        yield name, f"{backend}{key} {value}"
