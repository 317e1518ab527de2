import socket
from dataclasses import replace
from pathlib import Path

import pytest

from causeway.lab import conditions
from causeway.lab.conditions import Machine, UsedRange, findings
from causeway.lab.mirror import Mirror
from causeway.lab.settings import Settings

GOOD = Machine(
    root=True,
    distribution=("debian", "13"),
    name="Debian GNU/Linux 13",
    memory_gib=15.6,
    disk_gib=40,
    ranges=(UsedRange("192.168.1.0/24", "eth0"),),
    missing_tools=(),
)
LAB = Settings(Path("/var/lib/lab"), Path("/var/cache/lab"))


def test_a_good_machine_has_nothing_against_it() -> None:
    assert findings(LAB, GOOD, built=False) == []


@pytest.mark.parametrize(
    ("machine", "place"),
    [
        (replace(GOOD, root=False), "user"),
        (replace(GOOD, distribution=("fedora", "43"), name="Fedora 43"), "distribution"),
        (replace(GOOD, memory_gib=3.8), "memory"),
        (replace(GOOD, disk_gib=9.0), "disk"),
        (replace(GOOD, missing_tools=("tini",)), "programs"),
        (replace(GOOD, ranges=(UsedRange("10.0.0.0/8", "vpn0"),)), "address range"),
        (replace(GOOD, ranges=(UsedRange("172.24.4.128/25", "br0"),)), "address range"),
        (replace(GOOD, unreachable_mirror="timed out"), "package mirror"),
    ],
)
def test_each_obstacle_is_named_with_a_remedy(machine: Machine, place: str) -> None:
    found = findings(LAB, machine, built=False)
    assert len(found) == 1
    assert place in found[0].place
    assert found[0].remedy


def test_all_obstacles_are_named_at_once() -> None:
    bad = replace(GOOD, memory_gib=2, disk_gib=2, distribution=("arch", ""))
    assert len(findings(LAB, bad, built=False)) == 3


def test_the_labs_own_link_is_no_obstacle() -> None:
    own = replace(GOOD, ranges=(UsedRange(LAB.network, LAB.link), UsedRange(LAB.external, LAB.link)))
    assert findings(LAB, own, built=False) == []


def test_a_lab_that_was_built_needs_no_further_room() -> None:
    assert findings(LAB, replace(GOOD, disk_gib=4), built=True) == []


def test_ranges_of_the_lab_must_not_overlap() -> None:
    lab = Settings(LAB.directory, LAB.cache, network="10.200.0.0/16", external="10.200.4.0/24")
    assert len(findings(lab, GOOD, built=False)) == 1


def test_a_mirror_that_does_not_answer_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "run", lambda *words: "")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        reason = conditions._unreachable(Mirror(f"http://127.0.0.1:{port}/debian", None))
    assert reason is not None
    assert "refused" in reason
    assert conditions._unreachable(None) is None
