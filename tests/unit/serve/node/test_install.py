import json
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from causeway.serve.node import cni
from causeway.serve.node.install import install_shim, write_conflist


def call(shim: Path, command: str, config: str = '{"cniVersion": "1.0.0"}') -> tuple[int, dict[str, object]]:
    environment = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0"}
    done = subprocess.run([shim], input=config.encode(), env=environment, capture_output=True, check=False)
    return done.returncode, json.loads(done.stdout or "{}")


def test_the_installed_shim_runs_without_any_package_and_without_the_daemon(tmp_path: Path) -> None:
    shim = install_shim(tmp_path / "bin", tmp_path / "run")
    assert stat.S_IMODE(shim.stat().st_mode) == 0o755
    assert sorted(path.name for path in shim.parent.iterdir()) == [".causeway.py", "causeway"]

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


@pytest.mark.parametrize("way", ["causeway", ".causeway.py"])
def test_both_ways_ask_the_same_and_pass_the_answer_on(tmp_path: Path, way: str) -> None:
    shim = install_shim(tmp_path / "bin", tmp_path / "run")
    (tmp_path / "run").mkdir()
    asked: list[bytes] = []
    config = json.dumps({"cniVersion": "1.1.0", "long": "x" * 300_000})  # more than any buffer on the way
    answer = b"\1" + json.dumps({"code": 11, "details": "y" * 300_000}).encode()

    def serve(daemon: socket.socket) -> None:
        connection, _ = daemon.accept()
        with connection, connection.makefile("rb") as stream:
            asked.append(stream.read(int.from_bytes(stream.read(4), "big")))
            connection.sendall(answer)

    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "run" / "cni.sock"))
        daemon.listen()
        daemon.settimeout(60)
        server = threading.Thread(target=serve, args=(daemon,))
        server.start()
        interpreter = [] if way == "causeway" else ["/usr/bin/python3", "-IS"]
        environment = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "OTHER": "no"}
        done = subprocess.run(
            [*interpreter, shim.parent / way],
            input=config.encode(),
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        server.join()
    assert (done.returncode, done.stdout) == (1, answer[1:]), done.stderr
    variables, received = cni.decode(asked[0])
    assert variables == {key: value for key, value in environment.items() if key != "OTHER"}
    assert received == config.encode()


def test_the_configuration_serves_runtimes_old_and_new(tmp_path: Path) -> None:
    path = write_conflist(tmp_path)
    write_conflist(tmp_path)
    content = json.loads(path.read_text())
    assert content["cniVersion"] == "1.0.0"
    assert content["cniVersions"][-1] == "1.1.0"
    assert [entry.name for entry in tmp_path.iterdir()] == ["10-causeway.conflist"]
