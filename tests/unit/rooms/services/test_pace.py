"""The pace: how many looks it takes, and how late the last is, with providers that work in different ways."""

import math
from dataclasses import dataclass, field

import pytest

from causeway.rooms.services.pace import LOST_AFTER, STILL, UNKNOWN, Pace, Size, again

NINE = Size(3, 9)
_STEP = 0.1  # of what a member takes


@dataclass
class Provider:
    """One that takes ``seconds`` for a member, more if it has to share out ``lanes`` among more."""

    seconds: float
    lanes: float
    now: float = 0.0
    begun: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def work(self) -> None:
        self.now += _STEP * self.seconds
        busy = [one for one in self.begun if one not in self.ended]
        for one in busy:
            self.begun[one] += _STEP * min(1.0, self.lanes / len(busy))
            if self.begun[one] >= NINE.parts:
                self.ended[one] = self.now

    def left(self, one: str) -> int:
        return max(0, NINE.parts - math.floor(self.begun[one]))


def looks_and_lateness(pace: Pace, provider: Provider, count: int) -> tuple[float, float]:
    """Make so many at once; return the looks each took, and how late all were known for what they took."""
    provider.begun, provider.ended = {}, {}
    started = provider.now
    for number in range(count):
        provider.begun[f"lb{number}"] = 0.0
        pace.begin(f"lb{number}", NINE, started)
    looks = 0
    waited_for = set(provider.begun)
    while waited_for:
        provider.work()
        due = [one for one, when in pace.moments(provider.now).items() if when <= provider.now]
        for one in due:
            looks += 1
            if provider.left(one):
                pace.goes_on(one, provider.left(one), provider.now - started, provider.now)
            else:
                pace.ended(one, provider.now)
                waited_for.discard(one)
    took = max(provider.ended.values()) - started
    return looks / count, (provider.now - started) / took


@pytest.mark.parametrize("lanes", [1, 2, math.inf])
@pytest.mark.parametrize("seconds", [0.1, 0.4, 2.0])
def test_what_is_learnt_saves_looks_and_time(seconds: float, lanes: float) -> None:
    pace, provider = Pace(), Provider(seconds, lanes)
    for count in (1, 1, 10, 30):  # to learn from
        looks_and_lateness(pace, provider, count)
    for count in (1, 10, 30, 1, 10):
        looks, late = looks_and_lateness(pace, provider, count)
        assert looks <= 4
        assert late <= (1.2 if seconds * NINE.parts > 3 else 2)


def test_nothing_known_costs_a_few_looks_more() -> None:
    for seconds in (0.05, 0.4, 6.0):
        looks, late = looks_and_lateness(Pace(), Provider(seconds, 1), 1)
        assert looks <= 10
        assert late <= 1.2 or seconds < 0.1


def test_what_others_change_is_looked_at_soon() -> None:
    pace = Pace()
    pace.begin("a", UNKNOWN, 10.0)
    assert pace.moments(10.0)["a"] <= 10.5
    pace.goes_on("a", 3, 0.5, 10.5)
    assert 10.5 < pace.moments(10.5)["a"] <= 11.0


def test_one_that_is_held_is_not_looked_at_before() -> None:
    pace = Pace()
    pace.begin("a", UNKNOWN, 0.0)
    pace.hold("a", 7.0)
    pace.begin("b", NINE, 1.0)
    assert pace.moments(1.0)["a"] == 7.0


def test_looks_come_more_seldom_the_longer_something_takes() -> None:
    assert again(0.1) < again(10.0) < again(60.0) <= 10.0


def test_what_nothing_is_heard_of_is_lost_once_all_is_still() -> None:
    pace = Pace()
    for number in range(3):
        pace.begin(f"lb{number}", NINE, 0.0)
    assert not pace.lost("lb0", LOST_AFTER - 1)
    pace.goes_on("lb1", 3, LOST_AFTER, LOST_AFTER)
    assert not pace.lost("lb0", LOST_AFTER + STILL - 1)  # the provider works: its turn may come
    assert pace.lost("lb0", LOST_AFTER + STILL)
    pace.ended("lb1", LOST_AFTER + STILL)
    assert not pace.lost("lb0", LOST_AFTER + STILL + 1)


def test_what_much_later_ones_overtook_is_lost() -> None:
    pace = Pace()
    pace.begin("lost", NINE, 0.0)
    for second in range(1, int(LOST_AFTER) + 10):
        pace.begin(f"lb{second}", NINE, float(second))
        if second > 5:
            pace.ended(f"lb{second - 5}", float(second))
    now = LOST_AFTER + 10
    assert pace.lost("lost", now)
    assert not pace.lost(f"lb{now - 2:.0f}", now)


def test_who_is_not_waited_for_is_not_lost() -> None:
    pace = Pace()
    assert not pace.lost("a", 1000.0)
    pace.begin("a", NINE, 0.0)
    pace.ended("a", 5.0)
    assert not pace.lost("a", 1000.0)
