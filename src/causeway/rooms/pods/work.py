"""What is known of the work on nodes between two looks at them: what is under way, and what has to wait."""

import random
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from causeway.kit.errors import Finding
from causeway.kube.objects import PoolPort, PortPool
from causeway.rooms.pods.model import Sizes, Slot
from causeway.rooms.pods.sizing import Forecast, target

_FIRST, _MOST = 1.0, 30.0  # seconds between repetitions of what fails
_STRIKE = 5.0  # seconds an entry of a port that is no more may wait for another change of its pool
_SCARCITY = 60.0  # seconds for which reserves are given up after ports or addresses ran out


@dataclass
class Pause:
    """A kind of call that failed so many times in a row; it is repeated at ``until``."""

    reason: str
    finding: Finding
    failures: int = 0
    until: float = 0.0


@dataclass
class Work:
    """The work on one node."""

    busy: set[str] = field(default_factory=set)
    trunk_busy: bool = False
    coming: Counter[Slot | str] = field(default_factory=Counter)
    pauses: dict[str, Pause] = field(default_factory=dict)
    forecasts: dict[str, Forecast] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()  # pods that do not get the prepared port they ask for
    written: PortPool | None = None
    strike_at: float | None = None  # when entries are struck out at the latest
    _retired: dict[str, int] = field(default_factory=dict)
    _pool_uid: str = ""

    def pool(self, shown: PortPool | None) -> PortPool | None:
        """Return the pool as of late: as we wrote it, or as the watch shows it."""
        written = self.written
        if written is None or shown is None or shown.metadata.uid != written.metadata.uid:
            return shown or written
        return shown if shown.metadata.generation >= written.metadata.generation else written

    def settled(self, pool: PortPool | None) -> frozenset[str]:
        """Return the entries of which the node knows that they are retiring."""
        if pool is None:
            self._retired.clear()
            return frozenset()
        if pool.metadata.uid != self._pool_uid:
            self._pool_uid = pool.metadata.uid
            self._retired.clear()
        retiring = [entry.port_id for entry in pool.spec.ports if entry.retiring]
        generation = pool.metadata.generation
        self._retired = {port_id: self._retired.get(port_id, generation) for port_id in retiring}
        seen = pool.status.observed_generation
        return frozenset(port_id for port_id, since in self._retired.items() if since <= seen)

    def is_due(self, known: Sequence[PoolPort] | None, wanted: Sequence[PoolPort], now: float) -> bool:
        """Return whether a pool is to be written: not at once if it would only lose entries."""
        if known is not None and tuple(known) == tuple(wanted):
            self.strike_at = None
            return False
        left = {entry.port_id for entry in wanted}
        if known is not None and tuple(entry for entry in known if entry.port_id in left) == tuple(wanted):
            self.strike_at = now + _STRIKE if self.strike_at is None else self.strike_at
            if now < self.strike_at:
                return False
        self.strike_at = None
        return True

    def arrived(self, namespace: str, now: float) -> None:
        """Take note of a pod that came to the node."""
        self.forecasts.setdefault(namespace, Forecast()).seen(now)

    def targets(self, now: float, sizes: Sizes) -> dict[str, int]:
        """Return how many ready ports there should be, by namespace; a minimum is kept of shared ones."""
        wanted = {}
        for namespace, forecast in [*self.forecasts.items()]:
            wanted[namespace] = min(forecast.expected(now), sizes.maximum)
            if not wanted[namespace]:
                del self.forecasts[namespace]
        return wanted | {"": target(wanted.get("", 0), sizes)}

    def failed(self, key: str, reason: str, finding: Finding, *, now: float, at_least: float = 0.0) -> float:
        """Take note that a kind of call failed; return the seconds until it is repeated."""
        pause = self.pauses.setdefault(key, Pause(reason, finding))
        if pause.until > now:  # one of several that failed together
            return pause.until - now
        pause.reason, pause.finding = reason, finding
        delay = max(min(_MOST, _FIRST * 2.0 ** min(pause.failures, 16)), at_least)
        delay *= 1 + 0.2 * random.random()  # noqa: S311  # spreads load, guards nothing
        pause.failures += 1
        pause.until = now + delay
        return delay

    def waits(self, key: str, now: float) -> bool:
        """Return whether a kind of call is not to be made yet."""
        pause = self.pauses.get(key)
        return pause is not None and pause.until > now

    def next_look(self, now: float) -> float | None:
        """Return the seconds until something is to be repeated."""
        waits = [pause.until - now for pause in self.pauses.values() if pause.until > now]
        if self.strike_at is not None:
            waits.append(max(0.0, self.strike_at - now))
        return min(waits, default=None)

    def forget_except(self, planned: Container[str], now: float) -> None:
        """Drop what failed once and is not wanted any more."""
        for key, pause in [*self.pauses.items()]:
            if key not in planned and pause.until <= now:
                del self.pauses[key]


def rest_key(port_id: str) -> str:
    """Return the kind of call by which one prepared port is brought to its pod: no other waits for it."""
    return f"bring {port_id}"


class Works:
    """The work on each node, and the networks that ran out of ports or addresses of late."""

    def __init__(self) -> None:
        self._of: dict[str, Work] = {}
        self._scarce: dict[str, float] = {}  # network -> until when reserves are given up

    def of(self, node: str) -> Work:
        """Return the work on a node."""
        return self._of.setdefault(node, Work())

    def busy_with(self, port_id: str) -> str:
        """Return the node for which something is being done with a port, or ""."""
        return next((node for node, work in self._of.items() if port_id in work.busy), "")

    def ran_out(self, network_id: str, now: float) -> bool:
        """Take note that a network has no more ports or addresses; return whether that is news."""
        news = self._scarce.get(network_id, 0.0) <= now
        self._scarce[network_id] = now + _SCARCITY
        return news

    def scarce(self, now: float) -> set[str]:
        """Return the networks of which reserves are given up."""
        return {network_id for network_id, until in self._scarce.items() if until > now}
