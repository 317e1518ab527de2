"""Which request meets which fault: drawn from a seed, or told by a test.

The draw depends on the seed, the door and how often a request of this kind was made before, not on how
requests of different kinds happen to interleave: so a seed says nearly the same in every run.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What can happen to a request."""

    DELAY = "delay"
    """It is passed on, and answered, later."""
    REFUSE = "refuse"
    """It is answered with a status, without being passed on."""
    CUT_BEFORE = "cut before"
    """The connection is reset before the server hears of it."""
    CUT_AFTER = "cut after"
    """The server acts and answers; the connection is reset instead of the answer."""
    HALF = "half an answer"
    """The server acts; half of the answer's body comes, then the connection ends in order."""
    CUT_STREAM = "cut stream"
    """A watch is passed on, and reset after a while."""


@dataclass(frozen=True)
class Fault:
    """One thing that happens; ``seconds`` for delays and streams, ``retry_after`` 0 for none."""

    kind: Kind
    status: int = 0
    seconds: float = 0.0
    retry_after: int = 0


@dataclass(frozen=True)
class Request:
    """What a fault is chosen by; ``verb`` is the call without identifiers."""

    door: str
    method: str
    target: str

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def is_watch(self) -> bool:
        return "watch=true" in self.target

    @property
    def verb(self) -> str:
        return f"{self.method} {_IDENTIFIER.sub('{}', self.path)}{' watch' if self.is_watch else ''}"


_IDENTIFIER = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_STATUSES = (409, 429, 500, 503)
_WATCH_STATUSES = (410, 429, 500)

Rates = Mapping[Kind, float]

FAIR: Rates = {}
STORMY: Rates = {
    Kind.DELAY: 0.06,
    Kind.REFUSE: 0.06,
    Kind.CUT_BEFORE: 0.03,
    Kind.CUT_AFTER: 0.04,
    Kind.HALF: 0.03,
}
"""How likely each fault is for a request: about one in five meets one."""


class Weather:
    """Chooses faults; counts them by door and kind in ``met``, and keeps every request in ``history``."""

    def __init__(self, seed: int = 0, rates: Rates = FAIR) -> None:
        self.seed = seed
        self.rates = rates
        self.met: Counter[tuple[str, str]] = Counter()
        self.history: list[Request] = []
        self._told: list[tuple[Callable[[Request], bool], Fault]] = []
        self._seen: Counter[tuple[str, str]] = Counter()

    def once(self, when: Callable[[Request], bool], fault: Fault) -> None:
        """Have the next request for which ``when`` holds meet ``fault``."""
        self._told.append((when, fault))

    def calm(self) -> None:
        """Have no request meet a fault any more."""
        self.rates = FAIR
        self._told.clear()

    def choose(self, request: Request) -> Fault | None:
        """Return what happens to ``request``; None: nothing."""
        self.history.append(request)
        fault = self._chosen(request)
        if fault is not None:
            name = f"{fault.status}" if fault.kind is Kind.REFUSE else fault.kind.value
            self.met[request.door, name] += 1
        return fault

    def _chosen(self, request: Request) -> Fault | None:
        for told in self._told:
            if told[0](request):
                self._told.remove(told)
                return told[1]
        self._seen[request.door, request.verb] += 1
        turn = self._seen[request.door, request.verb]
        dice = random.Random(f"{self.seed} {request.door} {request.verb} {turn}")
        drawn = dice.random()
        for kind, rate in self.rates.items():
            drawn -= rate
            if drawn < 0:
                return _watch_fault(dice) if request.is_watch else _fault(kind, dice)
        return None


def _fault(kind: Kind, dice: random.Random) -> Fault:
    match kind:
        case Kind.DELAY | Kind.CUT_STREAM:
            return Fault(kind, seconds=dice.choice((0.2, 0.5, 1.0, 3.0)))
        case Kind.REFUSE:
            status = dice.choice(_STATUSES)
            paused = status == 429 or (status == 503 and dice.random() < 0.5)
            return Fault(kind, status=status, retry_after=1 if paused else 0)
        case _:
            return Fault(kind)


def _watch_fault(dice: random.Random) -> Fault:
    """A watch lasts: what cuts an answer elsewhere cuts it at some moment of its life."""
    if dice.random() < 0.3:
        return Fault(Kind.REFUSE, status=dice.choice(_WATCH_STATUSES))
    return Fault(Kind.CUT_STREAM, seconds=dice.uniform(0.2, 8.0))
