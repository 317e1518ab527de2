"""What a run found: one record per case, as JSON for machines and as tables for people."""

import datetime
import json
import os
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.proxy import Call
from causeway.host.command import run

FLOOR = "floor"


@dataclass
class Case:
    """One measured case. ``seconds`` is None when it was not done in time: ``done`` of ``count`` then were.

    ``calls`` are what the contender made, by kind; ``memory`` is its resident set in MiB and ``processor``
    the seconds of processor time it took for the case; ``load`` the machine's load average afterwards.
    """

    what: str
    who: str
    count: int
    seconds: float | None
    done: int
    removed: float | None = None
    calls: dict[str, int] = field(default_factory=dict)
    memory: float | None = None
    processor: float | None = None
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 1))
    more: dict[str, Any] = field(default_factory=dict)

    def calls_each(self, service: str, *, writes: bool = False) -> float | None:
        """Return the calls to a service for each object, or only those that change something."""
        if not self.calls or not self.done:
            return None
        chosen = [
            number
            for call, number in self.calls.items()
            if call.startswith(f"{service} ") and not (writes and call.startswith(f"{service} GET"))
        ]
        return round(sum(chosen) / self.done, 1)


def counted(calls: "Counter[Call]") -> dict[str, int]:
    """Return calls as a record keeps them; renewals of a lease and watches belong to no object."""
    return {
        str(call): number
        for call, number in sorted(calls.items(), key=lambda item: str(item[0]))
        if not call.path.startswith("leases") and "watch" not in call.path and call.service != "identity"
    }


def machine() -> dict[str, Any]:
    """Return what the run was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory GiB": memory,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def save(file: Path, kind: str, cases: Iterable[Case], **more: Any) -> None:
    """Write a run's record."""
    file.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "kind": kind,
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "revision": run("git", "rev-parse", "--short", "HEAD").strip(),
        "machine": machine(),
        **more,
        "cases": [asdict(case) for case in cases],
    }
    file.write_text(json.dumps(record, indent=1) + "\n")


def show(cases: Iterable[Case], console: Console) -> None:
    """Print a run as tables, one for each kind of case."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.what, []).append(case)
    for what, group in kinds.items():
        console.print(_table(what, group))
        for case in group:
            if case.more:
                told = ", ".join(f"{name} {value}" for name, value in case.more.items())
                console.print(f"  {case.count} by {case.who}: {told}")


def _table(what: str, cases: list[Case]) -> Table:
    table = Table(title=what, title_justify="left", title_style="bold")
    for name in ("how many", "who", "s", "x floor", "s to remove"):
        table.add_column(name, justify="left" if name == "who" else "right")
    for name in ("Neutron", "Octavia", "Kubernetes", "of it writes", "MiB", "CPU s", "load"):
        table.add_column(name, justify="right")
    floors = {case.count: case.seconds for case in cases if case.who == FLOOR and case.seconds}
    for case in sorted(cases, key=lambda one: one.count):
        took = f"{case.seconds:.2f}" if case.seconds is not None else f"{case.done} of {case.count} done"
        floor = floors.get(case.count)
        table.add_row(
            str(case.count),
            case.who,
            took,
            f"{case.seconds / floor:.2f}" if case.seconds and floor else "",
            _text(case.removed),
            _text(case.calls_each("network")),
            _text(case.calls_each("load-balancer")),
            _text(case.calls_each("kubernetes")),
            _text(case.calls_each("kubernetes", writes=True)),
            _text(case.memory),
            _text(case.processor),
            _text(case.load),
        )
    return table


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
