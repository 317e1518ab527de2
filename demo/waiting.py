"""Waiting for a condition with a deadline, showing what is waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

from causeway.kit.errors import Problem
from causeway.kit.progress import Phase
from demo.commands import CommandEnded

T = TypeVar("T")
_FIRST, _LONGEST = 0.2, 1.0  # seconds between two looks


def until(phase: Phase, what: str, probe: Callable[[], T | None], *, seconds: float) -> T:
    """Return the first true value ``probe`` gives; an ``OSError`` or a command that failed is not yet one.

    Raises ``Problem`` naming ``what`` and the last answer when ``seconds`` have passed.
    """
    phase.waiting_for(what)
    deadline = time.monotonic() + seconds
    last: object = None
    pause = _FIRST
    while time.monotonic() < deadline:
        try:
            value = probe()
        except (OSError, CommandEnded) as error:
            last = error
        else:
            if value:
                return value
            last = value
        time.sleep(pause)
        pause = min(_LONGEST, pause * 1.2)  # a look costs what the platform would do its work with
    raise Problem.of(
        phase.name,
        f"{what} did not come true within {seconds:.0f} s (last: {last})",
        "See `causeway status` and `causeway explain` for the cause.",
    )
