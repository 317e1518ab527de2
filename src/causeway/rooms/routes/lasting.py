"""Telling only what lasts: a service is often made a moment after the route that names it."""

from collections.abc import Iterable

from causeway.rooms.routes.model import Refusal

LASTING = 10.0
"""Seconds after which something is told."""


class Lasting:
    """Since when something is to be told of objects, by their keys, and what of it was told."""

    def __init__(self) -> None:
        self._since: dict[str, dict[Refusal, float]] = {}
        self._told: dict[str, frozenset[Refusal]] = {}

    def forget(self, key: str) -> None:
        """Forget an object: another of its name is told anew."""
        self._since.pop(key, None)
        self._told.pop(key, None)

    def due(self, key: str, notes: Iterable[Refusal], now: float) -> tuple[list[Refusal], float]:
        """Return what of ``notes`` is to be told, and in how many seconds to ask again, 0 for not at all.

        Each is told once until it is over. ``now`` is in seconds.
        """
        before, told = self._since.pop(key, {}), self._told.pop(key, frozenset())
        since = {each: before.get(each, now) for each in notes}
        new = [each for each, begun in since.items() if each not in told and begun + LASTING <= now]
        told = frozenset({*(told & since.keys()), *new})
        if since:
            self._since[key], self._told[key] = since, told
        rests = [begun + LASTING - now for each, begun in since.items() if each not in told]
        return new, min(rests, default=0.0)
