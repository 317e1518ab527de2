"""Which requests a route is for, as keys of HAProxy's maps, and what their paths are made into."""

from collections.abc import Iterable

from causeway.rooms.routes.model import Refused, Way
from causeway.rooms.routes.parts import Match

LABELS = 6  # that a wildcard of Gateway API can stand for
DEEPEST = 8  # segments of a path in front of which another can be put


def ways(
    scheme: str, host: str, path: str, *, redirect: bool = False, match: Match = "prefix"
) -> Iterable[Way]:
    """Return the keys for all requests by ``scheme`` (p plain, s secure) to ``host`` at ``path`` and below.

    Below means at a slash: /foo leads to /foo and /foo/bar and not to /foobar; /foo/ not to /foo.
    """
    base = f"{scheme}{host}{path}"
    if match == "exact":
        yield Way("exact", base, redirect, rank=2)  # also before who has it with what is below it
    elif match == "default":
        yield Way("prefix", base + "/", redirect, rank=-1)
    elif not path:
        yield Way("prefix", base + "/", redirect)
    elif path.endswith("/"):
        yield Way("prefix", base, redirect, rank=1)  # it says more than the same without the slash
    else:
        yield Way("exact", base, redirect)
        yield Way("prefix", base + "/", redirect)


def rewriting(path: str, target: str) -> str:
    """Return how the path of a request is made from ``target`` and what follows ``path``.

    That is ``<segments to drop>:<how to join>:<target>``: joined by a slash if one was there (``s``), always
    (``a``), or never, because ``path`` ends with it (``n``).
    """
    segments = [each for each in path.split("/") if each]
    if "/" + "/".join(segments) != (path.rstrip("/") or "/"):
        raise Refused("spec.path: a path with // in it cannot be rewritten")
    if len(segments) > DEEPEST:
        raise Refused(f"spec.path: a path of more than {DEEPEST} segments cannot be rewritten")
    if target == "/":
        return f"{len(segments)}:a:"
    join = "n" if path.endswith("/") else "s"
    return f"{len(segments)}:{join}:{target}"


def replacing(target: str) -> str:
    """Return how ``target`` alone becomes the path of a request."""
    return f"w:n:{target}"


def inserting(path: str, target: str) -> str:
    """Return how the path is made from ``target``, which ends with a slash, and what follows ``path``."""
    return rewriting(path, "/") + target.rstrip("/")
