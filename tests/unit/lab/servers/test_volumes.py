import os
import uuid
from pathlib import Path

import pytest

from causeway.lab.servers import record, volumes
from causeway.lab.servers.layout import Layout
from causeway.lab.servers.record import Process, Record, Runtime, Volume
from causeway.lab.settings import from_environment

SHARED = Volume("vdb", "/volumes/one", "s1")
FIRST, SECOND = str(uuid.uuid4()), str(uuid.uuid4())


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("CAUSEWAY_LAB_DIR", str(tmp_path))
    return Layout(from_environment())


def put(layout: Layout, server_id: str, *has: Volume, on: bool = True) -> None:
    files = layout.server(server_id)
    files.directory.mkdir(parents=True)
    record.save(files, Record(server_id, "web", "image", 512, 1, volumes=has))
    if on:
        record.save_runtime(files, Runtime(Process.of(os.getpid())))


def test_a_volume_of_two_servers_keeps_its_device_as_long_as_one_is_on(layout: Layout) -> None:
    put(layout, FIRST, SHARED)
    put(layout, SECOND, Volume("vdc", SHARED.path, "s1"))
    assert volumes.has_another(layout, FIRST, SHARED)
    assert volumes.has_another(layout, SECOND, SHARED)
    layout.server(SECOND).runtime.unlink()
    assert not volumes.has_another(layout, FIRST, SHARED)


def test_a_volume_of_one_server_is_of_no_other(layout: Layout) -> None:
    put(layout, FIRST, SHARED)
    put(layout, SECOND, Volume("vdb", "/volumes/two", "s2"))
    assert not volumes.has_another(layout, FIRST, SHARED)
