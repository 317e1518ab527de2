"""What a node does about programs that end, hang or come late, on a machine in memory."""

import errno
import os
from pathlib import Path

import pytest

from causeway.engine.storage.model import Refused
from causeway.host import mounts
from causeway.host.command import CommandFailed
from causeway.host.mounts import MountPoint
from causeway.rooms.shares import node
from causeway.rooms.shares.model import CEPHFS, Entry
from causeway.rooms.shares.mounting import FUSE, Options
from causeway.rooms.shares.node import NodeShares

ENTRY = Entry(CEPHFS, "10.0.0.1:6789:/volumes/a", "causeway-a", "secret")
OPTIONS = Options(FUSE)


class Machine:
    """Mounts by path, with the error of those whose program has ended; units of systemd.

    ``failing``: programs end before anything is mounted; ``hanging``: they run and mount nothing.
    """

    def __init__(self) -> None:
        self.mounted: dict[str, int] = {}
        self.units: set[str] = set()
        self.failing = self.hanging = False

    def run(self, *argv: str | Path) -> str:
        words = [str(each) for each in argv]
        if "systemctl" in words:
            if words[-1] not in self.units:
                raise CommandFailed(words, 5, f"Unit {words[-1]} not loaded.")
            self.units.remove(words[-1])
        elif "ceph-fuse" in words:
            (unit,) = [each.removeprefix("--unit=") for each in words if each.startswith("--unit=")] or [""]
            if self.failing or unit in self.units:
                raise CommandFailed(words, 1, "Unit was already loaded." if unit in self.units else "failed")
            self.units |= {unit} - {""}
            if not self.hanging:
                self.mounted[words[words.index("ceph-fuse") + 1]] = 0
        return ""

    def table(self) -> list[MountPoint]:
        return [
            MountPoint(1, "/", each, frozenset({"rw"}), "fuse.ceph-fuse", "ceph-fuse")
            for each in self.mounted
        ]

    def unmount(self, path: Path, *, lazily: bool = False) -> None:
        del self.mounted[str(path)]

    def bind(self, source: Path, path: Path, *, read_only: bool) -> None:
        self.mounted[str(path)] = self.mounted[str(source)]

    def statvfs(self, path: Path) -> None:
        if found := self.mounted[str(path)]:
            raise OSError(found, os.strerror(found))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine()
    for name in ("table", "unmount", "bind"):
        monkeypatch.setattr(mounts, name, getattr(made, name))
    monkeypatch.setattr(node, "run", made.run)
    monkeypatch.setattr(node, "succeeds", lambda *_: False)
    monkeypatch.setattr(os, "statvfs", made.statvfs)
    monkeypatch.setattr(node, "KEYS", tmp_path / "keys")
    return made


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return tmp_path / "staged"


def publish(shares: NodeShares, staged: Path, pod: str) -> None:
    shares.publish("share-a", staged, staged.parent / pod, ENTRY, OPTIONS, read_only=False)


@pytest.mark.parametrize("ended", [errno.ENOTCONN, errno.ESHUTDOWN])
def test_a_share_that_could_not_be_mounted_again_is_there_for_the_next_pod(
    machine: Machine, staged: Path, ended: int
) -> None:
    shares = NodeShares()
    shares.stage("share-a", staged, ENTRY, OPTIONS)
    publish(shares, staged, "first")
    machine.mounted = dict.fromkeys(machine.mounted, ended)
    machine.failing = True
    with pytest.raises(CommandFailed):
        publish(shares, staged, "second")
    machine.failing = False
    publish(shares, staged, "second")
    assert machine.mounted[str(staged)] == machine.mounted[str(staged.parent / "second")] == 0


def test_a_program_that_hangs_is_ended_and_another_takes_its_place(machine: Machine, staged: Path) -> None:
    shares = NodeShares(in_pod=True, appear=0)
    machine.hanging = True
    with pytest.raises(Refused, match="nothing is mounted"):
        shares.stage("share-a", staged, ENTRY, OPTIONS)
    assert not machine.units
    machine.hanging = False
    machine.units = {node._unit(staged)}  # of a life that was killed before it could end it
    shares.stage("share-a", staged, ENTRY, OPTIONS)
    assert (len(machine.units), list(machine.mounted)) == (1, [str(staged)])


@pytest.mark.parametrize("mounted", [True, False])
def test_what_is_unstaged_leaves_no_program_and_no_key(machine: Machine, staged: Path, mounted: bool) -> None:
    shares = NodeShares(in_pod=True)
    shares.stage("share-a", staged, ENTRY, OPTIONS)
    if not mounted:
        machine.mounted.clear()
    node._write_key(staged, "secret")  # of a life that was killed
    for _ in range(2):
        shares.unstage("share-a", staged)
        assert (machine.units, machine.mounted, list(node.KEYS.iterdir())) == (set(), {}, [])


def test_a_share_that_is_staged_already_leaves_no_key(machine: Machine, staged: Path) -> None:
    shares = NodeShares()
    shares.stage("share-a", staged, ENTRY, OPTIONS)
    node._write_key(staged, "secret")  # of a life that was killed
    shares.stage("share-a", staged, ENTRY, OPTIONS)
    assert not list(node.KEYS.iterdir())


def test_a_machine_without_systemd_has_nothing_to_stop(
    machine: Machine, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*argv: str | Path) -> str:
        raise CommandFailed([str(each) for each in argv], status, "")

    monkeypatch.setattr(node, "run", run)
    status = 127
    NodeShares(in_pod=True).unstage("share-a", staged)
    status = 1
    with pytest.raises(CommandFailed):
        NodeShares(in_pod=True).unstage("share-a", staged)
