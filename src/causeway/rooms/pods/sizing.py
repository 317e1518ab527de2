"""How many ready ports are wanted: enough for the pods that probably come before more can be made. Pure."""

import math

from causeway.rooms.pods.model import Sizes

_MEMORY = 60.0  # seconds after which an arrival counts a third
_AHEAD = 30.0  # seconds to look ahead: about what making a few dozen ports takes


class Forecast:
    """Expects pods to go on coming as they did of late; arrivals are forgotten exponentially."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._at = 0.0

    def seen(self, now: float, count: int = 1) -> None:
        """Take note of ``count`` pods at ``now`` (seconds)."""
        self._weight = self._weighed(now) + count
        self._at = now

    def expected(self, now: float) -> int:
        """Return how many pods are expected soon."""
        return math.floor(self._weighed(now) * _AHEAD / _MEMORY)

    def _weighed(self, now: float) -> float:
        return self._weight * math.exp(-max(0.0, now - self._at) / _MEMORY)


def target(expected: int, sizes: Sizes) -> int:
    """Return how many ready ports there should be."""
    return min(max(expected, sizes.minimum), sizes.maximum)


def to_make(spare: int, wanted: int, sizes: Sizes) -> int:
    """Return how many ports to make when ``spare`` are left after all waiting pods (fewer than 0: they lack).

    In batches, but what waiting pods lack is made at once, and never so many that some would be retired.
    """
    if spare >= min(sizes.minimum, wanted) and spare > wanted - sizes.batch:
        return 0
    return max(wanted - spare, min(sizes.batch, sizes.maximum - spare) if wanted else 0)


def surplus(spare: int, wanted: int, sizes: Sizes) -> int:
    """Return how many ready ports are too many."""
    return spare - wanted if spare > min(wanted + sizes.batch, sizes.maximum) else 0
