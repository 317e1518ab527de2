"""The life of a second lab beside the one that is up: interrupted, hurt, stopped, gone without a trace."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from causeway.lab import leftovers, settings, state, tree, verify
from causeway.lab.settings import Settings

LIMIT = 300.0
PROGRAM = (sys.executable, "-c", "from causeway.main import main; main()")


@dataclass(frozen=True)
class Second:
    """A lab of its own directory and ranges, used through the command line as people do."""

    environment: dict[str, str]

    @property
    def settings(self) -> Settings:
        return settings.from_environment(self.environment)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*PROGRAM, "lab", *words], env=self.environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def state(self) -> state.LabState | None:
        return state.read(self.settings.state_file)


def machine() -> dict[str, list[str]]:
    """Return what a lab could leave on the machine."""

    def lines(*words: str) -> list[str]:
        return sorted(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines())

    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout)
    return {
        "links": sorted(link["ifname"] for link in links),
        "routes": lines("ip", "-4", "route"),
        "mounts": sorted(Path("/proc/self/mounts").read_text().splitlines()),
        "groups": sorted(
            str(path) for name in ("causeway*", "*/causeway*") for path in leftovers.CGROUPS.glob(name)
        ),
        "etc": lines("find", "/etc", "-type", "f", "-printf", "%p %T@\\n"),
    }


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Second]:
    # Not below /tmp, which may be kept in memory.
    directory = Path("/var/lib/causeway/test-life")
    environment = {
        **os.environ,
        "CAUSEWAY_LAB_DIR": str(directory),
        "CAUSEWAY_LAB_NETWORK": "10.213.0.0/24",
        "CAUSEWAY_LAB_EXTERNAL": "10.214.0.0/24",
    }
    lab = Second(environment)
    lab.run("destroy", "--yes")
    yield lab
    lab.run("destroy", "--yes")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_whole(each: Settings) -> bool:
    return not [answer.problem for answer in verify.answers(each, each.extras) if answer.problem]


def test_a_lab_lives_and_leaves_no_trace(lab: Settings, second: Second) -> None:
    before = machine()

    # Interrupted as brutally as can be in the middle of its first start, it goes on where it was.
    first = subprocess.Popen([*PROGRAM, "lab", "up"], env=second.environment, stderr=subprocess.DEVNULL)
    until((second.settings.done / "keystone-tables").exists)
    running = tree.running(second.settings)
    assert running is not None
    os.kill(running.root, signal.SIGKILL)
    assert first.wait(LIMIT) == 1
    until(lambda: tree.running(second.settings) is None)
    made = (second.settings.done / "keystone-tables").stat().st_mtime_ns
    second.run("up", "--with", "shares,baremetal")  # the others are in the first
    assert (second.settings.done / "keystone-tables").stat().st_mtime_ns == made

    # Two labs beside each other, each whole; another test may just have killed a service of the first.
    for each in (lab, second.settings):
        until(partial(is_whole, each))

    # A service that dies comes back and is reported; status and logs tell from another process.
    current = second.state()
    assert current is not None
    restarts = current.units["heat-engine"].restarts
    inner = str(current.units["heat-engine"].pid)
    running = tree.running(second.settings)
    assert running is not None
    subprocess.run(tree.enter(running, "kill", "-9", inner), check=True)

    def back() -> bool:
        now = second.state()
        return now is not None and now.complete and now.units["heat-engine"].restarts == restarts + 1

    until(back)
    shown = json.loads(second.run("status", "-o", "json").stdout)
    assert shown["units"]["heat-engine"]["restarts"] == restarts + 1
    assert second.run("logs", "heat-engine").stdout
    assert second.run("logs", "nothing", check=False).returncode == 2

    # What it keeps, it keeps over a stop.
    cloud = verify.connect(second.settings, "lab")
    cloud.network.create_network(name="kept")
    second.run("down")
    assert second.run("status", check=False).returncode == 1
    second.run("up")
    assert verify.connect(second.settings, "lab").network.find_network("kept")

    second.run("destroy", "--yes")
    left = {kind: set(after) - set(before[kind]) for kind, after in machine().items()}
    assert not any(left.values()), left
    assert not second.settings.directory.exists()


def test_ranges_in_use_are_refused_before_anything_is_touched(lab: Settings, second: Second) -> None:
    environment = {**second.environment, "CAUSEWAY_LAB_NETWORK": lab.network}
    refused = Second(environment).run("up", check=False)
    assert refused.returncode == 1
    assert "CAUSEWAY_LAB_NETWORK" in refused.stderr
    assert lab.link in refused.stderr
    assert not second.settings.directory.exists()


def test_an_unknown_extra_is_refused(second: Second) -> None:
    refused = second.run("up", "--with", "coffee", check=False)
    assert refused.returncode == 2
    assert "coffee" in refused.stderr
