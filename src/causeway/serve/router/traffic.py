"""HAProxy's counters of backends as figures of routes."""

import csv
import io
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from causeway.kit.metrics import Values

_FIGURES = {
    "requests": "req_tot",
    "connections": "stot",
    "current": "scur",
    "bytes_in": "bin",
    "bytes_out": "bout",
    "2xx": "hrsp_2xx",
    "3xx": "hrsp_3xx",
    "4xx": "hrsp_4xx",
    "5xx": "hrsp_5xx",
    "connect_errors": "econ",
    "servers": "act",
}
_LEVELS = frozenset({"current", "servers"})  # not counted up


class Backends(Protocol):
    """Knows which route has which backend."""

    def backends(self) -> Mapping[str, str]:
        """Return the routes by backend."""
        ...


class _Seen(NamedTuple):
    """Whose a backend was, what it had counted when it became that one's, and by now."""

    owner: str
    start: dict[str, float]
    counted: dict[str, float]


class Traffic:
    """A backend counts on when another route is given it: what it had counted by then is not that one's.

    One that was nobody's counted nothing since it was last looked at: what it did meanwhile is the new one's.
    """

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._last: dict[str, _Seen] = {}  # by backend

    def values(self, text: str) -> Values:
        """Return the figures by (namespace, route, figure) from the answer to ``show stat``."""
        rows = _rows(text)
        values: dict[tuple[str, ...], float] = {}
        held = self._backends.backends()
        for backend, row in rows.items():
            owner = held.get(backend)
            counted = {name: float(row.get(column) or 0) for name, column in _FIGURES.items()}
            nothing = dict.fromkeys(counted, 0.0)
            before = self._last.get(backend, _Seen(owner or "", nothing, nothing))
            start = before.start
            if counted["connections"] < before.counted["connections"]:
                start = nothing  # it began anew
            elif before.owner != (owner or ""):
                start = counted if before.owner else before.counted
            self._last[backend] = _Seen(owner or "", start, counted)
            if owner is None:
                continue
            namespace, _, name = owner.partition("/")
            for figure, value in counted.items():
                values[namespace, name, figure] = value - (0.0 if figure in _LEVELS else start[figure])
        return values


def _rows(text: str) -> dict[str, dict[str, str]]:
    rows = csv.DictReader(io.StringIO(text.lstrip("# ")))
    return {row["pxname"]: row for row in rows if row.get("svname") == "BACKEND"}
