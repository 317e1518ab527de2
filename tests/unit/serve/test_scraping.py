"""Where figures are shown."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from causeway.kit.errors import Exit, Problem
from causeway.serve import certificate
from causeway.serve.scraping import address_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.5:9878", ("192.0.2.5", 9878)),
        ("[fd00::5]:9878", ("fd00::5", 9878)),
        ("fd00::5:9878", ("fd00::5", 9878)),  # as Kubernetes fills in $(HOST_IP):9878
    ],
)
def test_an_address_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["9878", ":9878", "192.0.2.5:", "192.0.2.5:http"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        address_of(text)
    assert caught.value.exit_code == Exit.USAGE


def test_the_certificate_is_valid_now_and_its_key_is_with_it() -> None:
    now = datetime.datetime.now(datetime.UTC)
    pem = certificate.make(now)
    made, key = x509.load_pem_x509_certificate(pem), load_pem_private_key(pem, None)
    assert made.not_valid_before_utc < now < made.not_valid_after_utc
    assert made.public_key() == key.public_key()
