"""One router for each directory: two would change one HAProxy against each other."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causeway.kit.errors import Exit, Problem


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the directory as long as this process lives or the context lasts; HAProxy does not hold it.

    Raises ``Problem`` if another process does.
    """
    with (directory / "lock").open("w") as file:  # not inherited by what is executed
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem.of(
                str(directory),
                "another router works in this directory",
                "End that one, or give this one a CAUSEWAY_ROUTER_DIRECTORY of its own.",
                exit_code=Exit.USAGE,
            ) from None
        yield
