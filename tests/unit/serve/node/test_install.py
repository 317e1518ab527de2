import json
import stat
import subprocess
from pathlib import Path

from causeway.serve.node.install import install_shim, write_conflist


def call(shim: Path, command: str, config: str = '{"cniVersion": "1.0.0"}') -> tuple[int, dict[str, object]]:
    environment = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0"}
    done = subprocess.run([shim], input=config.encode(), env=environment, capture_output=True, check=False)
    return done.returncode, json.loads(done.stdout or "{}")


def test_the_installed_shim_runs_without_any_package_and_without_the_daemon(tmp_path: Path) -> None:
    shim = install_shim(tmp_path / "bin", tmp_path / "run")
    assert stat.S_IMODE(shim.stat().st_mode) == 0o755
    assert [path.name for path in shim.parent.iterdir()] == ["causeway"]

    status, version = call(shim, "VERSION")
    assert (status, version["cniVersion"]) == (0, "1.0.0")
    status, error = call(shim, "ADD")
    assert (status, error["code"], error["cniVersion"]) == (1, 11, "1.0.0")
    assert call(shim, "STATUS")[1]["code"] == 50
    assert call(shim, "VERSION", "{")[1]["code"] == 6


def test_deletion_without_the_daemon_succeeds_only_where_nothing_is_attached(tmp_path: Path) -> None:
    shim = install_shim(tmp_path / "bin", tmp_path / "run")
    assert call(shim, "DEL") == (0, {})
    record = tmp_path / "run" / "attachments" / "c1@eth0.json"
    record.parent.mkdir(parents=True)
    record.touch()
    assert call(shim, "DEL")[1]["code"] == 11


def test_the_configuration_serves_runtimes_old_and_new(tmp_path: Path) -> None:
    path = write_conflist(tmp_path)
    write_conflist(tmp_path)
    content = json.loads(path.read_text())
    assert content["cniVersion"] == "1.0.0"
    assert content["cniVersions"][-1] == "1.1.0"
    assert [entry.name for entry in tmp_path.iterdir()] == ["10-causeway.conflist"]
