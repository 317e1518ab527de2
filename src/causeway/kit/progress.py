"""Progress of long work: phases, elapsed time, and what is being waited for.

On a terminal one live line shows the phase that runs; anywhere else every change is one plain line, so that a
log stays readable. Phases are timed, and the timings are facts commands print at the end.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.status import Status


@dataclass(frozen=True)
class Timing:
    """How long a phase took, in seconds."""

    phase: str
    seconds: float


@dataclass
class Phase:
    """A running phase; tell it what is being waited for whenever that changes."""

    name: str
    _progress: "Progress"
    _started: float
    _waiting: str = ""

    def waiting_for(self, what: str) -> None:
        """Show that the phase waits for ``what``; an unchanged text is not shown again in a log."""
        if what != self._waiting:
            self._waiting = what
            self._progress.changed(self, what)

    @property
    def elapsed(self) -> float:
        """Return the seconds since the phase began."""
        return time.monotonic() - self._started


@dataclass
class Progress:
    """Where phases of one command are shown; ``timings`` holds the finished ones in order."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    timings: list[Timing] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _status: Status | None = None

    def __post_init__(self) -> None:
        self._console = Console(file=self.stream, highlight=False, soft_wrap=True)

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Run a phase: shown while it runs, timed and reported when it ends, also when it fails."""
        phase = Phase(name, self, time.monotonic())
        self.changed(phase, "")
        try:
            yield phase
        except BaseException:
            self._end(phase, "failed")
            raise
        self._end(phase, "done")

    def note(self, text: str) -> None:
        """Print one line of information."""
        self._line(text)

    def changed(self, phase: Phase, what: str) -> None:
        """Show the phase with what it waits for."""
        text = f"{phase.name}: {what}" if what else phase.name
        if not self._console.is_terminal:
            self._line(text)
        elif self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(f"{text} ({phase.elapsed:.0f} s)")

    def _end(self, phase: Phase, how: str) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        if how == "done":
            self.timings.append(Timing(phase.name, round(phase.elapsed, 2)))
        self._line(f"{phase.name}: {how} in {phase.elapsed:.1f} s")

    def _line(self, text: str) -> None:
        self._console.print(f"[{time.monotonic() - self._started:7.1f}s] {text}", markup=False)
