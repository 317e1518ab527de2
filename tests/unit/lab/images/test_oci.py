import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from causeway.lab.images.oci import Entry, Layer, entries, write_archive, write_layer

NAMES = st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3}){0,3}", fullmatch=True)


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {member.name: member for member in tar.getmembers()}


def blob(archive: Path, digest: str) -> Any:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
        assert file is not None
        data = file.read()
    assert hashlib.sha256(data).hexdigest() == digest.removeprefix("sha256:")
    return json.loads(data)


def test_layer_digest_is_that_of_its_file(tmp_path: Path) -> None:
    layer = write_layer([Entry("bin/tool", b"x" * 100_000)], tmp_path / "layer.tar")
    assert layer.digest == f"sha256:{hashlib.sha256(layer.path.read_bytes()).hexdigest()}"
    assert layer.size == layer.path.stat().st_size


def test_layer_adds_the_directories_that_paths_imply(tmp_path: Path) -> None:
    layer = write_layer([Entry("usr/bin/tool", b"x")], tmp_path / "layer.tar")
    found = members(layer.path)
    assert list(found) == ["usr", "usr/bin", "usr/bin/tool"]
    assert found["usr"].isdir()
    assert found["usr/bin/tool"].mode == 0o755


def test_last_member_of_a_path_counts(tmp_path: Path) -> None:
    layer = write_layer([Entry("a", b"first"), Entry("a", b"second")], tmp_path / "layer.tar")
    with tarfile.open(layer.path) as tar:
        file = tar.extractfile("a")
        assert file is not None
        assert file.read() == b"second"


@given(files=st.dictionaries(NAMES, st.binary(max_size=20), max_size=8), seed=st.randoms())
def test_equal_members_in_any_order_give_an_equal_digest(
    tmp_path_factory: Any, files: dict[str, bytes], seed: Any
) -> None:
    # A name that is both a file and a directory of others is no file system.
    files = {name: data for name, data in files.items() if not any(o.startswith(f"{name}/") for o in files)}
    directory = tmp_path_factory.mktemp("layers")
    ordered = [Entry(name, data) for name, data in files.items()]
    shuffled = seed.sample(ordered, len(ordered))
    first = write_layer(ordered, directory / "first.tar")
    second = write_layer(shuffled, directory / "second.tar")
    assert first.digest == second.digest


def test_entries_of_a_directory_carry_links_modes_and_leave_out_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/tool").write_bytes(b"x")
    (tmp_path / "usr/bin/tool").chmod(0o4755)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/1").touch()
    found = {entry.path: entry for entry in entries(tmp_path, without=["proc"])}
    assert set(found) == {"usr", "usr/bin", "usr/bin/tool", "bin"}
    assert found["bin"].link == "usr/bin"
    assert found["usr/bin/tool"].mode == 0o4755
    assert found["usr/bin/tool"].data == tmp_path / "usr/bin/tool"


def test_entries_below_a_part_keep_their_full_path(tmp_path: Path) -> None:
    (tmp_path / "opt/app").mkdir(parents=True)
    (tmp_path / "opt/app/main").touch()
    (tmp_path / "etc").mkdir()
    assert {entry.path for entry in entries(tmp_path, "opt")} == {"opt/app", "opt/app/main"}


def test_archive_is_an_oci_layout_whose_descriptors_lead_to_every_blob(tmp_path: Path) -> None:
    layers = [
        write_layer([Entry("lower", b"1")], tmp_path / "lower.tar"),
        write_layer([Entry("upper", b"2")], tmp_path / "upper.tar"),
    ]
    archive = tmp_path / "image.tar"
    digest = write_archive("localhost/tool:1.0", layers, {"Entrypoint": ["/tool"]}, archive)
    with tarfile.open(archive) as tar:
        layout, index = tar.extractfile("oci-layout"), tar.extractfile("index.json")
        assert layout is not None
        assert index is not None
        assert json.load(layout) == {"imageLayoutVersion": "1.0.0"}
        (described,) = json.load(index)["manifests"]
    assert described["digest"] == digest
    assert described["annotations"]["io.containerd.image.name"] == "localhost/tool:1.0"
    assert described["annotations"]["org.opencontainers.image.ref.name"] == "1.0"
    manifest = blob(archive, digest)
    assert [layer["digest"] for layer in manifest["layers"]] == [layer.digest for layer in layers]
    config = blob(archive, manifest["config"]["digest"])
    assert config["config"] == {"Entrypoint": ["/tool"]}
    assert config["rootfs"]["diff_ids"] == [layer.digest for layer in layers]


def test_archive_of_equal_input_is_equal(tmp_path: Path) -> None:
    layer: Layer = write_layer([Entry("a", b"1")], tmp_path / "layer.tar")
    write_archive("localhost/tool:1.0", [layer], {}, tmp_path / "first.tar")
    write_archive("localhost/tool:1.0", [layer], {}, tmp_path / "second.tar")
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
