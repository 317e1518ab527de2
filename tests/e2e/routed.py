"""An application that is asked by its host name, through the platform's router, from outside."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import yaml

SUFFIX = "apps.demo.causeway.test"  # of the platform file's zone
BY_ROUTE, BY_INGRESS = f"front-default.{SUFFIX}", f"front-door.{SUFFIX}"
SECONDS = 300.0
WANTED = f"""
apiVersion: route.openshift.io/v1
kind: Route
metadata: {{name: front, namespace: default}}
spec:
  to: {{kind: Service, name: frontend}}
  tls: {{termination: edge, insecureEdgeTerminationPolicy: Redirect}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: front, namespace: default}}
spec:
  ingressClassName: causeway
  rules:
    - host: {BY_INGRESS}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {{service: {{name: frontend, port: {{number: 80}}}}}}
  tls:
    - hosts: [{BY_INGRESS}]
"""


class Ask(Protocol):
    """Returns what a host answers; raises ``OSError``."""

    def __call__(self, host: str, *, seconds: float = 30) -> Any: ...


def authority_of(kubeconfig: Path) -> ssl.SSLContext:
    """Return what trusts the platform's authority and nobody else."""
    (entry,) = yaml.safe_load(kubeconfig.read_text())["clusters"]
    pem = base64.b64decode(entry["cluster"]["certificate-authority-data"]).decode()
    return ssl.create_default_context(cadata=pem)


def answer(address: str, authority: ssl.SSLContext, host: str, *, seconds: float = 30) -> Any:
    """Return what ``host`` at ``address`` answers, by a connection of its own; raises ``OSError``."""
    plain = socket.create_connection((address, 443), seconds)
    with authority.wrap_socket(plain, server_hostname=host) as connection:
        client = http.client.HTTPConnection(host)
        client.sock = connection
        client.request("GET", "/api/messages")
        try:
            response = client.getresponse()
            text = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{error!r}") from error
    if response.status != 200:
        raise ConnectionError(f"status {response.status}")
    return json.loads(text)


def persistently(ask: Ask, host: str) -> None:
    """Ask again at once, five times in all, which takes no longer than a gap that a person would notice."""
    for _ in range(4):
        with contextlib.suppress(OSError):
            ask(host)
            return
    ask(host)


class Asking:
    """Asks again and again, beside what is done within it.

    ``failed`` has the errors, and when each came; ``asked`` counts questions, ``row`` the answers since the
    last error.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self.failed: list[tuple[float, str]] = []
        self.asked = self.row = 0
        self._ask = ask
        self._ended = threading.Event()
        self._asking = threading.Thread(target=self._run)

    def __enter__(self) -> "Asking":
        self._asking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._asking.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._ask()
            except OSError as error:
                self.failed.append((time.monotonic(), repr(error)))
                self.row = 0
            else:
                self.row += 1
            self.asked += 1
