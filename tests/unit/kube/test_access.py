"""Access read from kubeconfigs and from inside a pod."""

import base64
import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from causeway.kit.errors import Problem
from causeway.kube.access import Token, discover, from_kubeconfig


def certificate() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    encoded = [
        base64.b64encode(part).decode() for part in (cert.public_bytes(serialization.Encoding.PEM), secret)
    ]
    return encoded[0], encoded[1]


def kubeconfig(user: dict[str, Any], cluster: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://10.0.0.1:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
    }


def test_inline_certificates_are_used_without_touching_a_disk() -> None:
    cert, key = certificate()
    access = from_kubeconfig(
        kubeconfig(
            {"client-certificate-data": cert, "client-key-data": key},
            {"certificate-authority-data": cert, "tls-server-name": "kubernetes"},
        )
    )
    assert access.server == "https://10.0.0.1:6443"
    assert access.tls is not None
    assert access.tls.cert_store_stats()["x509"] == 1
    assert access.tls_server_name == "kubernetes"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (kubeconfig({"exec": {"command": "x"}}), "external program"),
        (kubeconfig({}, {"insecure-skip-tls-verify": True}), "not to verify"),
        (kubeconfig({"client-certificate-data": "!!", "client-key-data": "!!"}), "cannot be used"),
        ({**kubeconfig({}), "current-context": "other"}, "context 'other'"),
        ({}, "current-context"),
    ],
)
def test_a_kubeconfig_that_cannot_serve_is_refused_with_its_cause(config: dict[str, Any], words: str) -> None:
    with pytest.raises(Problem, match=words):
        from_kubeconfig(config)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be read"):
        discover(tmp_path / "none")


def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    now = 0.0
    file = tmp_path / "token"
    file.write_text("one")
    token = Token(file=file, clock=lambda: now)
    assert token.current() == "one"
    file.write_text("two")
    assert token.current() == "one"
    now = 61.0
    assert token.current() == "two"
