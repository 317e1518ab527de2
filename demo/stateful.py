"""The demo's second application: its disk, its name and its image each outlive the node it runs on.

The images are pushed to the platform's registry by a project's own account; the application is reached by its
host name as the cloud's name server tells it, over HTTPS by the platform's own authority.
"""

import base64
import http.client
import json
import secrets
import socket
import ssl
import string
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from openstack.connection import Connection

from causeway.kit.progress import Phase, Progress
from causeway.lab import settings
from demo import resolver
from demo.commands import Kubectl, command
from demo.waiting import until

NAMESPACE = "stateful"
PROJECT, MANIFEST = (Path(__file__).parent / name for name in ("project.yaml", "stateful.yaml"))
IMAGES = {
    "localhost/guestbook-postgres:17": "postgres:17",
    "localhost/guestbook-frontend-sql:0.1.0": "frontend:0.1.0",
}
INSIDE = ("-n", NAMESPACE)
SECONDS = 600.0


class Stateful:
    """One guestbook on PostgreSQL, on the demo's platform."""

    def __init__(self, progress: Progress, cloud: Connection, kubectl: Kubectl, zone: str) -> None:
        self.progress, self.cloud, self.kubectl = progress, cloud, kubectl
        self.name_server = settings.from_environment().address
        suffix = f"apps.{zone.rstrip('.')}"
        self.host, self.registry = f"guestbook.{suffix}", f"registry.{suffix}"
        self.authority = authority_of(kubectl.kubeconfig)

    def push(self, archives: Mapping[str, Path]) -> None:
        """Push the application's images as an account of the project that may."""
        with self.progress.phase("images to the platform's registry") as phase:
            self.kubectl("apply", "-f", str(PROJECT))
            token = self.kubectl("create", "token", "builder", *INSIDE)
            with tempfile.TemporaryDirectory() as directory:
                self._push(phase, archives, Path(directory), token)

    def _push(self, phase: Phase, archives: Mapping[str, Path], directory: Path, token: str) -> None:
        (directory / "ca.crt").write_text(self.authority)
        (directory / "resolv.conf").write_text(f"nameserver {self.name_server}\n")
        login, certificates = directory / "auth.json", ("--cert-dir", str(directory))
        skopeo = partial(self._by_name, directory / "resolv.conf", "skopeo")
        words = ("--authfile", str(login), "--username", "token", "--password-stdin")
        # The name and what leads to the registry each come a moment after the registry.
        until(
            phase,
            f"{self.registry} to let its account in",
            lambda: skopeo("login", *words, *certificates, self.registry, stdin=token),
            seconds=SECONDS,
        )
        for image, name in IMAGES.items():
            phase.waiting_for(name)
            target = f"docker://{self.registry}/{NAMESPACE}/{name}"
            source = f"oci-archive:{archives[image]}"
            skopeo(
                "copy", "--quiet", "--authfile", str(login), "--dest-cert-dir", str(directory), source, target
            )

    def _by_name(self, resolv: Path, *words: str, stdin: str | None = None) -> str:
        """Run a command for which names are what the cloud's name server says."""
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return command(["unshare", "--mount", "sh", "-c", script, str(resolv), *words], stdin=stdin)

    def deploy(self) -> None:
        """Deploy the application and wait until it answers by its name."""
        with self.progress.phase("a guestbook with a disk and a name") as phase:
            if not self.kubectl("get", "secret", "postgres", *INSIDE, "--ignore-not-found"):
                self.kubectl("create", "-f", "-", stdin=_secret())
            values = {"REGISTRY": self.registry, "HOST": self.host}
            self.kubectl("apply", "-f", "-", stdin=string.Template(MANIFEST.read_text()).substitute(values))
            until(phase, f"an answer of https://{self.host}", self.messages, seconds=SECONDS)

    def messages(self) -> dict[str, Any]:
        """Return what the application tells, by its name; raises ``OSError`` when it does not."""
        return self._ask("GET")

    def post(self, text: str) -> None:
        """Leave a message; raises ``OSError`` when it was not taken."""
        with self.progress.phase("a message over HTTPS") as phase:
            until(phase, "the message taken", lambda: self._ask("POST", {"text": text}), seconds=SECONDS)

    def lose_node(self, text: str) -> None:
        """Switch off the server on which the database is, and wait for ``text`` at the same name."""
        lost = self.kubectl.json("get", "pod", "postgres-0", *INSIDE)["spec"]["nodeName"]
        server = self.cloud.compute.find_server(lost, ignore_missing=False)
        began = time.monotonic()
        with self.progress.phase("the database's node switched off, its data at the same name") as phase:
            self.cloud.compute.stop_server(server)
            until(phase, f"{lost} to be off", lambda: self._status(server.id) == "SHUTOFF", seconds=SECONDS)
            until(phase, "the database on another node", lambda: self._elsewhere(lost), seconds=SECONDS)
            until(phase, "the message", lambda: text in self._texts(), seconds=SECONDS)
        self.progress.note(f"{lost} was lost; after {time.monotonic() - began:.0f} s the data were back")
        with self.progress.phase("the node comes back") as phase:
            self.cloud.compute.start_server(server)
            until(phase, f"{lost} to be ready", lambda: self._well(lost), seconds=SECONDS)

    def _status(self, server: str) -> str:
        return str(self.cloud.compute.get_server(server).status)

    def _elsewhere(self, lost: str) -> bool:
        """Return whether the database is ready, and not where it was."""
        found = json.loads(
            self.kubectl("get", "pod", "postgres-0", *INSIDE, "-o", "json", "--ignore-not-found") or "{}"
        )
        ready = any(each.get("ready") for each in found.get("status", {}).get("containerStatuses", []))
        return ready and found["spec"].get("nodeName") != lost

    def _texts(self) -> set[str]:
        return {each["text"] for each in self.messages()["messages"]}

    def _well(self, node: str) -> bool:
        found = self.kubectl.json("get", "node", node)
        ready = {each["type"]: each["status"] for each in found["status"]["conditions"]}["Ready"]
        return ready == "True" and not found["spec"].get("taints")

    def address(self) -> str:
        """Return the address the cloud's name server tells; raises ``OSError`` when it tells none."""
        answer = resolver.ask(self.name_server, self.host)
        if not answer.records:
            raise OSError(f"{self.host} has no address")
        return answer.records[0]

    def _ask(self, method: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        trusted = ssl.create_default_context(cadata=self.authority)
        plain = socket.create_connection((self.address(), 443), 10)
        with trusted.wrap_socket(plain, server_hostname=self.host) as connection:
            client = http.client.HTTPConnection(self.host)
            client.sock = connection
            client.request(method, "/api/messages", None if body is None else json.dumps(body))
            try:
                response = client.getresponse()
                text = response.read()
            except http.client.HTTPException as error:
                raise ConnectionError(f"{error!r}") from error
        if response.status >= 300:
            raise ConnectionError(f"status {response.status}")
        told: dict[str, Any] = json.loads(text)
        return told


def authority_of(kubeconfig: Path) -> str:
    """Return the certificate of the platform's authority (PEM)."""
    (entry,) = yaml.safe_load(kubeconfig.read_text())["clusters"]
    return base64.b64decode(entry["cluster"]["certificate-authority-data"]).decode()


def _secret() -> str:
    metadata = {"name": "postgres", "namespace": NAMESPACE}
    data = {"password": secrets.token_urlsafe(24)}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
