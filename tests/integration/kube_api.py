"""A real Kubernetes API for the tests that need one: etcd and kube-apiserver on loopback, in a directory."""

import contextlib
import ctypes
import datetime
import ipaddress
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.ports import free_port

from causeway.kit.progress import Progress
from causeway.lab import settings
from causeway.lab.images import kubernetes

START = 240.0  # seconds a program may take to answer on a busy machine
_BY_ITSELF = ("default", "kube-system")  # namespaces the API server makes, some time after it is ready


# A child that ends with us ends with the thread that started it: this one lives as long as the tests.
_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="spawner")


def _ends_with_us() -> None:
    """Have the kernel end this child when the tests end, however they do."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def child(
    argv: Sequence[str], sink: IO[bytes], environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a program that writes to ``sink`` and ends when the tests do, however they end."""
    return _SPAWNER.submit(
        subprocess.Popen,
        argv,
        stdout=sink,
        stderr=sink,
        env=environment,
        start_new_session=True,  # Ctrl-C ends the tests, and those end this
        preexec_fn=_ends_with_us,
    ).result()


@dataclass
class Program:
    """A child process with its log, and the address it must answer at before it counts as started."""

    argv: list[str]
    log: Path
    url: str
    context: ssl.SSLContext | None = None
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as sink:
            self.process = child(self.argv, sink)
        deadline = time.monotonic() + START
        while not answers(self.url, self.context):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.argv[0]} did not start:\n{self.log.read_text()[-3000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None


def answers(url: str, context: ssl.SSLContext | None) -> bool:
    """Return whether there is an answer without a complaint."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Authority:
    """Makes the certificates of one test run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test-ca")])
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write("ca", builder.sign(self._key, hashes.SHA256()), self._key)

    def issue(self, file: str, name: str, organization: str = "") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organization:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        builder = self._builder(x509.Name(parts), key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        self._write(file, builder.sign(self._key, hashes.SHA256()), key)

    def path(self, file: str) -> str:
        return str(self.directory / file)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    def _write(self, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (self.directory / f"{file}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        # The API server reads the keys of service accounts in this older form only.
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        (self.directory / f"{file}.key").write_bytes(secret)


@dataclass
class KubeApi:
    """A running Kubernetes API; ``kubeconfig`` is its administrator's."""

    directory: Path
    binaries: dict[str, Path]
    kubeconfig: Path = field(init=False)
    flags: tuple[str, ...] = ()  # further ones of the API server

    def __post_init__(self) -> None:
        self.port = free_port()
        self._authority = Authority(self.directory)
        self._authority.issue("server", "kube-apiserver")
        self._authority.issue("admin", "admin", "system:masters")
        self._authority.issue("accounts", "accounts")
        self.kubeconfig = self.directory / "kubeconfig"
        key = {"client-certificate": self._authority.path("admin.crt")}
        key |= {"client-key": self._authority.path("admin.key")}
        self.kubeconfig.write_text(yaml.safe_dump(self.config(f"https://127.0.0.1:{self.port}", key)))
        client, peer = free_port(), free_port()
        self._etcd_url = f"http://127.0.0.1:{client}"
        etcd = [
            str(self.binaries["etcd"]),
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        ]
        self.etcd = Program(etcd, self.directory / "etcd.log", f"{self._etcd_url}/health")
        self.server = self.another(self.port)

    def another(self, port: int) -> Program:
        """Return an API server on the same data, not started yet."""
        file = self._authority.path
        context = ssl.create_default_context(cafile=file("ca.crt"))
        context.load_cert_chain(file("admin.crt"), file("admin.key"))
        argv = [
            str(self.binaries["kube-apiserver"]),
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            "--advertise-address=192.0.2.1",  # never used: nobody publishes it
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={file('server.crt')}",
            f"--tls-private-key-file={file('server.key')}",
            f"--client-ca-file={file('ca.crt')}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={file('accounts.key')}",
            f"--service-account-signing-key-file={file('accounts.key')}",
            "--service-cluster-ip-range=172.30.0.0/17",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",  # nobody here makes a default account
            *self.flags,
        ]
        return Program(
            argv, self.directory / "apiserver.log", f"https://127.0.0.1:{port}/readyz", context=context
        )

    def controllers(self, *names: str) -> Program:
        """Return Kubernetes' own controllers of these names, not started yet."""
        port = free_port()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it makes its certificate itself
        argv = [
            str(self.binaries["kube-controller-manager"]),
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={','.join(names)}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.directory}",
            "--authorization-always-allow-paths=/healthz",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
        ]
        return Program(argv, self.directory / "controllers.log", f"https://127.0.0.1:{port}/healthz", context)

    def start(self) -> None:
        self.etcd.start()
        self.server.start()
        namespaces = f"https://127.0.0.1:{self.port}/api/v1/namespaces"
        deadline = time.monotonic() + START
        while not all(answers(f"{namespaces}/{name}", self.server.context) for name in _BY_ITSELF):
            assert time.monotonic() < deadline, f"it has no {_BY_ITSELF}"
            time.sleep(0.05)

    def stop(self) -> None:
        self.server.end()
        self.etcd.end()

    def config(self, server: str, user: dict[str, str]) -> dict[str, Any]:
        """Return the kubeconfig of ``user`` (as such files describe users) at ``server``."""
        cluster = {"server": server, "certificate-authority": self._authority.path("ca.crt")}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": user}],
        }

    def person(self, name: str) -> Path:
        """Return the kubeconfig of somebody whom a certificate names."""
        self._authority.issue(name, name)
        key = {"client-certificate": self._authority.path(f"{name}.crt")}
        key |= {"client-key": self._authority.path(f"{name}.key")}
        path = self.directory / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(self.config(f"https://127.0.0.1:{self.port}", key)))
        return path

    def trusting(self) -> ssl.SSLContext:
        """Return what a client needs to trust this API, without being anybody."""
        return ssl.create_default_context(cafile=self._authority.path("ca.crt"))

    def serving(self) -> ssl.SSLContext:
        """Return what somebody needs to stand in for this API on loopback."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._authority.path("server.crt"), self._authority.path("server.key"))
        return context


@pytest.fixture(scope="session")
def kubernetes_binaries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The programs of the release the node image holds; obtained if the cache lacks them."""
    cache = settings.from_environment().cache
    return kubernetes.obtain(cache, tmp_path_factory.mktemp("obtain") / "log", Progress())


@pytest.fixture(scope="module")
def kube_api(
    kubernetes_binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubeApi]:
    """An empty Kubernetes API, for the tests of one module."""
    api = KubeApi(tmp_path_factory.mktemp("kube"), kubernetes_binaries)
    try:
        api.start()
        yield api
    finally:
        api.stop()
