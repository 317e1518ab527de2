"""Certificates: the authorities sign, the administrator's kubeconfig is accepted, keys stay private."""

import base64
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from causeway.kit.errors import Problem
from causeway.kit.progress import Timing
from causeway.kube.access import from_kubeconfig
from causeway.rooms.platforms import state
from causeway.rooms.platforms.pki import Pki, admin_kubeconfig, make_pki, make_token

PKI = make_pki()


def test_an_administrators_certificate_is_signed_by_the_authority() -> None:
    content = admin_kubeconfig(PKI, platform="demo", server="https://192.0.2.1:6443")
    data = base64.b64decode(content["users"][0]["user"]["client-certificate-data"])
    client = x509.load_pem_x509_certificate(data)
    client.verify_directly_issued_by(x509.load_pem_x509_certificate(PKI.ca.public.encode()))
    assert "O=system:masters" in client.subject.rfc4514_string()
    access = from_kubeconfig(content)
    assert access.server == "https://192.0.2.1:6443"
    assert isinstance(access.tls, ssl.SSLContext)


def test_certificates_are_valid_for_clocks_that_are_a_little_behind() -> None:
    authority = x509.load_pem_x509_certificate(PKI.ca.public.encode())
    assert authority.not_valid_before_utc < datetime.now(UTC)
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value.ca


def test_the_hash_is_the_one_kubeadm_computes() -> None:
    assert PKI.ca_hash.startswith("sha256:")
    assert len(PKI.ca_hash) == len("sha256:") + 64
    key = x509.load_pem_x509_certificate(PKI.ca.public.encode()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)


def test_a_token_has_the_form_kubernetes_asks_for() -> None:
    identifier, secret = make_token().split(".")
    assert (len(identifier), len(secret)) == (6, 16)
    assert (identifier + secret).isalnum()


def test_files_and_authorities_are_the_same_thing() -> None:
    assert Pki.from_files(PKI.files()) == PKI
    assert "PRIVATE" not in repr(PKI)


def test_kept_facts_come_back_and_nobody_else_reads_them(tmp_path: Path) -> None:
    directory = state.directory_of(tmp_path / "platform.yaml", "demo")
    made = state.fresh(directory)
    assert state.load(directory) is None
    state.create(made)
    assert state.load(directory) == made
    for path in [directory, *directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    later = state.State(directory, made.cluster_id, made.pki, made.token, True, (Timing("stack", 1.5),))
    state.save(later)
    assert state.load(directory) == later
    state.forget(directory)
    assert not directory.exists()


def test_exposed_or_damaged_keys_are_refused(tmp_path: Path) -> None:
    directory = tmp_path / ".causeway" / "demo"
    state.create(state.fresh(directory))
    directory.chmod(0o755)
    with pytest.raises(Problem, match="open to others"):
        state.load(directory)
    directory.chmod(0o700)
    (directory / "pki" / "ca.key").unlink()
    with pytest.raises(Problem, match="Restore this directory"):
        state.load(directory)
