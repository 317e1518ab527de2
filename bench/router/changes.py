"""Changes that routers have every day, mixed, and what routes are after them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["endpoints", "weights", "certificate", "path", "host"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Change:
    """One change of the route ``number``; ``done`` and later undone."""

    kind: Kind
    number: int
    done: bool


def changes(count: int) -> Iterator[Change]:
    """Yield changes of ``count`` routes, and of hosts beside theirs, without an end: each kind in its turn.

    Five are done and then undone, so that what there is stays as large as it was.
    """
    chance = random.Random(count)
    while True:
        numbers = [chance.randrange(count) for _ in KINDS[:-1]]
        numbers.append(count * 2 + chance.randrange(count))  # a host that nobody has
        for done in (True, False):
            for kind, number in zip(KINDS, numbers, strict=True):
                yield Change(kind, number, done)


@dataclass
class State:
    """What routes have beside what all have, by their numbers.

    A second endpoint; a second service with a third of the weight of the first; a certificate (0 or 1); a
    route for a path; or there is a host that is none of the first.
    """

    endpoints: set[int] = field(default_factory=set)
    weights: set[int] = field(default_factory=set)
    path: set[int] = field(default_factory=set)
    host: set[int] = field(default_factory=set)
    certificate: dict[int, int] = field(default_factory=dict)

    def take(self, change: Change) -> None:
        """Become what it is after a change; a certificate is not taken away, but another one."""
        if change.kind == "certificate":
            self.certificate[change.number] = 1 - self.certificate.get(change.number, 1)
            return
        numbers: set[int] = getattr(self, change.kind)
        if change.done:
            numbers.add(change.number)
        else:
            numbers.discard(change.number)
