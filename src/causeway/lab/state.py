"""What the supervisor tells the world: one JSON file, replaced whole at each change, read by any process."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from causeway.lab.settings import write_private

# waiting: for what it needs; starting: runs but is not ready; backoff: died and will be started again.
WAITING, STARTING, READY, DONE, BACKOFF, FAILED, STOPPED = (
    "waiting",
    "starting",
    "ready",
    "done",
    "backoff",
    "failed",
    "stopped",
)


@dataclass
class UnitState:
    """One service or step as it is now; ``since`` in seconds since the epoch, ``seconds`` is what it took."""

    name: str
    kind: str
    status: str = WAITING
    since: float = 0.0
    seconds: float = 0.0
    pid: int | None = None
    restarts: int = 0
    reason: str = ""


@dataclass
class LabState:
    """The whole lab as its supervisor sees it."""

    started: float = 0.0
    stopping: bool = False
    units: dict[str, UnitState] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every service is ready and every step done."""
        return bool(self.units) and all(unit.status in {READY, DONE} for unit in self.units.values())

    @property
    def broken(self) -> list[UnitState]:
        """Units that failed or died at least once and are not there now."""
        return [unit for unit in self.units.values() if unit.status in {FAILED, BACKOFF}]


class Board:
    """The supervisor's writing end of the state file."""

    def __init__(self, path: Path, units: Iterable[tuple[str, str]]) -> None:
        self._path = path
        now = time.time()
        self.state = LabState(now, units={name: UnitState(name, kind, since=now) for name, kind in units})
        self._write()

    def set(self, name: str, status: str, *, pid: int | None = None, reason: str = "") -> None:
        """Say that ``name`` has changed."""
        unit = self.state.units[name]
        now = time.time()
        if status in {READY, DONE} and unit.status == STARTING:
            unit.seconds = round(now - unit.since, 2)
        if status == BACKOFF:
            unit.restarts += 1
        unit.status, unit.since, unit.pid, unit.reason = status, now, pid, reason
        self._write()

    def stopping(self) -> None:
        """Say that the whole lab is being stopped."""
        self.state.stopping = True
        self._write()

    def _write(self) -> None:
        write_private(self._path, json.dumps(asdict(self.state)))


def read(path: Path) -> LabState | None:
    """Return the state a supervisor has written, None when there is none."""
    try:
        facts = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    units = {name: UnitState(**unit) for name, unit in facts["units"].items()}
    return LabState(facts["started"], facts["stopping"], units)
