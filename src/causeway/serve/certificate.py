"""Makes the certificate a scraper sees: run as a program, it prints key and certificate as PEM.

A program of its own because the library holds seven megabytes, which every node would pay for one call. The
key is new at each start, known to this process alone and never on a disk; nobody has to trust it, since who
scrapes is asked for his token and gets nothing but figures.
"""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "causeway-metrics"
_LIFE = datetime.timedelta(days=3650)  # a process never lives that long


def make(now: datetime.datetime) -> bytes:
    """Return a private key and its certificate, signed by itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


if __name__ == "__main__":
    print(make(datetime.datetime.now(datetime.UTC)).decode(), end="")
