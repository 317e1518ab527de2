"""The front end against a small Redis of this test: real sockets, real protocol."""

import importlib.util
import json
import socketserver
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

DEMO = Path(__file__).parents[4] / "demo"


def load(name: str) -> ModuleType:
    """Load a module of the guestbook, which in its image lies beside the others."""
    spec = importlib.util.spec_from_file_location(name, DEMO / "guestbook" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


resp = load("resp")
load("store_redis")
frontend = load("frontend")


class Redis(socketserver.StreamRequestHandler):
    messages: list[str]

    def handle(self) -> None:
        words = resp.decode(self.rfile)
        match words:
            case ["LPUSH", _, message]:
                type(self).messages.insert(0, message)
                self.wfile.write(b":%d\r\n" % len(type(self).messages))
            case ["LRANGE", _, first, last]:
                self.wfile.write(resp.encode(*type(self).messages[int(first) : int(last) + 1]))
            case _:
                self.wfile.write(b"-ERR unknown command\r\n")


def serving(server: socketserver.BaseServer) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    return thread


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    handler = type("Handler", (Redis,), {"messages": []})
    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as redis,
        ThreadingHTTPServer(("127.0.0.1", 0), frontend.Handler) as web,
    ):
        threads = [serving(redis), serving(web)]
        command, port = resp.command, redis.server_address[1]
        monkeypatch.setattr(resp, "command", lambda _, *words: command("127.0.0.1", *words, port=port))
        yield f"http://127.0.0.1:{web.server_port}"
        for server in (redis, web):
            server.shutdown()
        for thread in threads:
            thread.join()


def ask(url: str, body: bytes | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, data=body)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_message_posted_as_json_is_read_back(url: str) -> None:
    status, text = ask(f"{url}/api/messages", b'{"text": " hello "}')
    assert status == 201
    assert json.loads(text)["text"] == "hello"
    status, text = ask(f"{url}/api/messages")
    assert status == 200
    assert [each["text"] for each in json.loads(text)["messages"]] == ["hello"]
    assert {"pod", "node"} <= set(json.loads(text))


def test_a_message_of_the_form_appears_on_the_page_escaped_and_newest_first(url: str) -> None:
    ask(url + "/", urllib.parse.urlencode({"text": "first"}).encode())
    status, page = ask(url + "/", urllib.parse.urlencode({"text": "<script>é"}).encode())
    assert status == 200  # after the redirect
    assert page.index("&lt;script&gt;é") < page.index("first")
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"{}", "not of the form"),
        (b"[]", "not of the form"),
        (b"{", "no JSON"),
        (b'{"text": 1}', "not of the form"),
        (b'{"text": "  "}', "1 to 500"),
        (json.dumps({"text": "x" * 501}).encode(), "1 to 500"),
        (b"x" * 10_001, "at most 10000"),
    ],
)
def test_wrong_messages_are_refused_with_the_cause(url: str, body: bytes, cause: str) -> None:
    status, text = ask(f"{url}/api/messages", body)
    assert status == 400
    assert cause in json.loads(text)["error"]


def test_unknown_paths_are_not_found(url: str) -> None:
    assert ask(f"{url}/nothing")[0] == 404
    assert ask(f"{url}/nothing", b"x")[0] == 404


def test_without_its_store_it_is_alive_and_says_what_is_wrong(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: str) -> None:
        raise OSError("no route to redis-follower")

    monkeypatch.setattr(resp, "command", gone)
    assert ask(f"{url}/healthz") == (200, "ok\n")
    status, text = ask(f"{url}/api/messages")
    assert (status, "no route" in json.loads(text)["error"]) == (503, True)
    status, page = ask(f"{url}/")
    assert (status, "cannot be read" in page) == (503, True)


def manifest() -> list[Any]:
    return list(yaml.safe_load_all((DEMO / "guestbook.yaml").read_text()))


def test_manifest_every_service_selects_the_pods_of_one_deployment_and_their_port() -> None:
    objects = manifest()
    deployments = [each for each in objects if each["kind"] == "Deployment"]
    services = [each for each in objects if each["kind"] == "Service"]
    assert {each["metadata"]["name"]: each["spec"]["replicas"] for each in deployments} == {
        "frontend": 3,
        "redis-leader": 1,
        "redis-follower": 2,
    }
    for service in services:
        (deployment,) = [
            each
            for each in deployments
            if each["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"]
        ]
        ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
        assert [port["targetPort"] for port in service["spec"]["ports"]] == [port["name"] for port in ports]
    assert [each["metadata"]["name"] for each in services if each["spec"].get("type") == "LoadBalancer"] == [
        "frontend"
    ]
