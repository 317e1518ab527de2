from pathlib import Path

from causeway.lab import state
from causeway.lab.state import Board, read


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    board = Board(tmp_path / "state.json", [("db", "service"), ("tables", "step")])
    board.set("db", state.STARTING, pid=7)
    board.set("db", state.READY, pid=7)
    board.set("tables", state.FAILED, reason="no space")
    found = read(tmp_path / "state.json")
    assert found is not None
    assert found.units["db"].pid == 7
    assert [unit.name for unit in found.broken] == ["tables"]
    assert not found.complete


def test_complete_when_all_is_ready_or_done(tmp_path: Path) -> None:
    board = Board(tmp_path / "state.json", [("db", "service"), ("tables", "step")])
    board.set("db", state.READY)
    board.set("tables", state.DONE)
    assert board.state.complete


def test_deaths_are_counted(tmp_path: Path) -> None:
    board = Board(tmp_path / "state.json", [("db", "service")])
    for _ in range(2):
        board.set("db", state.BACKOFF, reason="it ended")
        board.set("db", state.READY)
    assert board.state.units["db"].restarts == 2


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert read(tmp_path / "state.json") is None
