import os
import subprocess
import time
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.lab.servers import images
from causeway.lab.servers.images import NotBootable
from causeway.lab.servers.layout import Layout
from causeway.lab.settings import Settings

IMAGE = "5a6f2c3e-0000-4000-8000-000000000001"
OTHER = "5a6f2c3e-0000-4000-8000-000000000002"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    lab = Settings(tmp_path / "lab", tmp_path / "cache")
    lab.images.mkdir(parents=True)
    return Layout(lab)


def store(
    layout: Layout, tmp_path: Path, *compress: str, init: str | None = "../lib/systemd/systemd"
) -> None:
    """Put an archive of a root file system whose init is a link to ``init`` where Glance keeps its images."""
    root = tmp_path / "root"
    (root / "sbin").mkdir(parents=True)
    (root / "lib/systemd").mkdir(parents=True)
    if init:
        (root / "lib/systemd/systemd").touch()
        (root / "sbin/init").symlink_to(init)
    else:
        (root / "lib/systemd/notes").touch()
    subprocess.run(["tar", *compress, "-C", root, "-cf", layout.lab.images / IMAGE, "."], check=True)


@pytest.mark.parametrize("compress", [(), ("--gzip",), ("--zstd",)], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("init", ["../lib/systemd/systemd", "/lib/systemd/systemd"])
def test_archives_are_unpacked_once(
    layout: Layout, tmp_path: Path, compress: tuple[str, ...], init: str
) -> None:
    store(layout, tmp_path, *compress, init=init)
    root = images.unpack(layout, IMAGE)
    assert (root / "lib/systemd/systemd").exists()
    (layout.lab.images / IMAGE).unlink()
    assert images.unpack(layout, IMAGE) == root


def refused(layout: Layout) -> str:
    with pytest.raises(NotBootable) as caught:
        images.unpack(layout, IMAGE)
    assert not list(layout.unpacked.glob("*.partial"))
    assert not (layout.unpacked / IMAGE).exists()
    return str(caught.value)


def test_a_disk_image_is_refused(layout: Layout) -> None:
    (layout.lab.images / IMAGE).write_bytes(b"QFI\xfb" + bytes(4096))
    assert "no tar archive" in refused(layout)


def test_an_archive_without_init_is_refused(layout: Layout, tmp_path: Path) -> None:
    store(layout, tmp_path, init=None)
    assert "none of /sbin/init" in refused(layout)


def test_half_an_archive_is_refused(layout: Layout, tmp_path: Path) -> None:
    store(layout, tmp_path, "--zstd")
    whole = (layout.lab.images / IMAGE).read_bytes()
    (layout.lab.images / IMAGE).write_bytes(whole[: len(whole) // 2])
    assert "cannot be unpacked" in refused(layout)


def test_an_image_without_bytes_is_refused(layout: Layout) -> None:
    assert "not in the image store" in refused(layout)


def test_an_id_that_leads_elsewhere_is_refused(layout: Layout) -> None:
    with pytest.raises(Problem, match="no UUID"):
        images.path_of(layout, "../../etc")


def test_unused_images_go_when_they_are_old(layout: Layout) -> None:
    for name, age in ((IMAGE, 0), (OTHER, 100)):
        (layout.unpacked / name).mkdir(parents=True)
        os.utime(layout.unpacked / name, (time.time() - age,) * 2)
    assert images.prune(layout, [OTHER], minimum_age=50) == []
    assert images.prune(layout, [], minimum_age=50) == [OTHER]
    assert images.prune(layout, [], minimum_age=50) == []
