from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from causeway.lab.servers import console
from causeway.lab.servers.console import ConsoleLog


def test_colours_and_titles_are_left_out() -> None:
    assert console.printable(b"[  \x1b[0;32mOK\x1b[0m  ] Started\r\n\x1b]0;title\x07done") == (
        "[  OK  ] Started\ndone"
    )


def test_other_alphabets_become_question_marks() -> None:
    assert console.printable("Größe".encode()) == "Gr????e"


@given(st.binary())
def test_whatever_a_server_prints_is_plain_ascii(data: bytes) -> None:
    shown = console.printable(data)
    assert all(character in "\n\t" or " " <= character <= "~" for character in shown)


def test_the_end_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"early\n" + b"x" * 50 + b"\nlate")
    assert console.tail(path, limit=5) == "\nlate"


def test_no_log_shows_nothing(tmp_path: Path) -> None:
    assert console.tail(tmp_path / "none") == ""


def test_a_log_keeps_its_newer_half(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    log = ConsoleLog(path, limit=100)
    for number in range(40):
        log.write(f"line {number:3d}\n".encode())
    text = path.read_text()
    assert len(text) <= 100
    assert text.endswith("line  39\n")


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    ConsoleLog(path).write(b"one\n")
    ConsoleLog(path).mark("two")
    assert path.read_text() == "one\n\n--- two\n"
    assert path.stat().st_mode & 0o077 == 0
