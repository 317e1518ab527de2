"""Certificates of routes, parsed and put in order before HAProxy sees any of them.

What comes out is written anew from what was parsed: nothing that HAProxy could stumble over gets through.
"""

import functools
import hashlib
import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

LARGEST = 24_000  # bytes of one PEM text that a command of HAProxy can carry
# A block ends before the next begins: else of many that never end each was looked for up to the text's end.
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(?:(?!-----BEGIN ).)*?-----END \1-----", re.DOTALL)
_HOST = re.compile(r"(?:\*\.)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*", re.ASCII)
_WEAK = frozenset({"md5", "sha1"})  # refused by OpenSSL at its usual level of security
_SMALLEST_RSA, _LARGEST_RSA = 2048, 8192
_LONGEST_KEY = 10_000  # bytes of PEM text, more than an RSA key of that size has
_MOST_KEYS = 2  # one with the certificate, and one beside it
_LONGEST_AUTHORITIES = 400_000  # bytes of those above a certificate, which may be all that are known
_LONGEST = 100_000  # bytes of a certificate and its key as they are given, remarks between them included
# What reading a certificate raises: some of it is no ValueError.
_MALFORMED = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class Unusable(Exception):
    """A certificate or key cannot be used; the message says which and why, and holds nothing of it."""


def digest(*parts: str) -> str:
    """Return a short name that stands for exactly these texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def chain_with_key(certificate: str, key: str, authorities: str) -> str:
    """Return key, certificate and chain as one PEM text; raises ``Unusable``.

    ``key`` may be within ``certificate``, or the same in both places. Of ``authorities`` those go along that
    are not self-signed. What came of a certificate without authorities is remembered: all of a cluster's are
    asked for at each change.
    """
    if len(certificate) + len(key) > _LONGEST:
        raise Unusable(f"certificate: is longer than {_LONGEST} bytes, with its key")
    if len(authorities) > _LONGEST_AUTHORITIES:
        raise _too_long("caCertificate", _LONGEST_AUTHORITIES)
    made = _chain_with_key(certificate, key, authorities) if authorities else _alone(certificate, key)
    if isinstance(made, Unusable):
        raise Unusable(str(made))
    return made


@functools.lru_cache(maxsize=4096)
def _alone(certificate: str, key: str) -> str | Unusable:
    try:
        return _chain_with_key(certificate, key, "")
    except Unusable as error:
        return Unusable(str(error))  # without the frames it came from


def _chain_with_key(certificate: str, key: str, authorities: str) -> str:
    chain = _certificates("certificate", certificate)
    try:
        _names(chain[0])
    except _MALFORMED as error:
        raise Unusable("certificate: its extensions cannot be read") from error
    blocks = [found[0] for found in _BLOCK.finditer(certificate + "\n" + key) if "PRIVATE KEY" in found[1]]
    if not blocks:
        raise Unusable("key: no private key")
    if len(blocks) > _MOST_KEYS:
        raise Unusable("key: more than one private key")
    public = chain[0].public_key()
    if isinstance(public, rsa.RSAPublicKey) and public.key_size > _LARGEST_RSA:
        raise Unusable(f"key: RSA of {public.key_size} bits, the most is {_LARGEST_RSA}")
    secret, *others = map(_secret, dict.fromkeys(blocks))
    if _public(secret) != _public(chain[0]):
        raise Unusable("key: is not that of the certificate, which must come first of its chain")
    if any(_public(each) != _public(secret) for each in others):  # the same may be written in two forms
        raise Unusable("key: more than one private key")
    above = _certificates("caCertificate", authorities) if authorities else []
    for each in above:
        if each.subject != each.issuer and each not in chain:
            chain.append(each)
    _unbroken(chain, above)
    text = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return _fitting("certificate", text + _written(chain))


def _secret(block: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if len(block) > _LONGEST_KEY:
        raise Unusable(f"key: is longer than {_LONGEST_KEY} bytes")
    try:
        secret = serialization.load_pem_private_key(block.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Unusable("key: cannot be read, or is encrypted") from error
    if not isinstance(secret, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Unusable("key: neither RSA nor an elliptic curve")
    if isinstance(secret, rsa.RSAPrivateKey) and secret.key_size < _SMALLEST_RSA:
        raise Unusable(f"key: RSA of {secret.key_size} bits, the least is {_SMALLEST_RSA}")
    return secret


def _public(of: x509.Certificate | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return of.public_key().public_bytes(*form)


@functools.lru_cache(maxsize=4096)
def names(text: str) -> tuple[str, ...]:
    """Return the hosts that a certificate is for, of PEM text that ``chain_with_key`` has written."""
    return _names(x509.load_pem_x509_certificates(text.encode())[0])


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """Return the hosts a certificate is for; raises ``_MALFORMED``."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    dns = [each.lower() for each in found.value.get_values_for_type(x509.DNSName)]
    return tuple(each for each in dict.fromkeys(dns) if _HOST.fullmatch(each))


def authorities(text: str, field: str = "destinationCACertificate") -> str:
    """Return certificates of authorities as PEM text; raises ``Unusable``, which names ``field``.

    What came of a text is remembered: of an Ingress it is asked for at each path.
    """
    made = _authorities(text, field) if len(text) <= _LONGEST else _too_long(field, _LONGEST)
    if isinstance(made, Unusable):
        raise Unusable(str(made))
    return made


@functools.lru_cache(maxsize=4096)
def _authorities(text: str, field: str) -> str | Unusable:
    try:
        return _fitting(field, _written(_certificates(field, text)))
    except Unusable as error:
        return Unusable(str(error))  # without the frames it came from


def _too_long(field: str, most: int) -> Unusable:
    return Unusable(f"{field}: is longer than {most} bytes")


def _certificates(field: str, text: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(text.encode())
        for each in found:
            each.public_key()
            used, above = each.signature_hash_algorithm, each.subject != each.issuer  # read here or never
            if used is not None and used.name in _WEAK and above:
                raise Unusable(f"{field}: is signed with {used.name}")
    except _MALFORMED as error:
        raise Unusable(f"{field}: cannot be read as PEM certificates") from error
    return found


def _unbroken(chain: list[x509.Certificate], authorities: list[x509.Certificate]) -> None:
    """Check the certificate against the authorities given with it, if there are any."""
    if not authorities:
        return
    for above in [*chain[1:], *authorities]:
        try:
            chain[0].verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return
    raise Unusable("certificate: none of the authorities given with it has signed it")


def _written(chain: list[x509.Certificate]) -> str:
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in chain)


def _fitting(field: str, text: str) -> str:
    if len(text) > LARGEST:
        raise Unusable(f"{field}: is longer than {LARGEST} bytes")
    return text
