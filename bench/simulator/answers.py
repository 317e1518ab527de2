"""How the simulated services answer and refuse, and how long they think about it.

The times are those of the lab's services for single calls when nothing else runs (30 to 300 ms). They do not
grow with what is under way at the same time: a cloud large enough for what is measured has the workers.
"""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

Object = dict[str, Any]

_READ, _WRITE = 0.03, 0.13  # seconds of a call for one object
_EACH_READ, _EACH_WRITE = 0.0002, 0.017  # seconds for each further one
_LONGEST = 0.3  # seconds of a write


class Refused(Exception):
    """A request the service refuses; ``kind`` is Neutron's name of the error."""

    def __init__(self, status: int, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def missing(what: str, identifier: str) -> Refused:
    """Return the refusal of what does not exist."""
    return Refused(404, f"{what} {identifier} could not be found.", f"{what}NotFound")


async def think(*, writes: bool, things: int = 1) -> None:
    """Take the time the lab's services take for a call about so many objects."""
    if writes:
        await asyncio.sleep(min(_LONGEST, _WRITE + _EACH_WRITE * (things - 1)))
    else:
        await asyncio.sleep(_READ + _EACH_READ * things)


def answer(document: Any, status: int = 200) -> web.Response:
    """Return a document as JSON."""
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")


def neutron_error(refusal: Refused) -> web.Response:
    """Return a refusal in Neutron's form."""
    error = {"type": refusal.kind, "message": str(refusal), "detail": ""}
    return answer({"NeutronError": error}, refusal.status)


def octavia_error(refusal: Refused) -> web.Response:
    """Return a refusal in Octavia's form."""
    return answer({"faultcode": "Client", "faultstring": str(refusal), "debuginfo": None}, refusal.status)


def shown(thing: Object, fields: list[str]) -> Object:
    """Return the fields of an object that were asked for; all, if none."""
    return {name: thing[name] for name in fields if name in thing} if fields else thing


def carries(thing: Object, tags: list[str]) -> bool:
    """Return whether an object carries all tags; each of ``tags`` may be several with commas."""
    wanted = {tag for text in tags for tag in text.split(",") if tag}
    return wanted <= set(thing.get("tags", ()))
