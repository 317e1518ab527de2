"""Downloads, from a small server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.lab.images import kubernetes

FILES: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        data = FILES.get(self.path.rpartition("/")[2])
        self.send_response(404 if data is None else 200)
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    FILES.clear()


def offer(*, tampered: bool = False) -> None:
    for binary in kubernetes.KUBERNETES.binaries:
        data = f"program {binary.name}".encode()
        FILES[binary.name] = data + (b"!" if tampered else b"")
        FILES[f"{binary.name}.sha256"] = f"{hashlib.sha256(data).hexdigest()}\n".encode()


def test_downloads_are_checked_against_the_published_sums(site: str, tmp_path: Path) -> None:
    offer()
    component = replace(kubernetes.KUBERNETES, downloads=site)
    assert kubernetes.downloaded(component, tmp_path, lambda _: None)
    assert (tmp_path / "kubelet").read_bytes() == b"program kubelet"


def test_a_download_with_another_sum_stops_everything(site: str, tmp_path: Path) -> None:
    offer(tampered=True)
    component = replace(kubernetes.KUBERNETES, downloads=site)
    with pytest.raises(Problem, match="published checksum"):
        kubernetes.downloaded(component, tmp_path, lambda _: None)


def test_a_site_without_the_release_is_passed_over_with_a_word(site: str, tmp_path: Path) -> None:
    component = replace(kubernetes.KUBERNETES, downloads=site)
    said: list[str] = []
    assert not kubernetes.downloaded(component, tmp_path, said.append)
    assert "does not answer" in said[-1]


def test_a_site_that_is_not_there_is_passed_over_with_a_word(tmp_path: Path) -> None:
    component = replace(kubernetes.KUBERNETES, downloads="http://127.0.0.1:1")
    said: list[str] = []
    assert not kubernetes.downloaded(component, tmp_path, said.append)
    assert "going on without it" in said[-1]
