"""When Octavia will probably have ended: so that a look at the right moment does instead of many.

Every look costs the cloud what a small change costs it (the OVN provider works in the processes that
answer), so looking often makes what is waited for slower. How long a change takes depends on its size, and
on how many are under way at once, in a way that is the provider's own: the speed is learnt for each number
of them, and the moments of all are set anew whenever that number changes or a look has told something.
"""

import math
from dataclasses import dataclass, field

_BASE = 0.15  # weight of a change by itself
_PART = 0.03  # weight of a part whose change is told to the agent, and for each part looked up by that
_SPEED = 1.0  # seconds for a weight of 1, before anything is known
_LEAST, _MOST = 0.25, 10.0  # seconds between two looks at one load balancer
_AGAIN = 0.15  # of the time waited so far: when to look again if nothing tells how far it is
_LONG = 2.0  # seconds: what is expected to take longer is looked at on its way, ...
_WAY = 0.6  # ... at this part of it, to be met at its end then
_LATER = 0.3  # of the time of a part: how much later than expected the end is looked for
_TRUST = 0.5  # how much one observation counts, as a power of what it says is wrong
_HASTE = 0.9  # what is expected next of what was expected, when that was long enough
_WRONG = 4.0  # by how much one observation may say an expectation is wrong
_FASTEST, _SLOWEST = 0.05, 1000.0  # seconds for a weight of 1
LOST_AFTER = 60.0  # seconds after which a change may have been lost
STILL = 30.0  # seconds without any progress that tell so: longer than between two looks
_OVERTAKEN = 30.0  # seconds later that another was asked for which has ended: several queues are not as even


@dataclass(frozen=True)
class Size:
    """What is changed: so many ``parts`` (members) of a load balancer with so many listeners."""

    fronts: int
    parts: int

    @property
    def each(self) -> float:
        """The weight of a part: for each the OVN provider asks for every listener and every pool again."""
        return _PART * (2 * self.fronts + 1)

    @property
    def weight(self) -> float:
        """The weight of all, 0 if nothing is known of it."""
        return _BASE + self.parts * self.each if self.fronts else 0.0


UNKNOWN = Size(0, 0)
"""Somebody else's change, or one whose size was forgotten."""


@dataclass
class _Task:
    """A change under way."""

    left: float  # the weight that is probably left
    known: float  # the weight that was left when that was last known
    since: float  # when it was, in seconds
    began: float
    each: float  # the weight of a part
    least: float  # not to be looked at before, in seconds
    looked: bool = False


@dataclass
class Pace:
    """What is learnt of one provider: ``speeds`` are seconds for a weight of 1.

    By the number of changes under way at once: 1, 2 to 3, 4 to 7, and so on.
    """

    speeds: dict[int, float] = field(default_factory=dict)
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _when: float = 0.0
    _moved: float = -math.inf  # when anything was last seen to go on or to end
    _newest: float = -math.inf  # when the latest of those that ended had begun

    def begin(self, identifier: str, size: Size, now: float) -> None:
        """Take in that a change was asked for."""
        self._advance(now)
        self._tasks[identifier] = _Task(size.weight, size.weight, now, now, size.each, now + _LEAST)

    def hold(self, identifier: str, until: float) -> None:
        """Have a change not looked at before a moment."""
        if identifier in self._tasks:
            self._tasks[identifier].least = until

    def goes_on(self, identifier: str, left: int, waited: float, now: float) -> None:
        """Take in that a look after ``waited`` seconds found so many parts left; 0: it tells of none."""
        self._advance(now)
        task = self._tasks.get(identifier)
        if task is None:
            return
        remains = min(task.known, task.each * (left - 0.5))  # one of them is half done
        progress = task.known - remains
        if left and progress > 0:
            self._learn((now - task.since) / progress)
            task.left = task.known = remains
            task.since, task.least = now, now + _LEAST
            self._moved = now
        else:
            if left and task.each > 0:  # one part has taken at least that long
                task.left = task.known
                self._learn(max(self._speed(), (now - task.since) / task.each))
            task.least = now + again(waited)
        task.looked = True

    def ended(self, identifier: str, now: float) -> None:
        """Take in that a look found the change ended; it does not tell since when."""
        speed = self._speed()
        self._advance(now)
        task = self._tasks.get(identifier)
        if task is not None and task.known > 0:
            self._learn(min(_HASTE * speed, (now - task.since) / task.known))
        if task is not None:
            self._moved, self._newest = now, max(self._newest, task.began)
        self.forget(identifier)

    def lost(self, identifier: str, now: float) -> bool:
        """Return whether a change of which nothing is seen will probably never end.

        Providers work in the order they are asked, so one that waits for its turn behind many others is told
        from one that was lost by their progress: nothing goes on any more, or later ones have had their turn.
        """
        task = self._tasks.get(identifier)
        if task is None or now - task.began < LOST_AFTER:
            return False
        return now - self._moved >= STILL or self._newest >= task.began + _OVERTAKEN

    def forget(self, identifier: str) -> None:
        """Take in that nobody waits for this one any more."""
        self._tasks.pop(identifier, None)

    def moments(self, now: float) -> dict[str, float]:
        """Return when to look at each change that is under way."""
        self._advance(now)
        speed = self._speed()
        moments = {}
        for identifier, task in self._tasks.items():
            left = task.left + _LATER * task.each if task.looked else task.left
            seconds = max(0.0, left * speed)
            if not task.looked and now - task.since + seconds > _LONG:
                seconds -= (1 - _WAY) * (now - task.since + seconds)
            moments[identifier] = max(task.least, now + seconds)
        return moments

    def _advance(self, now: float) -> None:
        speed = self._speed()
        for task in self._tasks.values():
            task.left -= (now - self._when) / speed
        self._when = now

    def _speed(self) -> float:
        """Return the seconds a weight of 1 takes now; by the nearest number of changes, if need be."""
        at_once = len(self._tasks).bit_length()
        nearest = min(self.speeds, key=lambda one: abs(one - at_once), default=None)
        return _SPEED if nearest is None else self.speeds[nearest]

    def _learn(self, seconds: float) -> None:
        """Take in that a weight of 1 took so many seconds."""
        speed, at_once = self._speed(), len(self._tasks).bit_length()
        wrong = min(_WRONG, max(1 / _WRONG, seconds / speed))
        learnt = speed * wrong ** (_TRUST if at_once in self.speeds else 1.0)
        self.speeds[at_once] = min(_SLOWEST, max(_FASTEST, learnt))


def again(waited: float) -> float:
    """Return after how many more seconds to look again when nothing tells how long it will take."""
    return min(_MOST, max(_LEAST, _AGAIN * waited))
