"""What a room promises to a controller: make one key right, again and again if need be."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Result:
    """How a reconciliation ended; with ``requeue_after`` the key comes again in so many seconds."""

    requeue_after: float | None = None


DONE = Result()


class Reconciler(Protocol):
    """Recomputes everything from a key; holds no state about what it did before."""

    async def reconcile(self, key: str) -> Result:
        """Bring the world of ``key`` to the desired state.

        Raises whatever goes wrong and never retries: the controller repeats the key after its delay.
        """
        ...

    async def failed(self, key: str, error: Exception) -> None:
        """Tell the user about a failure, usually as an Event on the object; must not raise."""
        ...
