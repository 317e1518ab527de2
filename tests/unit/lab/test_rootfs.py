from pathlib import Path

import pytest

from causeway.host.command import CommandFailed
from causeway.kit.errors import Problem
from causeway.lab import packages, rootfs


def test_another_list_of_packages_is_another_root_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rootfs.base_path(Path("/cache"))
    monkeypatch.setattr(packages, "BASE", (*packages.BASE, "one-more"))
    assert rootfs.base_path(Path("/cache")) != before


def test_extras_are_a_layer_above_the_base() -> None:
    cache = Path("/cache")
    assert rootfs.lower_directories(cache, ()) == (rootfs.base_path(cache),)
    top, bottom = rootfs.lower_directories(cache, ("dns",))
    assert bottom == rootfs.base_path(cache)
    assert top != rootfs.lower_directories(cache, ("dns", "objects"))[0]


def test_what_is_there_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rootfs.base_path(tmp_path).mkdir()
    monkeypatch.setattr(rootfs, "run", lambda *words, **options: pytest.fail("nothing is to be run"))
    rootfs.build_base(tmp_path, tmp_path / "log")


def test_an_interrupted_build_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = rootfs.base_path(tmp_path)
    partial = target.with_name(target.name + ".partial")
    (partial / "half").mkdir(parents=True)

    def build(*words: object, **options: object) -> str:
        assert not partial.exists()
        (partial / "usr/sbin").mkdir(parents=True)
        driver = partial / rootfs.MESSAGING
        driver.parent.mkdir(parents=True)
        driver.write_text("    time.sleep(0.5)\n")
        return ""

    monkeypatch.setattr(rootfs, "run", build)
    rootfs.build_base(tmp_path, tmp_path / "log")
    assert "0.005" in (target / rootfs.MESSAGING).read_text()
    assert not partial.exists()


def test_a_dead_mirror_is_told_apart_from_other_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **options: object) -> str:
        raise CommandFailed(["mmdebstrap"], 100, "E: Failed to fetch http://mirror.example/x")

    monkeypatch.setattr(rootfs, "run", fail)
    with pytest.raises(Problem, match="mirror"):
        rootfs.build_base(tmp_path, tmp_path / "log")
    assert not rootfs.base_path(tmp_path).exists()
