"""The protocol of the switch's database, spoken to a socket that answers as the real one does."""

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from causeway.host.ovsdb import Ovsdb, OvsdbError, a_map, a_set, mapping, members


def serve(path: Path, answer: Callable[[dict[str, Any]], list[bytes]], times: int = 1) -> threading.Thread:
    """Answer so many transactions with these pieces, hanging up after each."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def run() -> None:
        with server:
            for _ in range(times):
                connection, _ = server.accept()
                with connection:
                    for piece in answer(json.loads(connection.recv(65536))):
                        connection.sendall(piece)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_an_answer_in_pieces_is_put_together(tmp_path: Path) -> None:
    asked = []

    def answer(request: dict[str, Any]) -> list[bytes]:
        asked.append(request)
        whole = json.dumps({"id": 1, "error": None, "result": [{"rows": [{"name": "br-int"}]}]}).encode()
        return [whole[:10], whole[10:]]

    thread = serve(tmp_path / "db.sock", answer)
    rows = Ovsdb(tmp_path / "db.sock").select("Bridge", [["name", "==", "br-int"]], ["name"])
    thread.join()
    assert rows == [{"name": "br-int"}]
    assert asked[0]["method"] == "transact"
    assert asked[0]["params"][0] == "Open_vSwitch"


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ([{}, {"error": "constraint violation", "details": "the name is taken"}], None),
        ([], {"error": "resources exhausted"}),
    ],
)
def test_a_refusal_is_an_error(tmp_path: Path, result: list[Any], error: Any) -> None:
    body = json.dumps({"id": 1, "error": error, "result": result}).encode()
    thread = serve(tmp_path / "db.sock", lambda _: [body])
    with pytest.raises(OvsdbError, match=r"constraint|exhausted"):
        Ovsdb(tmp_path / "db.sock").transact({"op": "comment", "comment": ""})
    thread.join()


def test_a_database_that_hangs_up_is_an_error(tmp_path: Path) -> None:
    thread = serve(tmp_path / "db.sock", lambda _: [b'{"id": 1, "res'])
    with pytest.raises(OvsdbError, match="hung up"):
        Ovsdb(tmp_path / "db.sock").select("Port", [], ["name"])
    thread.join()


def test_no_database_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(OvsdbError, match=r"db\.sock"):
        Ovsdb(tmp_path / "db.sock").select("Port", [], ["name"])


def _configured(number: int) -> dict[str, Any]:
    return {"rows": [{"next_cfg": number, "cur_cfg": number}]}


def test_what_is_applied_has_been_followed_by_the_switch(tmp_path: Path) -> None:
    asked: list[list[dict[str, Any]]] = []
    results = [[{}, {"count": 1}, _configured(7)], [_configured(5)], [_configured(6)], [_configured(8)]]

    def answer(request: dict[str, Any]) -> list[bytes]:
        asked.append(request["params"][1:])
        return [json.dumps({"id": 1, "error": None, "result": results[len(asked) - 1]}).encode()]

    thread = serve(tmp_path / "db.sock", answer, times=len(results))
    Ovsdb(tmp_path / "db.sock").apply({"op": "comment", "comment": ""})
    thread.join()
    assert [one["op"] for one in asked[0]] == ["comment", "mutate", "select"]
    assert [one[0]["columns"] for one in asked[1:]] == [["cur_cfg"]] * 3


def test_a_switch_that_does_not_follow_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=iter([0.0, 6.0]).__next__, sleep=time.sleep)
    monkeypatch.setattr("causeway.host.ovsdb.time", clock)  # the module's own: other threads have theirs
    results = [[{"count": 1}, _configured(7)], [_configured(6)]]

    def answer(request: dict[str, Any]) -> list[bytes]:
        return [json.dumps({"id": 1, "error": None, "result": results.pop(0)}).encode()]

    thread = serve(tmp_path / "db.sock", answer, times=2)
    with pytest.raises(OvsdbError, match="did not follow"):
        Ovsdb(tmp_path / "db.sock").apply()
    thread.join()


def test_columns_are_read_as_they_are_written() -> None:
    assert mapping(a_map({"iface-id": "p", "a": "b"})) == {"iface-id": "p", "a": "b"}
    assert members(a_set([["uuid", "1"], ["uuid", "2"]])) == [["uuid", "1"], ["uuid", "2"]]
    assert members(["uuid", "1"]) == [["uuid", "1"]]
