"""Lists of the cloud as answers of the interface: a page, or all there is."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from causeway.cloud import errors
from causeway.serve.csi.requests import stale

_Thing = TypeVar("_Thing")
_PAGE = 1000  # what Cinder gives at most, unless its administrators chose less


async def pages(
    ask: Callable[[int, str], Awaitable[tuple[list[_Thing], str]]], most: int, marker: str, what: str
) -> tuple[list[_Thing], str]:
    """Return at most ``most`` objects behind ``marker``, with the next marker, or all of them (0).

    ``ask`` takes a limit and a marker, ``what`` names the objects. Raises ``Refused`` for a stale marker.
    """
    found: list[_Thing] = []
    while True:
        try:
            page, marker = await ask(most or _PAGE, marker)
        except errors.NotFound as error:
            raise stale(what) from error
        found += page
        if most or not marker:
            return found, marker
