"""Whatever somebody gives as a certificate, it is used or it is refused."""

import base64
import contextlib
import datetime
import functools
import time
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.rooms.routes.examples import certificate

from causeway.rooms.routes.certificates import Unusable, authorities, chain_with_key, names


def _pem(der: bytes, kind: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(der).decode()}-----END {kind}-----\n"


def _der(pem: str) -> bytes:
    return base64.b64decode("".join(pem.strip().splitlines()[1:-1]))


@functools.cache
def _made() -> tuple[bytes, bytes]:
    """Return a certificate with several extensions, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.example")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("www.example")]), critical=False)
        .add_extension(policies, critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.DER), key.private_bytes(serialization.Encoding.DER, *form)


def _twice(der: bytes) -> bytes:
    """Return it with the extension of names twice."""
    return der.replace(b"\x06\x03\x55\x1d\x20", b"\x06\x03\x55\x1d\x11")


def _of_version(der: bytes) -> bytes:
    return der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)


def _with_a_name_of_another_kind(der: bytes) -> bytes:
    """Return it with its name as one of X.400."""
    return der.replace(b"\x82\x0bwww.example", b"\xa3\x0bwww.example")


def _with_a_name_that_is_no_text(der: bytes) -> bytes:
    """Return it with bytes in its subject, as UTF-8, that are none."""
    return der.replace(b"\x0c\x0bwww.example", b"\x0c\x0b\xff\xffw.example")


@pytest.mark.parametrize(
    "spoilt", [_twice, _of_version, _with_a_name_of_another_kind, _with_a_name_that_is_no_text]
)
def test_one_that_cannot_be_read_is_refused(spoilt: Callable[[bytes], bytes]) -> None:
    der, key = _made()
    assert names(chain_with_key(_pem(der), _pem(key, "PRIVATE KEY"), "")) == ("www.example",)
    assert spoilt(der) != der
    for above in ("", _pem(spoilt(der))):
        with pytest.raises(Unusable):
            chain_with_key(_pem(spoilt(der)), _pem(key, "PRIVATE KEY"), above)


def test_one_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = certificate("once.example")
    first = chain_with_key(chain, key, "")
    spoilt = certificate("other.example")[1]
    with pytest.raises(Unusable, match="is not that of the certificate"):
        chain_with_key(chain, spoilt, "")
    monkeypatch.setattr(x509, "load_pem_x509_certificates", None)
    assert chain_with_key(chain, key, "") == first
    with pytest.raises(Unusable, match="is not that of the certificate"):
        chain_with_key(chain, spoilt, "")


def test_keys_that_take_long_to_check_are_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    der, key = _made()
    monkeypatch.setattr(serialization, "load_pem_private_key", None)
    numbers = rsa.RSAPublicNumbers(65537, (1 << 8199) + 1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.example")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, numbers.public_key(), 1, now, now)
    large = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    with pytest.raises(Unusable, match="RSA of 8200 bits"):
        chain_with_key(large.public_bytes(serialization.Encoding.PEM).decode(), _pem(key, "PRIVATE KEY"), "")
    with pytest.raises(Unusable, match="key: is longer"):
        chain_with_key(_pem(der), _pem(key * 60, "PRIVATE KEY"), "")
    with pytest.raises(Unusable, match="certificate: is longer"):
        chain_with_key(_pem(der) * 200, _pem(key, "PRIVATE KEY"), "")


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3), st.booleans()
)
def test_nothing_else_comes_of_any_bytes(changes: list[tuple[int, int]], of_the_key: bool) -> None:
    given_ = [bytearray(each) for each in _made()]
    for place, value in changes:
        spoilt = given_[of_the_key]
        spoilt[place % len(spoilt)] = value
    chain, key = _pem(bytes(given_[0])), _pem(bytes(given_[1]), "PRIVATE KEY")
    for above in ("", _pem(_made()[0]), chain):
        with contextlib.suppress(Unusable):
            names(chain_with_key(chain, key, above))
    with contextlib.suppress(Unusable):
        authorities(chain)


@given(st.text(), st.text())
@example("\ud800", "\ud800")
@example("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "")
def test_nor_of_any_text(chain: str, key: str) -> None:
    for text in (chain, certificate()[0] + chain):
        with contextlib.suppress(Unusable):
            names(chain_with_key(text, key, chain))
        with contextlib.suppress(Unusable):
            authorities(text)


def test_the_same_key_may_stand_in_both_places_in_any_form() -> None:
    chain, key = certificate()
    usual = chain_with_key(chain, key, "")
    assert chain_with_key(chain + key, key, "") == usual
    secret = serialization.load_pem_private_key(key.encode(), None)
    form = (serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    other_form = secret.private_bytes(serialization.Encoding.PEM, *form).decode()
    assert chain_with_key(chain + other_form, key, "") == usual
    another = certificate("other.example")[1]
    for both in (key + another, key + key + key):
        with pytest.raises(Unusable, match="more than one private key"):
            chain_with_key(chain, both, "")
    with pytest.raises(Unusable, match="is not that of the certificate"):
        chain_with_key(chain + another, key, "")


@pytest.mark.parametrize(
    "begin", ["-----BEGIN A-----", "-----BEGIN CERTIFICATE-----\n", "-----BEGIN EC PRIVATE KEY-----"]
)
def test_what_begins_and_never_ends_takes_no_time(begin: str) -> None:
    chain, key = certificate()
    started = time.process_time()
    for pair in ((chain, begin * 3000 + key), (chain + begin * 3000, key)):
        with contextlib.suppress(Unusable):
            chain_with_key(*pair, "")
    assert time.process_time() - started < 1.0  # of the square of its length it took several


def test_authorities_are_bounded_and_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = certificate()
    with pytest.raises(Unusable, match="destinationCACertificate: is longer than 100000"):
        authorities(chain + "#" * 100_000)
    with pytest.raises(Unusable, match="caCertificate: is longer than 400000"):
        chain_with_key(chain, key, chain + "#" * 400_000)
    written = authorities(chain)
    monkeypatch.setattr(x509, "load_pem_x509_certificates", lambda *_: pytest.fail("read again"))
    assert authorities(chain) == written
