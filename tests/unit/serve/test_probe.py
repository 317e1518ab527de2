"""A health socket is asked as by a kubelet: by the status a process ends with."""

import socket
import threading
from pathlib import Path

import pytest

from causeway.serve import probe


def answering(path: Path, answer: bytes) -> threading.Thread:
    """Answer one request on a socket."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def serve() -> None:
        with listening, listening.accept()[0] as connection:
            assert connection.recv(4096).startswith(b"GET /readyz HTTP/1.0\r\n")
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 0, "ok\n"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nleaving\n", 1, "leaving\n"),
        (b"", 1, "\n"),
        (b"nonsense", 1, "\n"),
    ],
)
def test_it_is_well_if_the_answer_is_200(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: bytes, status: int, said: str
) -> None:
    thread = answering(tmp_path / "s", answer)
    assert probe.main([str(tmp_path / "s"), "/readyz"]) == status
    thread.join()
    assert capsys.readouterr().out == said


def test_where_nobody_listens_it_is_not_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main([str(tmp_path / "s"), "/readyz"]) == 1
    assert "No such file" in capsys.readouterr().out
