"""What all routes together want of HAProxy, what it runs, and which backend each route has."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from causeway.rooms.routes.config import backend_names
from causeway.rooms.routes.model import OPTIONS, RETIRING, Item, MapKey, ServerKey, Value, Wish
from causeway.rooms.routes.plan import Step, apply_to


class Wanted:
    """The items every owner wishes for; of several wishes for one item the one of highest rank counts."""

    def __init__(self) -> None:
        self.items: dict[Item, Wish] = {}
        self._owners: dict[Item, dict[str, Wish]] = {}
        self._first: dict[Item, str] = {}  # of the owners of each: who it counts of
        self._of: dict[str, dict[Item, Wish]] = {}

    def put(self, owner: str, wishes: Mapping[Item, Wish]) -> set[Item]:
        """Let ``owner`` wish for exactly this; return the items that may have changed."""
        before = self._of.pop(owner, {})
        if wishes:
            self._of[owner] = dict(wishes)
        touched = {item for item in before.keys() | wishes.keys() if before.get(item) != wishes.get(item)}
        for item in touched:
            owners = self._owners.setdefault(item, {})
            owners.pop(owner, None)
            if item in wishes:
                owners[owner] = wishes[item]
            if not owners:
                del self._owners[item], self._first[item], self.items[item]
                continue
            first = self._first.get(item, owner)
            # All are looked through only if the one it counted of has changed: they can be thousands.
            rivals = owners if first == owner else {first, owner} & owners.keys()
            self._first[item] = max(rivals, key=lambda each: (owners[each].rank, each))
            self.items[item] = owners[self._first[item]]
        return touched


def backend_of(item: Item) -> str | None:
    """Return the backend an item is a part of; what leads to one is not."""
    if isinstance(item, ServerKey):
        return item.backend
    if isinstance(item, MapKey) and item.map in OPTIONS:
        return item.key.partition("/")[0]
    return None


class Running:
    """HAProxy's state, with the items of each backend, and since when servers retire."""

    def __init__(self, state: Mapping[Item, Value], now: float) -> None:
        self.items: dict[Item, Value] = dict(state)
        self._backends: dict[str, set[Item]] = {}
        self._retiring: dict[Item, float] = {}
        for item in self.items:
            self._index(item, now)

    def apply(self, step: Step, now: float) -> None:
        """Note that a step was done."""
        apply_to(self.items, step)
        self._index(step.item, now)

    def empty(self, backend: str) -> bool:
        """Return whether nothing is left in a backend of the route that had it."""
        return backend not in self._backends

    def retiring(self, since: float = math.inf) -> list[Item]:
        """Return the servers that are to go, and are so since then at the latest."""
        return [item for item, began in self._retiring.items() if began <= since]

    def _index(self, item: Item, now: float) -> None:
        if self.items.get(item) == RETIRING:
            self._retiring.setdefault(item, now)
        else:
            self._retiring.pop(item, None)
        backend = backend_of(item)
        if backend is None:
            return
        if item in self.items:
            self._backends.setdefault(backend, set()).add(item)
        elif item in self._backends.get(backend, ()):
            self._backends[backend].discard(item)
            if not self._backends[backend]:
                del self._backends[backend]


class Slots:
    """Which route has which backend. One given back is given out again only once nothing is left in it."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[str, str]] = {}  # kind and backend, by owner
        self._free: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}
        self._left: set[tuple[str, str]] = set()  # kind and backend, of routes that went

    def lay_out(
        self, counts: Mapping[str, int], held: Mapping[str, str], running: Running | None = None
    ) -> None:
        """Begin anew with so many backends of each kind; ``held`` says who has which, by backend.

        One that nobody has is free if nothing is left in it in ``running``; without that, nothing is.
        """
        self._counts = dict(counts)
        self._of, self._left = {}, set()
        self._free = {}
        for kind, count in counts.items():
            for backend in reversed(backend_names(kind, count)):
                if backend in held:
                    self._of[held[backend]] = (kind, backend)
                elif running is not None and not running.empty(backend):
                    self._left.add((kind, backend))
                else:
                    self._free.setdefault(kind, []).append(backend)

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many backends there are of each kind."""
        return self._counts

    @property
    def resting(self) -> Mapping[str, int]:
        """Return how many of each kind were given back, and have something left in them."""
        return Counter(kind for kind, _ in self._left)

    def of(self, owner: str) -> str | None:
        """Return the backend ``owner`` has."""
        return self._of[owner][1] if owner in self._of else None

    def owners(self) -> Iterator[tuple[str, str]]:
        """Yield (owner, backend)."""
        for owner, (_, backend) in self._of.items():
            yield owner, backend

    def give(self, owner: str, kind: str) -> str | None:
        """Return the backend of this kind that ``owner`` has or is given now; None if there is none left."""
        have = self._of.get(owner)
        if have is not None and have[0] == kind:
            return have[1]
        free = self._free.get(kind)
        if not free:
            return None
        self.take(owner)
        backend = free.pop()
        self._of[owner] = (kind, backend)
        return backend

    def take(self, owner: str) -> None:
        """Take the backend back from ``owner``."""
        had = self._of.pop(owner, None)
        if had is not None:
            self._left.add(had)

    def sweep(self, running: Running) -> None:
        """Have those given back for others in which nothing is left."""
        for kind, backend in list(self._left):
            if running.empty(backend):
                self._left.discard((kind, backend))
                self._free.setdefault(kind, []).append(backend)


def among(items: Iterable[Item], state: Mapping[Item, Value]) -> dict[Item, Value]:
    """Return the part of ``state`` about ``items``."""
    return {item: state[item] for item in items if item in state}
