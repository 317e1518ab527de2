import json
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.lab.servers import prepare
from causeway.lab.servers.layout import ServerFiles

NETWORK = json.dumps(
    {
        "links": [{"id": "tap1"}],
        "services": [{"type": "dns", "address": "10.0.0.3"}, {"type": "ntp", "address": "10.0.0.4"}],
    }
).encode()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    image = tmp_path / "image"
    for name in ("var/lib/containerd/content", "var/lib/etcd", "etc"):
        (image / name).mkdir(parents=True)
    (image / "var/lib/containerd/content/layer").write_text("layer")
    (image / "var/lib/containerd/meta.db").write_text("database")
    return image


@pytest.fixture
def files(tmp_path: Path) -> ServerFiles:
    return ServerFiles(tmp_path / "servers/s", "above")


def test_name_servers_come_from_the_config_drive(image: Path, files: ServerFiles) -> None:
    prepare.first_time(files, image, {prepare.NETWORK_DATA: NETWORK})
    assert (files.upper / "etc/resolv.conf").read_text() == "nameserver 10.0.0.3\n"
    assert (files.config_drive / prepare.NETWORK_DATA).read_bytes() == NETWORK


def test_others_on_the_machine_cannot_read_user_data(image: Path, files: ServerFiles) -> None:
    prepare.first_time(files, image, {"openstack/latest/user_data": b"token"})
    assert files.config_drive.stat().st_mode & 0o077 == 0


def test_layers_are_shared_with_the_image_and_databases_are_not(image: Path, files: ServerFiles) -> None:
    prepare.first_time(files, image, {})
    copied = files.data / "var/lib/containerd"
    assert (copied / "content/layer").samefile(image / "var/lib/containerd/content/layer")
    assert not (copied / "meta.db").samefile(image / "var/lib/containerd/meta.db")
    (copied / "meta.db").write_text("changed")
    assert (image / "var/lib/containerd/meta.db").read_text() == "database"


def test_only_what_the_image_has_is_kept_off_the_overlay(image: Path) -> None:
    assert prepare.data_directories(image) == ["var/lib/containerd", "var/lib/etcd"]


def test_a_second_attempt_starts_from_nothing(image: Path, files: ServerFiles) -> None:
    prepare.first_time(files, image, {})
    (files.upper / "left").touch()
    prepare.first_time(files, image, {})
    assert not (files.upper / "left").exists()


def test_a_config_drive_cannot_lead_out_of_itself(image: Path, files: ServerFiles) -> None:
    with pytest.raises(Problem, match="leads out"):
        prepare.first_time(files, image, {"../../../etc/passwd": b""})


def test_parts_of_proc_are_covered_by_files_of_the_server(image: Path, files: ServerFiles) -> None:
    prepare.first_time(files, image, {})
    names = prepare.every_time(files, 512)
    assert "meminfo" in names
    assert "524288 kB" in (files.shadows / "meminfo").read_text()
    assert (files.shadows / "sys/vm/overcommit_memory").read_text() == "1\n"
