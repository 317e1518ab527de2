from pathlib import Path

import pytest

from causeway.lab import leftovers
from causeway.lab.settings import Settings


def test_only_this_labs_groups_and_devices_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Settings(tmp_path / "lab", tmp_path)
    groups = tmp_path / "cgroup"
    for controller in ("memory", "pids"):
        (groups / controller / lab.cgroup / "server" / "inner").mkdir(parents=True)
        (groups / controller / "other").mkdir()
    monkeypatch.setattr(leftovers, "CGROUPS", groups)
    detached = []

    def run(*words: str) -> str:
        if "--detach" in words:
            detached.append(words[-1])
            return ""
        return (
            f'{{"loopdevices": [{{"name": "/dev/loop0", "back-file": "{lab.directory}/volumes/a"}},'
            '{"name": "/dev/loop1", "back-file": "/home/b"}, {"name": "/dev/loop2", "back-file": null}]}'
        )

    devices = tmp_path / "net"
    for device in (lab.link, "causeway000000", "lo"):
        (devices / device).mkdir(parents=True)
    deleted = []

    def succeeds(*words: str) -> bool:
        deleted.append(words)
        return False

    monkeypatch.setattr(leftovers, "DEVICES", devices)
    monkeypatch.setattr(leftovers, "run", run)
    monkeypatch.setattr(leftovers, "succeeds", succeeds)
    leftovers.clear(lab)
    assert detached == ["/dev/loop0"]
    assert deleted == [("ip", "link", "delete", lab.link)]
    assert sorted(path.name for path in groups.glob("*/*")) == ["other", "other"]
