"""The platform's certificate authorities, made before its first server exists.

Because Causeway holds the authorities, masters need not hand certificates to each other, a worker can verify
the API it joins by the hash of a key known beforehand, and the command line can sign in to the platform's API
without asking any server. Elliptic keys throughout: they are made in no time and fit into user data.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
ADMIN_LIFE = timedelta(days=365)
SERVER_LIFE = timedelta(days=365)
RENEWED_BEFORE = timedelta(days=120)  # an apply that comes so long before the end makes a new one
_SKEW = timedelta(minutes=10)  # a node's clock may be that far behind ours


@dataclass(frozen=True)
class Pair:
    """A certificate (or a public key) and its private key, both as PEM text."""

    public: str
    private: str

    def __repr__(self) -> str:
        return "Pair(...)"


@dataclass(frozen=True)
class Pki:
    """What every master needs below ``/etc/kubernetes/pki``: three authorities and the key of tokens."""

    ca: Pair
    front_proxy_ca: Pair
    etcd_ca: Pair
    sa: Pair

    def files(self) -> dict[str, str]:
        """Return the PEM texts by the file names kubeadm looks for."""
        return {
            "ca.crt": self.ca.public,
            "ca.key": self.ca.private,
            "front-proxy-ca.crt": self.front_proxy_ca.public,
            "front-proxy-ca.key": self.front_proxy_ca.private,
            "etcd/ca.crt": self.etcd_ca.public,
            "etcd/ca.key": self.etcd_ca.private,
            "sa.pub": self.sa.public,
            "sa.key": self.sa.private,
        }

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> "Pki":
        """Return the authorities from what ``files`` returned; raises ``KeyError`` if one is absent."""
        return cls(
            ca=Pair(files["ca.crt"], files["ca.key"]),
            front_proxy_ca=Pair(files["front-proxy-ca.crt"], files["front-proxy-ca.key"]),
            etcd_ca=Pair(files["etcd/ca.crt"], files["etcd/ca.key"]),
            sa=Pair(files["sa.pub"], files["sa.key"]),
        )

    def encoded(self) -> dict[str, str]:
        """Return the PEM texts in base64, one line each, by names that fit a template."""
        return {
            name.replace("/", "_").replace("-", "_").replace(".", "_"): base64.b64encode(
                text.encode()
            ).decode()
            for name, text in self.files().items()
        }

    @property
    def ca_hash(self) -> str:
        """Return the hash of the authority's public key, by which a joining node recognises the API."""
        key = x509.load_pem_x509_certificate(self.ca.public.encode()).public_key()
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return f"sha256:{hashlib.sha256(der).hexdigest()}"


def make_pki(now: datetime | None = None) -> Pki:
    """Return new authorities, valid for ten years."""
    moment = now or datetime.now(UTC)
    return Pki(
        ca=_authority("kubernetes-ca", moment),
        front_proxy_ca=_authority("kubernetes-front-proxy-ca", moment),
        etcd_ca=_authority("etcd-ca", moment),
        sa=key_pair(),
    )


def make_token() -> str:
    """Return a new bootstrap token: a public identifier and a secret."""
    return f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"


def admin_kubeconfig(
    pki: Pki, *, platform: str, server: str, now: datetime | None = None, life: timedelta = ADMIN_LIFE
) -> dict[str, Any]:
    """Return a kubeconfig of an administrator for the API at ``server`` (a URL), valid for ``life``."""
    client = _client(pki.ca, "causeway-admin", "system:masters", now or datetime.now(UTC), life)
    user = f"{platform}-admin"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": platform,
                "cluster": {"server": server, "certificate-authority-data": _base64(pki.ca.public)},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(client.public),
                    "client-key-data": _base64(client.private),
                },
            }
        ],
        "contexts": [{"name": platform, "context": {"cluster": platform, "user": user}}],
        "current-context": platform,
    }


def server_certificate(
    ca: Pair, hosts: Sequence[str], now: datetime | None = None, life: timedelta = SERVER_LIFE
) -> Pair:
    """Return a certificate by which a server shows that it is ``hosts``: names, wildcards, addresses."""
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "causeway")])
    names = x509.SubjectAlternativeName([_general_name(each) for each in hosts])
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    return _signed(ca, subject, usage, now=now or datetime.now(UTC), life=life, names=names)


def will_do(pem: str, ca: Pair, hosts: Sequence[str], now: datetime | None = None) -> bool:
    """Return whether the server certificate in ``pem`` need not be made anew for ``hosts``.

    What another authority has issued will always do: somebody put it there, and only he can renew it.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return False
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.public.encode()))
    except (ValueError, TypeError, InvalidSignature):
        return True
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    left = certificate.not_valid_after_utc - (now or datetime.now(UTC))
    return list(names) == [_general_name(each) for each in hosts] and left > RENEWED_BEFORE


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _authority(name: str, now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(_pem(certificate), _private(key))


def _client(ca: Pair, name: str, group: str, now: datetime, life: timedelta) -> Pair:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, group),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    return _signed(ca, subject, ExtendedKeyUsageOID.CLIENT_AUTH, now=now, life=life)


def _signed(
    ca: Pair,
    subject: x509.Name,
    usage: x509.ObjectIdentifier,
    *,
    now: datetime,
    life: timedelta,
    names: x509.SubjectAlternativeName | None = None,
) -> Pair:
    """Return a new key with a certificate of the authority for one usage; ``names`` are the subject's."""
    issuer = x509.load_pem_x509_certificate(ca.public.encode())
    issuer_key = serialization.load_pem_private_key(ca.private.encode(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an elliptic one")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(subject, issuer.subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return Pair(_pem(certificate), _private(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def key_pair() -> Pair:
    """Return a new elliptic key; ``public`` is the key itself, no certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Pair(public.decode(), _private(key))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    # The traditional form ("EC PRIVATE KEY") is the one every part of Kubernetes reads.
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
