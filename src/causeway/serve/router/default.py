"""The certificate for hosts whose routes have none: the one that is given, or one made here."""

import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

log = structlog.get_logger()

_DAYS = 730


def require_pair(path: Path) -> None:
    """Raise an error unless a file has a certificate and its key; HAProxy may refuse it for other reasons.

    Raises ``OSError``, ``ValueError`` or ``UnsupportedAlgorithm``.
    """
    text = path.read_bytes()
    key = serialization.load_pem_private_key(text, None)
    if key.public_key() != x509.load_pem_x509_certificates(text)[0].public_key():
        raise ValueError("its key is not that of its first certificate")


def provide_certificate(path: Path, suffix: str) -> None:
    """Make a self-signed certificate for all hosts below ``suffix`` at ``path``, unless there is a file."""
    if path.exists():
        return
    host = f"*.{suffix}" if suffix else "router.invalid"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    log.warning("certificate made here, which no client trusts", host=host, file=str(path))
