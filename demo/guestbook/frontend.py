"""The guestbook's front end: a page and a small JSON interface, without state of its own.

Messages are kept in Redis, or with STORE=postgres in PostgreSQL.

    GET  /                the page
    POST /                a message from the page's form (text=...), answered with a redirect to the page
    GET  /api/messages    {"messages": [{"text", "time"}, ...], "pod": who answered, "node": where it runs}
    POST /api/messages    {"text": ...} adds a message, answered with 201
    GET  /healthz         whether this process serves
"""

import html
import importlib
import json
import os
import signal
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

PORT = 8080
POD = os.environ.get("POD_NAME", "unknown")
NODE = os.environ.get("NODE_NAME", "unknown")
SHOWN = 100
LONGEST_TEXT = 500
LONGEST_BODY = 10_000
# An image has the libraries of one store alone.
STORE = importlib.import_module(f"store_{os.environ.get('STORE', 'redis')}")
PAGE = (Path(__file__).parent / "page.html").read_text()


class BadRequest(Exception):
    """The request cannot be understood; the text says why."""


def messages() -> list[dict[str, Any]]:
    """Return the newest messages, newest first."""
    found: list[dict[str, Any]] = STORE.newest(SHOWN)
    return found


def add(text: str) -> dict[str, Any]:
    """Store a message and return it; raises ``BadRequest`` when it is empty or too long."""
    text = text.strip()
    if not 0 < len(text) <= LONGEST_TEXT:
        raise BadRequest(f"a message has 1 to {LONGEST_TEXT} characters")
    message = {"text": text, "time": round(time.time(), 3)}
    STORE.add(message)
    return message


def page(entries: list[dict[str, Any]], problem: str = "") -> str:
    """Return the page with ``entries``; ``problem`` is shown above them."""
    items = "\n".join(
        f"<li><p>{html.escape(each['text'])}</p>"
        f"<time>{time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(each['time']))}</time></li>"
        for each in entries
    )
    notice = f'<p class="problem">{html.escape(problem)}</p>' if problem else ""
    empty = "" if entries or problem else '<p class="empty">No messages yet: write the first one.</p>'
    values = {"notice": notice + empty, "items": items, "pod": html.escape(POD), "node": html.escape(NODE)}
    text = PAGE
    for name, value in values.items():
        text = text.replace(f"<!--{name}-->", value)
    return text


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server_version = "guestbook"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        """Answer the page, the messages or the health check."""
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._text(HTTPStatus.OK, "ok\n", "text/plain")
        elif path == "/api/messages":
            self._guarded(
                lambda: self._json(HTTPStatus.OK, {"messages": messages(), "pod": POD, "node": NODE})
            )
        elif path == "/":
            try:
                self._text(HTTPStatus.OK, page(messages()))
            except OSError as error:
                self._text(HTTPStatus.SERVICE_UNAVAILABLE, page([], f"The messages cannot be read: {error}"))
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": f"there is nothing at {path}"})

    def do_POST(self) -> None:
        """Take a message, from the page or as JSON."""
        if self.path == "/api/messages":
            self._guarded(
                lambda: self._json(HTTPStatus.CREATED, {**add(self._json_text()), "pod": POD, "node": NODE})
            )
        elif self.path == "/":
            self._guarded(self._from_form)
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": f"there is nothing at {self.path}"})

    def _from_form(self) -> None:
        add(parse_qs(self._body().decode("utf-8", "replace")).get("text", [""])[0])
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json_text(self) -> str:
        try:
            body = json.loads(self._body())
        except ValueError as error:
            raise BadRequest(f"the body is no JSON: {error}") from None
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str):
            raise BadRequest('the body is not of the form {"text": "..."}')
        return text

    def _body(self) -> bytes:
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > LONGEST_BODY:
            raise BadRequest(f"a body needs a Content-Length of at most {LONGEST_BODY}")
        return self.rfile.read(int(size))

    def _guarded(self, answer: Any) -> None:
        """Give ``answer``, or the error that keeps it from being given."""
        try:
            answer()
        except BadRequest as error:
            self._json(HTTPStatus.BAD_REQUEST, {"error": str(error), "pod": POD})
        except OSError as error:
            self._json(
                HTTPStatus.SERVICE_UNAVAILABLE, {"error": f"the store does not answer: {error}", "pod": POD}
            )

    def _json(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        self._text(status, json.dumps(value) + "\n", "application/json")

    def _text(self, status: HTTPStatus, text: str, kind: str = "text/html; charset=utf-8") -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Answered-By", POD)
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log what was asked for, but not the health checks."""
        if self.path != "/healthz":
            super().log_request(code, size)


def main() -> None:
    """Serve until the pod ends; a first process ends on a signal only when it says so."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
