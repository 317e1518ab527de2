"""One at a time on this machine: builds with the same cache would remove each other's results."""

import contextlib
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causeway.kit.progress import Progress


@contextmanager
def alone(cache: Path, what: str, progress: Progress) -> Iterator[None]:
    """Keep others who build ``what`` with the same ``cache`` waiting."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{what}.lock").open("w") as lock, contextlib.ExitStack() as unlocked:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            unlocked.enter_context(progress.phase("waiting for another build on this machine"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            unlocked.close()
        yield
