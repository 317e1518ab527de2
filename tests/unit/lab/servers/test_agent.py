import json
from pathlib import Path
from typing import Any

import pytest

from causeway.lab.servers import record
from causeway.lab.servers.agent import Agent
from causeway.lab.servers.layout import Layout
from causeway.lab.servers.record import Record
from causeway.lab.settings import Settings

SERVER = "5a6f2c3e-0000-4000-8000-000000000001"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(Settings(tmp_path, tmp_path))


def asked(layout: Layout, **request: Any) -> Any:
    return json.loads(Agent(layout).handle(json.dumps(request).encode()))


def error(layout: Layout, **request: Any) -> Any:
    return asked(layout, **request)["error"]


def test_an_empty_lab_has_no_servers(layout: Layout) -> None:
    assert asked(layout, op="list") == {"ok": {}}


def test_servers_are_known_by_their_files(layout: Layout) -> None:
    files = layout.server(SERVER)
    files.directory.mkdir(parents=True)
    record.save(files, Record(SERVER, "web", "i", 512, 1))
    files.console.write_bytes(b"Debian\x1b[0m login:")
    assert asked(layout, op="list") == {"ok": {SERVER: "off"}}
    assert asked(layout, op="console", id=SERVER) == {"ok": "Debian login:"}


def test_a_server_nobody_knows_is_said_so(layout: Layout) -> None:
    assert "no such server" in error(layout, op="start", id=SERVER)["message"]


@pytest.mark.parametrize("op", ["destroy", "stop"])
def test_ending_a_server_nobody_knows_is_no_error(layout: Layout, op: str) -> None:
    assert asked(layout, op=op, id=SERVER) == {"ok": True}


def test_an_id_that_leads_elsewhere_is_refused(layout: Layout) -> None:
    assert error(layout, op="destroy", id="../../etc")["kind"] == "problem"


def test_an_image_that_does_not_boot_is_told_from_other_failures(layout: Layout) -> None:
    assert error(layout, op="unpack-image", image=SERVER)["kind"] == "image"


def test_volumes_of_other_places_are_refused(layout: Layout) -> None:
    volume = {"device": "vdb", "path": "/etc/shadow", "serial": "s"}
    message = error(layout, op="attach-volume", id=SERVER, volume=volume)["message"]
    assert "it is not in /var/lib/causeway/volumes" in message


@pytest.mark.parametrize("line", [b"", b"hello", b'{"op": "dance"}'])
def test_what_is_no_request_gets_an_answer_too(layout: Layout, line: bytes) -> None:
    assert json.loads(Agent(layout).handle(line))["error"]["kind"] == "problem"
