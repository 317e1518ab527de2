"""Where the Kubernetes API is and who we are to it: from a kubeconfig, or from inside the platform.

Keys given inline never touch a disk: they are handed to the TLS library through an anonymous memory file.
A service account's token is rotated by the kubelet, so it is read again every minute and after a refusal.
"""

import base64
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from causeway.kit.errors import Problem

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_LIFE = 60.0  # seconds a token read from a file is used before it is read again


class Token:
    """A bearer token, fixed or read from a file that changes."""

    def __init__(
        self, value: str = "", file: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._value = value
        self._file = file
        self._clock = clock
        self._read_at: float | None = None

    def __repr__(self) -> str:
        return "Token(...)"

    def current(self) -> str:
        """Return the token to send."""
        if self._file is not None:
            now = self._clock()
            if self._read_at is None or now - self._read_at >= _TOKEN_LIFE:
                self._value = self._file.read_text().strip()
                self._read_at = now
        return self._value

    def forget(self) -> bool:
        """Read the file again at the next use; return whether that can make a difference."""
        self._read_at = None
        return self._file is not None


@dataclass(frozen=True)
class Access:
    """How to reach one API: its URL, the TLS context, and a token if there is one."""

    server: str
    tls: ssl.SSLContext | None = None
    token: Token | None = field(default=None, repr=False)
    tls_server_name: str | None = None


def in_cluster(root: Path = SERVICE_ACCOUNT) -> Access:
    """Return the access every pod is given; raises ``Problem`` outside a pod."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (root / "token").exists():
        raise Problem.of(
            "Kubernetes access",
            "this is not a pod with a service account",
            "Name a kubeconfig file by KUBECONFIG.",
        )
    tls = ssl.create_default_context(cafile=str(root / "ca.crt"))
    return Access(f"https://{f'[{host}]' if ':' in host else host}:{port}", tls, Token(file=root / "token"))


def from_kubeconfig(source: Path | Mapping[str, Any], context: str | None = None) -> Access:
    """Return the access of a kubeconfig, a file or its content; ``context`` overrides the current one."""
    place = f"kubeconfig {source}" if isinstance(source, Path) else "kubeconfig"
    base = source.parent if isinstance(source, Path) else Path()
    if isinstance(source, Path):
        try:
            content = yaml.safe_load(source.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise Problem.of(
                place, f"cannot be read: {error}", "Name a kubeconfig file that is readable."
            ) from error
    else:
        content = source
    try:
        chosen = _named(content, "contexts", "context", context or content["current-context"])
        cluster = _named(content, "clusters", "cluster", chosen["cluster"])
        user = _named(content, "users", "user", chosen["user"])
        server = cluster["server"]
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem.of(place, f"has no {error}", "Check contexts, clusters and users in it.") from error
    if "exec" in user or "auth-provider" in user:
        raise Problem.of(
            place, "signs in by an external program", "Use a kubeconfig with a client certificate or a token."
        )
    try:
        tls = _tls(base, cluster, user) if server.startswith("https:") else None
    except (OSError, ssl.SSLError, ValueError) as error:
        raise Problem.of(
            place, f"has a certificate or key that cannot be used: {error}", "Write the kubeconfig again."
        ) from error
    token = None
    if user.get("tokenFile"):
        token = Token(file=base / user["tokenFile"])
    elif user.get("token"):
        token = Token(user["token"])
    return Access(server.rstrip("/"), tls, token, cluster.get("tls-server-name"))


def discover(kubeconfig: Path | None = None) -> Access:
    """Return the access meant: the file named, else KUBECONFIG, else the pod's own, else ~/.kube/config."""
    named = kubeconfig or (Path(os.environ["KUBECONFIG"]) if os.environ.get("KUBECONFIG") else None)
    if named is not None:
        return from_kubeconfig(named)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster()
    return from_kubeconfig(Path.home() / ".kube" / "config")


def _named(content: Mapping[str, Any], listing: str, kind: str, name: str) -> Mapping[str, Any]:
    for entry in content[listing]:
        if entry["name"] == name:
            found: Mapping[str, Any] = entry[kind]
            return found
    raise KeyError(f"{kind} {name!r}")


def _tls(base: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _content(base, cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        raise ValueError("it asks not to verify the server, which is refused")
    certificate, key = _content(base, user, "client-certificate"), _content(base, user, "client-key")
    if certificate and key:
        handle = os.memfd_create("client", os.MFD_CLOEXEC)
        try:
            os.write(handle, certificate + b"\n" + key)
            tls.load_cert_chain(f"/proc/self/fd/{handle}")
        finally:
            os.close(handle)
    return tls


def _content(base: Path, entry: Mapping[str, Any], key: str) -> bytes | None:
    if entry.get(f"{key}-data"):
        return base64.b64decode(entry[f"{key}-data"], validate=True)
    if entry.get(key):
        return Path(base / str(entry[key])).read_bytes()
    return None
